package static

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/platform/fault"
)

// answer serves an entry with a status of 200 or 404, in another form where the
// chosen one turns out to be damaged.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, e *entry, status int) error {
	if h.snippet != nil && isPage(e.name) {
		return h.answerWithSnippet(w, r, e, status)
	}
	for {
		f, ok := e.choose(r.Header["Accept-Encoding"])
		if !ok && status == http.StatusOK {
			w.Header()["Vary"] = []string{"Accept-Encoding"}
			return &refusal{http.StatusNotAcceptable, "no encoding that the client accepts"}
		}
		rep := h.representation(e, f)
		if rep == nil {
			continue
		}
		if err := h.answerIn(w, r, rep, status); err != errFormLost {
			return err
		}
	}
}

// answerIn serves one form. Only a 200 has validators, preconditions and ranges.
// It returns errFormLost, with nothing written, if the form is damaged.
func (h *Handler) answerIn(w http.ResponseWriter, r *http.Request, rep *representation, status int) error {
	if status != http.StatusOK {
		return h.send(w, r, rep, h.failureHead(rep, r.URL.Path, status), status)
	}
	head := h.headAt(rep, r.URL.Path)
	switch precondition(r.Header, rep.etag) {
	case http.StatusNotModified:
		return notModified(w, head)
	case http.StatusPreconditionFailed:
		w.Header()["Content-Length"] = []string{"0"}
		w.WriteHeader(http.StatusPreconditionFailed)
		return nil
	}
	if rng := r.Header["Range"]; len(rng) == 1 && r.Method == http.MethodGet && ifRange(r.Header, rep.etag) {
		spans, verdict := parseRange(rng[0], rep.size)
		switch {
		case verdict == unsatisfiable:
			return refuseRange(w, rep)
		case verdict == partial && spans.n == 1:
			return h.sendPart(w, rep, head, spans.list[0])
		case verdict == partial && rep.form == identity:
			return h.sendParts(w, rep, head, spans.list[:spans.n])
		}
		// Parts of an encoded body cannot be labelled as such in a multipart
		// answer, so the range is ignored, as a server may.
	}
	return h.send(w, r, rep, head, http.StatusOK)
}

// send writes a whole representation.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, rep *representation, head []rewrite.Field, status int) error {
	if r.Method == http.MethodHead {
		apply(w.Header(), head)
		w.WriteHeader(status)
		return nil
	}
	body, file, err := h.open(rep)
	if err != nil {
		return err
	}
	if file != nil {
		defer file.Close()
	}
	apply(w.Header(), head)
	w.WriteHeader(status)
	return copyPart(w, rep, body, file, span{0, rep.size})
}

// copyPart writes bytes of a representation. A file goes to the writer as a
// limited *os.File, which the connection sends without copying.
func copyPart(w http.ResponseWriter, rep *representation, body []byte, file *os.File, s span) error {
	if file == nil {
		_, _ = w.Write(body[s.start : s.start+s.length]) // a client that left needs no answer
		return nil
	}
	if s.length < rep.size { // a part, perhaps after one that lies behind it
		if _, err := file.Seek(s.start, io.SeekStart); err != nil {
			return fault.Wrap(fault.Unavailable, err, "read file %q", rep.name)
		}
	}
	if _, err := io.CopyN(w, file, s.length); errors.Is(err, io.EOF) {
		return damaged(rep.name, rep.blob)
	}
	return nil
}

// notModified answers with the headers that a cache keeps with the body it has.
func notModified(w http.ResponseWriter, head []rewrite.Field) error {
	h := w.Header()
	apply(h, head)
	delete(h, "Content-Type")
	delete(h, "Content-Length")
	delete(h, "Content-Encoding")
	w.WriteHeader(http.StatusNotModified)
	return nil
}

// refuseRange answers 416 with the size, so that a client can ask again.
func refuseRange(w http.ResponseWriter, rep *representation) error {
	h := w.Header()
	h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(rep.size, 10)}
	h["Cache-Control"] = []string{"no-store"}
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
	return nil
}

// apply sets headers. Without Content-Type the server would guess one, so that
// one is removed by setting nothing.
func apply(h http.Header, fields []rewrite.Field) {
	for i := range fields {
		f := &fields[i]
		if f.Values == nil && f.Name != "Content-Type" {
			delete(h, f.Name)
		} else {
			h[f.Name] = f.Values
		}
	}
}
