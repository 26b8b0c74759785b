package static

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/platform/fault"
)

// refusal is an error with a status that has no kind of its own; the edge
// renders it.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

// Status is the HTTP status to answer with.
func (r *refusal) Status() int { return r.status }

const methods = "GET, HEAD, OPTIONS"

// ServeHTTP answers a request whose URL.Path is canonical and decoded. It
// returns an error, with nothing written, for what the edge shall render: a path
// that has nothing (and no 404.html), a method or encoding that cannot be
// served, bytes that cannot be read. An error after the header was written is
// for the log.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	path := r.URL.Path
	if r.Method == http.MethodOptions {
		return h.allow(w, path)
	}
	e, moved := h.find(path)
	if h.rules != nil {
		if m, ok := h.rules.Redirect(path, r.URL.RawQuery, e != nil || moved != ""); ok {
			return h.Follow(w, r, m)
		}
	}
	if !readable(r) {
		return refuseMethod(w, r)
	}
	switch {
	case e != nil:
		return h.answer(w, r, e, http.StatusOK)
	case moved != "":
		return h.redirect(w, path, moveLocation(moved, r.URL.RawQuery), http.StatusMovedPermanently)
	case h.spa && wantsPage(r):
		if e := h.lookup(indexPage, ""); e != nil {
			return h.answer(w, r, e, http.StatusOK)
		}
	}
	return h.notFound(w, r)
}

// Has tells whether a rule that answers in place finds a file at a path.
func (h *Handler) Has(path string) bool { return h.inPlace(path) != nil }

// Follow answers what a redirect rule asks for, as ServeHTTP does that found it.
func (h *Handler) Follow(w http.ResponseWriter, r *http.Request, m rewrite.Match) error {
	if m.Location != "" {
		return h.redirect(w, r.URL.Path, m.Location, m.Status)
	}
	if !readable(r) {
		return refuseMethod(w, r)
	}
	if e := h.inPlace(m.Path); e != nil {
		return h.answer(w, r, e, m.Status)
	}
	return h.notFound(w, r)
}

// notFound serves the nearest 404.html.
func (h *Handler) notFound(w http.ResponseWriter, r *http.Request) error {
	if e := h.errorPage(r.URL.Path); e != nil {
		return h.answer(w, r, e, http.StatusNotFound)
	}
	return fault.New(fault.NotFound, "there is nothing at %q", r.URL.Path)
}

// redirect sends the client elsewhere. The answer is never kept without asking
// again: a page that moves back would be lost to those who have been there.
func (h *Handler) redirect(w http.ResponseWriter, path, location string, status int) error {
	head := w.Header()
	apply(head, withoutContent(h.rules.Fields(path)))
	head["Location"] = []string{location}
	head["Cache-Control"] = []string{revalidate}
	head["Content-Length"] = []string{"0"}
	w.WriteHeader(status)
	return nil
}

// moveLocation escapes one of the handler's own paths, which begin with exactly
// one slash, and keeps the query.
func moveLocation(path, query string) string {
	return (&url.URL{Path: path, RawQuery: query}).String()
}

// allow answers OPTIONS, also for what a browser asks before it crosses origins:
// the header rules apply.
func (h *Handler) allow(w http.ResponseWriter, path string) error {
	head := w.Header()
	apply(head, withoutContent(h.rules.Fields(path)))
	head["Allow"] = []string{methods}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func readable(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

func refuseMethod(w http.ResponseWriter, r *http.Request) error {
	w.Header()["Allow"] = []string{methods}
	return &refusal{http.StatusMethodNotAllowed, "method " + r.Method + " is not served by static files"}
}

// wantsPage tells whether a single-page app's page may answer: the path has no
// extension and the client takes HTML, so that a missing image or script stays
// missing.
func wantsPage(r *http.Request) bool {
	if !namesPage(r.URL.Path) {
		return false
	}
	accepts := r.Header["Accept"]
	for _, a := range accepts {
		if strings.Contains(a, "text/html") || strings.Contains(a, "*/*") || strings.Contains(a, "text/*") {
			return true
		}
	}
	return len(accepts) == 0
}

// namesPage tells whether the last segment of a path has no extension.
func namesPage(path string) bool {
	return !strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ".")
}
