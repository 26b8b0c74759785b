package static

import (
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/platform/blob"
)

// representation is an entry in one form with everything an answer needs, made
// at the first request for it, so that the next ones allocate nothing.
type representation struct {
	entry *entry
	name  string
	path  string // the entry's address
	blob  blob.Digest
	form  form
	many  bool // the entry has other forms
	size  int64
	etag  string
	head  []rewrite.Field // of a 200 at the entry's address; shared by all answers
	rule  bool            // head holds what rules say
	held  atomic.Pointer[slot]
}

// How long an answer may be kept: a hashed name for ever, all others until the
// next request asks whether it still holds.
const (
	forever    = "public, max-age=31536000, immutable"
	revalidate = "public, max-age=0, must-revalidate"
)

// representation returns an entry in one form, nil where that has been dropped
// meanwhile. Two first requests may both make it; they are equal.
func (h *Handler) representation(e *entry, f form) *representation {
	if rep := e.reps[f].Load(); rep != nil {
		return rep
	}
	size := e.sizes[f].Load()
	if size < 0 {
		return nil
	}
	rep := &representation{entry: e, name: e.name, path: h.address(e), blob: e.blob, form: f, size: size, many: e.many}
	rep.etag = etag(e.blob, f)
	rules := h.rules.Fields(rep.path)
	rep.head, rep.rule = h.head(rep, rules), rules != nil
	if !e.reps[f].CompareAndSwap(nil, rep) {
		return e.reps[f].Load()
	}
	return rep
}

// etag is strong and of the form: half of the digest is plenty to tell contents
// apart.
func etag(d blob.Digest, f form) string {
	if f == identity {
		return `"` + string(d[:32]) + `"`
	}
	return `"` + string(d[:32]) + "-" + string(f.encoding()) + `"`
}

// head lists the headers of a 200: ours, then what the rules say.
func (h *Handler) head(rep *representation, rules []rewrite.Field) []rewrite.Field {
	cache := revalidate
	if hashedName(rep.name) {
		cache = forever
	}
	fields := append(pageHead(rep.name),
		rewrite.Field{Name: "Content-Length", Values: []string{strconv.FormatInt(rep.size, 10)}},
		rewrite.Field{Name: "Etag", Values: []string{rep.etag}},
		rewrite.Field{Name: "Cache-Control", Values: []string{cache}})
	if rep.form != identity {
		fields = append(fields, rewrite.Field{Name: "Content-Encoding", Values: []string{string(rep.form.encoding())}})
	}
	if rep.many {
		fields = append(fields, rewrite.Field{Name: "Vary", Values: []string{"Accept-Encoding"}})
	} else if rep.size >= worthRanges {
		fields = append(fields, rewrite.Field{Name: "Accept-Ranges", Values: []string{"bytes"}})
	}
	return merge(fields, rules)
}

// worthRanges is the size from which ranges are advertised. They are served for
// any size; but net/http copies and sorts every header of every answer, so one
// that nobody acts on is not sent.
const worthRanges = 64 << 10

// headAt lists the headers of a 200 at any path: another than the entry's own,
// as that of a single-page app, may have other rules.
func (h *Handler) headAt(rep *representation, path string) []rewrite.Field {
	if path == rep.path {
		return rep.head
	}
	rules := h.rules.Fields(path)
	if rules == nil && !rep.rule {
		return rep.head
	}
	return h.head(rep, rules)
}

// pageHead lists the headers that depend on the kind of file only.
func pageHead(name string) []rewrite.Field {
	fields := make([]rewrite.Field, 0, 9)
	fields = append(fields,
		rewrite.Field{Name: "Content-Type", Values: []string{contentType(name)}},
		rewrite.Field{Name: "X-Content-Type-Options", Values: []string{"nosniff"}})
	if isPage(name) {
		fields = append(fields,
			rewrite.Field{Name: "Referrer-Policy", Values: []string{"strict-origin-when-cross-origin"}},
			rewrite.Field{Name: "Content-Security-Policy", Values: []string{"base-uri 'self'; frame-ancestors 'self'"}})
	}
	return fields
}

// failureHead lists the headers of an answer that is not a 200: no validators,
// and nothing a rule says about how long to keep the file that is not there.
func (h *Handler) failureHead(rep *representation, path string, status int) []rewrite.Field {
	head := slices.DeleteFunc(h.head(rep, withoutContent(h.rules.Fields(path))), func(f rewrite.Field) bool {
		return f.Name == "Etag" || f.Name == "Accept-Ranges" || f.Name == "Cache-Control"
	})
	keep := revalidate
	if status >= http.StatusInternalServerError {
		keep = "no-store"
	}
	return append(head, rewrite.Field{Name: "Cache-Control", Values: []string{keep}})
}

// withoutContent drops the fields that describe a file and how long to keep it.
func withoutContent(fields []rewrite.Field) []rewrite.Field {
	return slices.DeleteFunc(fields, func(f rewrite.Field) bool {
		return f.Name == "Cache-Control" || f.Name == "Content-Type"
	})
}

// merge puts the rules' fields over ours. What an answer varies by is added to,
// not replaced, or a cache would hand out the wrong encoding.
func merge(fields, rules []rewrite.Field) []rewrite.Field {
	for _, f := range rules {
		i := slices.IndexFunc(fields, func(g rewrite.Field) bool { return g.Name == f.Name })
		switch {
		case i < 0:
			fields = append(fields, f)
		case f.Name == "Vary":
			fields[i].Values = slices.Concat(fields[i].Values, f.Values)
		default:
			fields[i] = f
		}
	}
	return slices.Clip(fields)
}
