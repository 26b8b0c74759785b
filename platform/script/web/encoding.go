package web

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const replacement = "�"

func textOperations(ops map[string]Function) {
	ops["utf8"] = func(args []any) (any, error) { return encoded([]byte(wellFormed(text(args, 0)))), nil }
	ops["length"] = func(args []any) (any, error) { return len(wellFormed(text(args, 0))), nil }
	ops["text"] = func(args []any) (any, error) {
		b, err := data(args, 0)
		return replaced(b), err
	}
	ops["encoding"] = func(args []any) (any, error) { return encodingName(text(args, 0)), nil }
	ops["decode"] = decodeText
	ops["binary"] = func(args []any) (any, error) {
		b, err := data(args, 0)
		return latin1(b), err
	}
	ops["bytes"] = func(args []any) (any, error) { return unlatin1(text(args, 0)) }
}

// wellFormed is a string with U+FFFD for each lone surrogate, however the engine
// hands it over (see quickjs.VM.SetWTF8).
func wellFormed(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return replaced([]byte(s))
}

// replaced is UTF-8 with U+FFFD for each maximal piece that is none, as the Encoding
// Standard counts them; Go's own conversions count bytes or runs.
func replaced(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out, _, err := transform.Bytes(unicode.UTF8.NewDecoder(), b)
	if err != nil {
		return strings.ToValidUTF8(string(b), replacement)
	}
	return string(out)
}

// encodingName is the name that the Encoding Standard gives a label, or nil.
func encodingName(label string) any {
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil
	}
	name, err := htmlindex.Name(e)
	if err != nil || name == "replacement" {
		return nil
	}
	return name
}

// decodeText takes bytes, the name of their encoding, whether errors are fatal and
// whether more bytes follow. It returns the text, or the text with the number of
// bytes that wait for more: "2,text".
func decodeText(args []any) (any, error) {
	b, err := data(args, 0)
	if err != nil {
		return nil, err
	}
	name, fatal, more := text(args, 1), truth(args, 2), truth(args, 3)
	s, rest, err := decode(b, name, more)
	if err != nil {
		return nil, err
	}
	if fatal && !clean(s, b[:len(b)-rest], name) {
		return nil, named{"TypeError", "the bytes are no " + name}
	}
	if more {
		return string(rune('0'+rest)) + s, nil
	}
	return s, nil
}

// clean tells whether no byte had to be replaced. U+FFFD itself can be written in
// some encodings; in UTF-8 and UTF-16 that is told apart.
func clean(s string, b []byte, name string) bool {
	switch name {
	case "utf-8":
		return utf8.Valid(b)
	case "utf-16le":
		return strings.Count(s, replacement) == count16(b, 0xfd, 0xff)
	case "utf-16be":
		return strings.Count(s, replacement) == count16(b, 0xff, 0xfd)
	}
	return !strings.Contains(s, replacement)
}

func count16(b []byte, first, second byte) int {
	n := 0
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == first && b[i+1] == second {
			n++
		}
	}
	return n
}

// decode returns the text and how many bytes at the end are the begin of a
// character, which happens only where more follow.
func decode(b []byte, name string, more bool) (string, int, error) {
	switch name {
	case "utf-8":
		rest := 0
		if more {
			rest = unfinished(b)
		}
		return replaced(b[:len(b)-rest]), rest, nil
	case "utf-16le":
		return transformed(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), b, more)
	case "utf-16be":
		return transformed(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), b, more)
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return "", 0, named{"RangeError", "no encoding has the name " + name}
	}
	if single, ok := e.(*charmap.Charmap); ok {
		return singleByte(single, b, strings.HasPrefix(name, "windows-")), 0, nil
	}
	return transformed(e, b, more)
}

// unfinished counts the bytes at the end of b that begin a character of UTF-8 and
// may become whole.
func unfinished(b []byte) int {
	for n := 1; n <= 3 && n <= len(b); n++ {
		tail := b[len(b)-n:]
		if utf8.RuneStart(tail[0]) {
			if tail[0] >= utf8.RuneSelf && !utf8.FullRune(tail) {
				return n
			}
			return 0
		}
	}
	return 0
}

// transformed runs a decoder until it wants more than there is.
func transformed(e encoding.Encoding, b []byte, more bool) (string, int, error) {
	d := e.NewDecoder().Transformer
	var out strings.Builder
	buf := make([]byte, 4096)
	for {
		n, used, err := d.Transform(buf, b, !more)
		out.Write(buf[:n])
		b = b[used:]
		switch {
		case err == nil:
			return out.String(), 0, nil
		case errors.Is(err, transform.ErrShortSrc) && len(b) < 8:
			return out.String(), len(b), nil
		case !errors.Is(err, transform.ErrShortDst):
			return "", 0, operation(err)
		}
	}
}

// singleByte decodes one byte at a time. The standard's windows-* tables map what
// the vendor left open below 0xA0 to the control of the same number; the library's
// do not.
func singleByte(c *charmap.Charmap, b []byte, windows bool) string {
	var out strings.Builder
	out.Grow(len(b))
	for _, x := range b {
		r := c.DecodeByte(x)
		if r == utf8.RuneError && windows && x < 0xa0 {
			r = rune(x)
		}
		out.WriteRune(r)
	}
	return out.String()
}

// latin1 is one character for each byte: what atob returns.
func latin1(b []byte) string {
	var out strings.Builder
	out.Grow(len(b))
	for _, x := range b {
		out.WriteRune(rune(x))
	}
	return out.String()
}

// unlatin1 is one byte for each character, or nil if one has no room in a byte.
func unlatin1(s string) (any, error) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, nil
		}
		b = append(b, byte(r))
	}
	return encoded(b), nil
}
