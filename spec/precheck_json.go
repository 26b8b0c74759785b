package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// checkJSON checks the JSON form. Its strings are templates, and in a few places
// expressions, so each is looked at as both.
func checkJSON(src []byte) *fault {
	var open []byte
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case c == '{' || c == '[':
			if len(open) == maxNesting {
				return &fault{i, codeNesting, fmt.Sprintf("nested more than %d levels deep", maxNesting),
					"objects and arrays count together"}
			}
			open = append(open, c+2) // both brackets close two characters further on
		case (c == '}' || c == ']') && len(open) > 0 && open[len(open)-1] == c:
			open = open[:len(open)-1]
		case c == '"':
			end, f := stringEnd(src, i)
			if f == nil {
				f = checkJSONString(src, i, end)
			}
			if f != nil {
				return f
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd returns the offset after the string that begins at i: after its
// closing quote, or at the control character that breaks it off. It refuses the
// characters that the parser's scanner takes together with the one after them,
// as a quote after one would not end the string there.
func stringEnd(src []byte, i int) (int, *fault) {
	for i++; i < len(src); i++ {
		switch c := src[i]; {
		case c == '"':
			return i + 1, nil
		case c == '\\' && i+1 < len(src) && src[i+1] >= ' ' && src[i+1] < utf8.RuneSelf:
			i++
		case c < ' ':
			return i, nil
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(src[i:])
			if isPrepend(r) {
				return 0, &fault{i, codePrepend, fmt.Sprintf("character %U in a JSON string", r),
					fmt.Sprintf(`write it as an escape, such as \u%04x`, r)}
			}
			i += size - 1
		}
	}
	return len(src), nil
}

// isPrepend tells whether a character forms one unit with whatever follows it
// (Grapheme_Cluster_Break=Prepend of Unicode 16).
func isPrepend(r rune) bool {
	switch {
	case r >= 0x0600 && r <= 0x0605, r == 0x06dd, r == 0x070f, r == 0x0890, r == 0x0891, r == 0x08e2, r == 0x0d4e:
		return true
	case r == 0x110bd, r == 0x110cd, r == 0x111c2, r == 0x111c3, r == 0x113d1, r == 0x1193f, r == 0x11941:
		return true
	case r == 0x11a3a, r >= 0x11a84 && r <= 0x11a89, r == 0x11d46, r == 0x11f02:
		return true
	}
	return false
}

// checkJSONString checks what the quoted string between two offsets stands for.
func checkJSONString(src []byte, from, to int) *fault {
	quoted := src[from:to]
	if bytes.IndexByte(quoted, '\\') < 0 && !bytes.ContainsAny(quoted, "%{[(!-?") {
		return nil
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return nil // the parser refuses it as well
	}
	f := scan([]byte(text), true)
	if f == nil {
		f = scan([]byte(text), false)
		if f != nil && f.code != codeNesting {
			return nil
		}
	}
	if f != nil {
		f.at = from
	}
	return f
}
