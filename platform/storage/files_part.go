package storage

import (
	"slices"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// holds reports whether a condition is true of a file.
func (c Condition) holds(info FileInfo, there bool) bool {
	is := func(etag string) bool { return there && (etag == "*" || etag == info.ETag) }
	switch {
	case len(c.Match) > 0 && !slices.ContainsFunc(c.Match, is):
		return false
	case len(c.NoneMatch) > 0 && slices.ContainsFunc(c.NoneMatch, is):
		return false
	case !c.ModifiedSince.IsZero() && !(there && rounded(info.Modified, c.ModifiedSince).After(c.ModifiedSince)):
		return false
	case !c.UnmodifiedSince.IsZero() && !(there && !rounded(info.Modified, c.UnmodifiedSince).After(c.UnmodifiedSince)):
		return false
	}
	return true
}

// rounded drops the milliseconds of t if the other time, as one of HTTP, has none.
func rounded(t, other time.Time) time.Time {
	if other.Nanosecond() == 0 {
		return t.Truncate(time.Second)
	}
	return t
}

// in returns where a part is in a file of some size. No range is all of it.
func (r *Range) in(size int64) (offset, length int64, err error) {
	switch {
	case r == nil:
		return 0, size, nil
	case r.Offset < 0 || r.Length < 0 || r.Suffix < 0 || r.Suffix > 0 && (r.Offset > 0 || r.Length > 0):
		return 0, 0, fault.New(fault.Invalid, "this is no range: %+v", *r)
	case r.Suffix > 0:
		length = min(r.Suffix, size)
		return size - length, length, nil
	case r.Offset >= size:
		return 0, 0, fault.New(fault.Invalid, "the range begins at %d, the file has %d bytes", r.Offset, size).WithSubject("range")
	case r.Length == 0:
		return r.Offset, size - r.Offset, nil
	}
	return r.Offset, min(r.Length, size-r.Offset), nil
}
