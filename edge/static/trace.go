package static

import "net/http"

// Trace is what a GET of a path is answered with.
type Trace struct {
	File     string // of the release, empty where none is sent
	Location string // where the client is sent, empty where a file is
	Status   int    // 404 without a file is the edge's own page
}

// Trace resolves a canonical path the way ServeHTTP does for a browser that
// asks for a page, without reading a byte.
func (h *Handler) Trace(path, query string) Trace {
	e, moved := h.find(path)
	status := http.StatusOK
	if h.rules != nil {
		if m, ok := h.rules.Redirect(path, query, e != nil || moved != ""); ok {
			if m.Location != "" {
				return Trace{Location: m.Location, Status: m.Status}
			}
			e, moved, status = h.inPlace(m.Path), "", m.Status
		}
	}
	if moved != "" {
		return Trace{Location: moveLocation(moved, query), Status: http.StatusMovedPermanently}
	}
	if e == nil && status == http.StatusOK && h.spa && namesPage(path) {
		e = h.lookup(indexPage, "")
	}
	if e == nil {
		e, status = h.errorPage(path), http.StatusNotFound
	}
	if e == nil {
		return Trace{Status: status}
	}
	return Trace{File: e.name, Status: status}
}
