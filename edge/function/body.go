package function

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// maxDepth is how deep JSON may nest: what people write stays below ten, and
// parsers that recurse have died of more (RFC 8259 lets a receiver choose).
const maxDepth = 64

// ahead is how much of a JSON body is judged before the program hears of the
// request. It is the default bound of a body; what comes after it is judged while
// the program reads.
const ahead = 1 << 20

// errDeep is a body that nests too deep.
var errDeep = fault.New(fault.Invalid, "the body nests JSON deeper than %d levels", maxDepth)

// body is what a client sends, as the program reads it. It remembers why it
// ended, since the program sees only that it did.
type body struct {
	from   io.Reader // nil where there is none
	depth  *depth    // nil where the body is not JSON
	cancel context.CancelCauseFunc

	mu    sync.Mutex // the program reads elsewhere
	err   error      // guarded by mu: the first that is not the end
	ended bool       // guarded by mu: all of it came
}

// receive takes the body of a request. Of JSON it reads ahead and refuses what
// nests too deep; an error of the body itself is returned as it is.
func receive(r *http.Request, cancel context.CancelCauseFunc) (*body, error) {
	b := &body{cancel: cancel}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return b, nil
	}
	b.from = r.Body
	if !isJSON(r.Header["Content-Type"]) || r.Header.Get("Content-Encoding") != "" {
		return b, nil // what is packed is unpacked by the program, within its bounds
	}
	b.depth = &depth{}
	var early bytes.Buffer
	_, err := io.CopyN(&early, reading{b}, ahead)
	switch {
	case err == nil:
		b.from = io.MultiReader(bytes.NewReader(early.Bytes()), r.Body)
		b.depth = &depth{} // it sees the first part again, which costs less than telling the two apart
	case errors.Is(err, io.EOF):
		b.from, b.depth, b.ended = bytes.NewReader(early.Bytes()), nil, true
	default:
		return nil, err
	}
	return b, nil
}

// reader is what the program reads, nil where there is no body.
func (b *body) reader() io.Reader {
	if b.from == nil {
		return nil
	}
	return reading{b}
}

// refused is why the body was not taken to its end, nil where that was the
// client's doing or did not happen.
func (b *body) refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, large := errors.AsType[*http.MaxBytesError](b.err)
	if large || errors.Is(b.err, os.ErrDeadlineExceeded) || b.err == errDeep {
		return b.err
	}
	return nil
}

// coming reports whether more of it may come.
func (b *body) coming() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.from != nil && !b.ended
}

// broken reports whether the client stopped sending.
func (b *body) broken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil
}

// reading hides everything of a body but Read.
type reading struct{ of *body }

// Read implements io.Reader. After a body that nests too deep nobody needs the
// rest of the call.
func (r reading) Read(p []byte) (int, error) {
	b := r.of
	n, err := b.from.Read(p)
	if b.depth != nil && !b.depth.admit(p[:n]) {
		n, err = 0, errDeep
		b.cancel(errDeep)
	}
	if err == nil {
		return n, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == io.EOF:
		b.ended = true
	case b.err == nil:
		b.err = err
	}
	return n, err
}

// isJSON tells whether a body says that it is JSON.
func isJSON(types []string) bool {
	for _, t := range types {
		t, _, _ = strings.Cut(t, ";")
		t = strings.ToLower(strings.TrimSpace(t))
		if t == "application/json" || t == "text/json" || strings.HasSuffix(t, "+json") {
			return true
		}
	}
	return false
}

// depth counts the brackets of JSON that are open. It is no parser: it looks at
// every byte once and keeps nothing. Up to the first byte that is not JSON, where a
// parser stops, its count is right.
type depth struct {
	open    int
	text    bool // within a string
	escaped bool // behind a backslash in it
}

// admit looks at the next part and reports whether it stays within maxDepth.
func (d *depth) admit(part []byte) bool {
	for _, c := range part {
		switch {
		case d.escaped:
			d.escaped = false
		case c == '"':
			d.text = !d.text
		case d.text:
			d.escaped = c == '\\'
		case c == '[' || c == '{':
			if d.open++; d.open > maxDepth {
				return false
			}
		case c == ']' || c == '}':
			d.open = max(d.open-1, 0)
		}
	}
	return true
}
