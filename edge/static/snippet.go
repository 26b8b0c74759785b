package static

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"

	"github.com/fazt-sh/fazt/edge/rewrite"
)

// answerWithSnippet serves a page with the snippet in it, for development:
// always fresh, whole and as it is.
func (h *Handler) answerWithSnippet(w http.ResponseWriter, r *http.Request, e *entry, status int) error {
	rep := h.representation(e, identity)
	page, err := load(h.store, rep)
	if err != nil && h.spoilt(rep, err) == nil {
		page, err = load(h.store, rep)
	}
	if err != nil {
		return err
	}
	page = insertSnippet(page, h.snippet)
	head := merge(pageHead(e.name), h.rules.Fields(r.URL.Path))
	head = slices.DeleteFunc(head, func(f rewrite.Field) bool { return f.Name == "Cache-Control" })
	apply(w.Header(), append(head,
		rewrite.Field{Name: "Cache-Control", Values: []string{"no-store"}},
		rewrite.Field{Name: "Content-Length", Values: []string{strconv.Itoa(len(page))}}))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page) // a client that left needs no answer
	}
	return nil
}

// insertSnippet puts the snippet before the last </body>, at the end if there is
// none.
func insertSnippet(page, snippet []byte) []byte {
	end := []byte("</body>")
	at := len(page) - len(end)
	for at >= 0 && !bytes.EqualFold(page[at:at+len(end)], end) {
		at--
	}
	if at < 0 {
		at = len(page)
	}
	return slices.Concat(page[:at], snippet, page[at:])
}
