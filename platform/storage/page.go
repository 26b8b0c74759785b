package storage

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
)

// span is the part of the keys a list looks at: from ≤ key < to.
type span struct{ from, to []byte }

// bounds returns where a page is, and how many items it has.
func (o ListOptions) bounds() (r span, limit int, err error) {
	limit, err = pageLimit(o.Limit)
	if err != nil {
		return r, 0, err
	}
	r = span{from: []byte(o.Prefix), to: successor(o.Prefix)}
	if o.Cursor == "" {
		return r, limit, nil
	}
	from, err := base64.RawURLEncoding.Strict().DecodeString(o.Cursor)
	if err != nil || len(from) > maxFileKey+1 || !bytes.HasPrefix(from, r.from) || !isPlace(from) {
		return r, 0, badCursor(samePrefix)
	}
	r.from = from
	return r, limit, nil
}

func pageLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return maxPage, nil
	case limit < 0 || limit > maxPage:
		return 0, fault.New(fault.Invalid, "a limit of %d is not between 1 and %d", limit, maxPage)
	}
	return limit, nil
}

// successor returns what is behind all keys that begin with a prefix. No key has
// the byte 255, which UTF-8 has no use for.
func successor(prefix string) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := []byte(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return []byte{0xff}
}

// A cursor says where to go on. It is not secret, and not trusted: it can only name
// a place among what the asker may list anyway.
func cursorAt(from []byte) string { return base64.RawURLEncoding.EncodeToString(from) }

// isPlace reports whether a list can go on from there: behind a key, or behind all
// that begin with a text, as successor has it.
func isPlace(from []byte) bool {
	switch n := len(from) - 1; {
	case n < 0:
		return false
	case from[n] == 0:
		return n > 0 && utf8.Valid(from[:n])
	default:
		text := bytes.Clone(from)
		text[n]--
		return utf8.Valid(text)
	}
}

// samePrefix is what a cursor of a list of names holds for.
const samePrefix = "with the same prefix"

func badCursor(how string) error {
	return fault.New(fault.Invalid, "this is no cursor of this list").WithHint("take the cursor of the page before, %s", how)
}
