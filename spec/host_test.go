package spec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

func TestParseHost(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":             "example.com",
		"localhost":               "localhost",
		"ADMIN.Example.TEST":      "admin.example.test",
		"admin.example.com.":      "admin.example.com",
		"admin.example.com:443":   "admin.example.com",
		"admin.example.com.:443":  "admin.example.com",
		"admin.example.com:":      "admin.example.com",
		"a--b.example.com":        "a--b.example.com",
		"3com.com":                "3com.com",
		"münchen.example":         "xn--mnchen-3ya.example",
		"MÜNCHEN.example":         "xn--mnchen-3ya.example",
		"mu\u0308nchen.example":   "xn--mnchen-3ya.example",
		"XN--MNCHEN-3YA.example":  "xn--mnchen-3ya.example",
		"straße.example":          "xn--strae-oqa.example",
		"strasse.example":         "strasse.example",
		"аdmin.example":           "xn--dmin-43d.example", // Cyrillic а
		"example。com":             "example.com",
		"ｅｘａｍｐｌｅ.com":             "example.com",
		"日本語.jp":                  "xn--wgv71a119e.jp",
		strings.Repeat("a", 63):   strings.Repeat("a", 63),
		"127.0.0.1.nip.example":   "127.0.0.1.nip.example",
		"0xcafe.0xbad-it.example": "0xcafe.0xbad-it.example",
	} {
		got, err := spec.ParseHost(in)
		if err != nil || got != want {
			t.Errorf("ParseHost(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestParseHostRefuses(t *testing.T) {
	for in, word := range map[string]string{
		"": "empty", ".": "empty", ":80": "empty", "a..b": "empty label", ".a": "empty label", "a.b..": "empty label",
		"a_b.example": "underscore", "*.example.com": "*", "a b": "character", "a/b": "character", "a%41.com": "character",
		"-a.com": "hyphen", "a-.com": "hyphen", "user@a.com": "character", "a\x00.com": "character", "a\n.com": "character",
		"a.com:http": "port", "a.com:99999": "port", "a.com:-1": "port", "a:b:c": "optional port",
		strings.Repeat("a", 64) + ".com":  "label longer",
		strings.Repeat("a.", 127) + "com": "longer than 253",
		strings.Repeat("ü", 3000):         "too long",
		"xn--a.com":                       "character", "xn--.com": "empty label", "xn--zz-\u00fc": "character", "a\u00ad\u200b": "",
		"\xff.com": "UTF-8", "\ufffd.com": "",
	} {
		got, err := spec.ParseHost(in)
		if in == "a\u00ad\u200b" {
			if err != nil || got != "a" { // what cannot be seen does not count
				t.Errorf("ParseHost(%q) = %q, %v", in, got, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("ParseHost(%q) = %q, %v; want an error with %q", in, got, err, word)
		}
	}
}

func TestParseHostRefusesAddresses(t *testing.T) {
	for _, in := range []string{
		"127.0.0.1", "127.0.0.1:8080", "127.0.0.1.", "[::1]", "[::1]:80", "::1", "fe80::1%eth0", "[::ffff:1.2.3.4]:1",
		"2130706433", "0x7f.1", "0x7f000001", "127.1", "１２７.0.0.1", "a.example.1", "0x",
	} {
		if got, err := spec.ParseHost(in); !errors.Is(err, spec.ErrAddress) {
			t.Errorf("ParseHost(%q) = %q, %v; want ErrAddress", in, got, err)
		}
	}
}

func TestParseHostPattern(t *testing.T) {
	for in, want := range map[string]string{
		"*.Example.com.": "*.example.com", "example.com": "example.com", "*.bücher.example": "*.xn--bcher-kva.example",
	} {
		if got, err := spec.ParseHostPattern(in); err != nil || got != want {
			t.Errorf("ParseHostPattern(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"*", "*.", "*.*.a", "a.*.b", "**.a", "*a.b", "*.127.0.0.1", "*." + strings.Repeat("a.", 125) + "aaa"} {
		if got, err := spec.ParseHostPattern(in); err == nil {
			t.Errorf("ParseHostPattern(%q) = %q, want an error", in, got)
		}
	}
}

func TestParseHostOfCanonicalNameAllocatesNothing(t *testing.T) {
	for _, in := range []string{"www.example.com", "www.example.com:8080", "www.example.com.", "localhost"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = spec.ParseHost(in) }); n != 0 {
			t.Errorf("ParseHost(%q) allocates %v times", in, n)
		}
	}
}

// FuzzParseHost holds the canon to its two laws: a result is its own canonical
// form, and case, port and last dot make no difference.
func FuzzParseHost(f *testing.F) {
	for _, in := range []string{"a.b", "MÜNCHEN.example:80", "xn--mnchen-3ya", "straße.", "*.a.b", "[::1]", "0x7f.1", "ß.a", "K.x"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := spec.ParseHostPattern(in)
		if err != nil {
			return
		}
		for _, again := range []string{got, strings.ToUpper(got), got + ".", got + ":80", got + ".:443"} {
			if twice, err := spec.ParseHostPattern(again); err != nil || twice != got {
				t.Fatalf("%q is %q, and %q is %q (%v)", in, got, again, twice, err)
			}
		}
	})
}
