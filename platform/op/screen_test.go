package op_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/op"
)

func env(pairs ...string) func(string) string {
	return func(key string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == key {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestTablesShrinkByWholeColumns(t *testing.T) {
	columns := []op.Column{{Name: "APP"}, {Name: "URL"}, {Name: "REQ/24H", Right: true}, {Name: "BY"}, {Name: "STATE", Keep: true}}
	rows := [][]string{
		{"blog", "https://blog.example.com", "12,904", "asha", "live"},
		{"shop", "https://shop.example.com", "88", "", "stalled"},
		{"bad\n\x1b[2J", "", "7"},
	}
	for width, want := range map[string]string{
		"0": "APP       URL                       REQ/24H  BY    STATE\n" +
			"blog      https://blog.example.com   12,904  asha  live\n" +
			"shop      https://shop.example.com       88        stalled\n" +
			"bad \ufffd[2J                                  7\n",
		"55": "APP       URL                       REQ/24H  STATE\n" +
			"blog      https://blog.example.com   12,904  live\n" +
			"shop      https://shop.example.com       88  stalled\n" +
			"bad \ufffd[2J                                  7\n",
		"30": "APP       STATE\n" + "blog      live\n" + "shop      stalled\n" + "bad \ufffd[2J\n",
		"4":  "APP\n" + "blog\n" + "shop\n" + "bad \ufffd[2J\n",
	} {
		var b bytes.Buffer
		if err := op.NewScreen(&b, "auto", env("COLUMNS", width)).Table(columns, rows); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s columns:\n%s\nwant:\n%s", width, b.String(), want)
		}
	}
}

// Whatever a name or a commit says, it cannot command the terminal of who reads
// it, not even when it arrives in pieces.
func TestScreensCannotBeCommanded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SliceOf(rapid.SampledFrom([]byte("a\x1b[31m;Km\n\t\r\x00\x9b\xc2\xe2\x80\xae\x07é")))).Draw(t, "pieces")
		colour := rapid.SampledFrom([]string{"always", "never"}).Draw(t, "colour")
		var b, whole bytes.Buffer
		s := op.NewScreen(&b, colour, env())
		for _, p := range pieces {
			if n, err := s.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		_, _ = op.NewScreen(&whole, colour, env()).Write(bytes.Join(pieces, nil))
		if b.String() != whole.String() {
			t.Fatalf("in pieces %q, at once %q", b.String(), whole.String())
		}
		left := b.String()
		if colour == "always" {
			left = strings.ReplaceAll(stripColours(left), "\x1b[m", "")
		}
		for _, r := range left {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || r == '\u202e' {
				t.Fatalf("%q got through in %q", r, b.String())
			}
		}
	})
}

func stripColours(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		j := i + 2
		for j < len(s) && (s[j] >= '0' && s[j] <= '9' || s[j] == ';') {
			j++
		}
		if j == len(s) || s[j] != 'm' {
			return s
		}
		s = s[:i] + s[j+1:]
	}
}

func TestColour(t *testing.T) {
	for _, tc := range []struct {
		flag string
		env  func(string) string
		tty  bool
		want bool
	}{
		{"auto", env(), true, true},
		{"auto", env(), false, false},
		{"auto", env("NO_COLOR", "1"), true, false},
		{"auto", env("NO_COLOR", "1", "FORCE_COLOR", "1"), true, false},
		{"auto", env("FORCE_COLOR", "1"), false, true},
		{"auto", env("FORCE_COLOR", "0"), false, false},
		{"auto", env("TERM", "dumb"), true, false},
		{"always", env("NO_COLOR", "1"), false, true},
		{"never", env("FORCE_COLOR", "1"), true, false},
	} {
		if got := op.Color(tc.flag, tc.env, tc.tty); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
	var b bytes.Buffer
	s := op.NewScreen(&b, "always", env())
	_ = s.Printf("%s", s.Paint(op.Red, "no"))
	s = op.NewScreen(&b, "never", env())
	_ = s.Printf("%s", s.Paint(op.Red, "no"))
	if b.String() != "\x1b[31mno\x1b[0mno" {
		t.Errorf("%q", b.String())
	}
}

// Colours that somebody else wrote may not hide text.
func TestScreensHideNothing(t *testing.T) {
	var b bytes.Buffer
	_ = op.NewScreen(&b, "always", env()).Printf("a\x1b[8mb\x1b[30;40mc\x1b[1;31md\x1b[0m\x1b[38;5;0me")
	if b.String() != "abc\x1b[1;31md\x1b[0me" {
		t.Errorf("%q", b.String())
	}
}
