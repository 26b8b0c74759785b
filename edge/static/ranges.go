package static

import (
	"crypto/rand"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/edge/rewrite"
)

// maxRanges is how many ranges one request may ask for; more is an attack or a
// mistake, and answering it would send the same bytes many times.
const maxRanges = 8

// span is part of a body, in bytes.
type span struct{ start, length int64 }

func (s span) end() int64 { return s.start + s.length }

// spans are the parts a request asks for, in its order, none touching another.
type spans struct {
	list [maxRanges]span
	n    int
}

// verdict is what a Range header comes to.
type verdict int

const (
	whole         verdict = iota // not a range we know: ignore it
	partial                      // some parts
	unsatisfiable                // 416
)

// parseRange reads a Range header for a body of size bytes.
func parseRange(header string, size int64) (spans, verdict) {
	const unit = "bytes="
	var s spans
	if len(header) < len(unit) || !strings.EqualFold(header[:len(unit)], unit) || size == 0 {
		return s, whole
	}
	asked := 0
	for rest := header[len(unit):]; rest != ""; {
		var spec string
		spec, rest, _ = strings.Cut(rest, ",")
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue
		}
		if asked++; asked > maxRanges {
			return s, unsatisfiable
		}
		part, ok := parseSpan(spec, size)
		if !ok {
			return s, whole
		}
		if part.length > 0 {
			s.add(part)
		}
	}
	switch {
	case asked == 0:
		return s, whole
	case s.n == 0:
		return s, unsatisfiable
	default:
		return s, partial
	}
}

// parseSpan reads "5-9", "5-" or "-5". A span outside the body is empty.
func parseSpan(spec string, size int64) (span, bool) {
	first, last, found := strings.Cut(spec, "-")
	if !found || first == "" && last == "" {
		return span{}, false
	}
	from, ok1 := parseOffset(first)
	to, ok2 := parseOffset(last)
	switch {
	case !ok1 || !ok2:
		return span{}, false
	case first == "":
		n := min(to, size)
		return span{size - n, n}, true
	case last == "":
		to = math.MaxInt64 - 1
	case to < from:
		return span{}, false
	}
	if from >= size {
		return span{}, true
	}
	return span{from, min(to+1, size) - from}, true
}

// parseOffset reads digits; an offset too large to count is beyond every body.
func parseOffset(s string) (int64, bool) {
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = n*10 + int64(s[i]-'0'); n > math.MaxInt64/100 {
			n = math.MaxInt64 / 100
		}
	}
	return n, true
}

// add joins a part with those it touches; the result stands where the first of
// them was asked for.
func (s *spans) add(part span) {
	at := s.n
	for i := 0; i < s.n; {
		other := s.list[i]
		if other.start > part.end() || part.start > other.end() {
			i++
			continue
		}
		end := max(part.end(), other.end())
		part.start = min(part.start, other.start)
		part.length = end - part.start
		copy(s.list[i:], s.list[i+1:s.n])
		s.n--
		at = min(at, i)
		i = 0 // the larger part may touch those that it did not before
	}
	at = min(at, s.n)
	copy(s.list[at+1:], s.list[at:s.n])
	s.list[at] = part
	s.n++
}

func contentRange(s span, size int64) string {
	return "bytes " + strconv.FormatInt(s.start, 10) + "-" + strconv.FormatInt(s.end()-1, 10) + "/" + strconv.FormatInt(size, 10)
}

// sendPart answers one range.
func (h *Handler) sendPart(w http.ResponseWriter, rep *representation, head []rewrite.Field, s span) error {
	body, file, err := h.open(rep)
	if err != nil {
		return err
	}
	if file != nil {
		defer file.Close()
	}
	hd := w.Header()
	apply(hd, head)
	hd["Content-Range"] = []string{contentRange(s, rep.size)}
	hd["Content-Length"] = []string{strconv.FormatInt(s.length, 10)}
	w.WriteHeader(http.StatusPartialContent)
	return copyPart(w, rep, body, file, s)
}

// sendParts answers several ranges as multipart/byteranges.
func (h *Handler) sendParts(w http.ResponseWriter, rep *representation, head []rewrite.Field, list []span) error {
	body, file, err := h.open(rep)
	if err != nil {
		return err
	}
	if file != nil {
		defer file.Close()
	}
	hd := w.Header()
	apply(hd, head)
	boundary := rand.Text()
	heads := partHeads(boundary, hd.Get("Content-Type"), rep.size, list)
	closing := "\r\n--" + boundary + "--\r\n"
	length := int64(len(closing))
	for i, s := range list {
		length += int64(len(heads[i])) + s.length
	}
	hd["Content-Type"] = []string{"multipart/byteranges; boundary=" + boundary}
	hd["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	w.WriteHeader(http.StatusPartialContent)
	for i, s := range list {
		if _, err := io.WriteString(w, heads[i]); err != nil {
			return nil // the client left
		}
		if err := copyPart(w, rep, body, file, s); err != nil {
			return err
		}
	}
	_, _ = io.WriteString(w, closing)
	return nil
}

// partHeads are what goes before each part.
func partHeads(boundary, contentType string, size int64, list []span) []string {
	heads := make([]string, len(list))
	for i, s := range list {
		var b strings.Builder
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("--" + boundary + "\r\n")
		if contentType != "" {
			b.WriteString("Content-Type: " + contentType + "\r\n")
		}
		b.WriteString("Content-Range: " + contentRange(s, size) + "\r\n\r\n")
		heads[i] = b.String()
	}
	return heads
}
