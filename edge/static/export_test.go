package static

// For the tests: the rules about names, without the bytes.
var (
	HashedName  = hashedName
	ContentType = contentType
)

// FindOnly resolves paths over bare names: the file that answers, or where the
// client is sent.
func FindOnly(names []string) func(path string) (file, moved string) {
	h := &Handler{index: map[string]int32{}}
	for i, name := range names {
		h.entries = append(h.entries, entry{name: name})
		h.index[name] = int32(i)
	}
	return func(path string) (string, string) {
		e, moved := h.find(path)
		if e == nil {
			return "", moved
		}
		return e.name, moved
	}
}

// ParseSpans parses a Range header into start, length pairs; ok is false where
// the answer is 416, and there are no pairs where the header is ignored.
func ParseSpans(header string, size int64) (pairs [][2]int64, ok bool) {
	s, v := parseRange(header, size)
	if v != partial {
		return nil, v == whole
	}
	for _, p := range s.list[:s.n] {
		pairs = append(pairs, [2]int64{p.start, p.length})
	}
	return pairs, true
}
