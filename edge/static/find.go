package static

import "strings"

const (
	indexPage    = "index.html"
	notFoundPage = "404.html"
	htmlSuffix   = ".html"
)

// find resolves a canonical path. It returns the entry that answers there, or
// the path to send the client to: every page has one address, "/about" for
// about.html and "/about/" for about/index.html. Both are empty if there is
// nothing. The hit allocates nothing.
func (h *Handler) find(path string) (e *entry, moved string) {
	if path == "" || path[0] != '/' {
		return nil, ""
	}
	name := path[1:]
	if name == "" || name[len(name)-1] == '/' {
		return h.findFolder(path)
	}
	if e := h.lookup(name, ""); e != nil {
		if own := h.movedTo(name); own != "" {
			return nil, own
		}
		return e, ""
	}
	switch name[strings.LastIndexByte(name, '/')+1:] {
	case "404": // the error page has no address but its own name
	case "index":
		if h.lookup(name, htmlSuffix) != nil {
			return nil, "/" + strings.TrimSuffix(name, "index")
		}
	default:
		if e := h.lookup(name, htmlSuffix); e != nil {
			return e, ""
		}
	}
	if h.lookup(name, "/"+indexPage) != nil {
		return nil, path + "/"
	}
	return nil, ""
}

// findFolder resolves a path that ends in one slash.
func (h *Handler) findFolder(path string) (e *entry, moved string) {
	if e := h.lookup(path[1:], indexPage); e != nil || path == "/" {
		return e, ""
	}
	page := path[:len(path)-1]
	if strings.HasSuffix(page, "/") {
		return nil, "" // not canonical
	}
	if e, moved := h.find(page); e == nil {
		return nil, moved
	}
	return nil, page
}

// movedTo returns the address of an existing file where it is not its own name.
func (h *Handler) movedTo(name string) string {
	clean, html := strings.CutSuffix(name, htmlSuffix)
	if !html {
		return ""
	}
	cut := strings.LastIndexByte(clean, '/') + 1
	folder, base := clean[:cut], clean[cut:]
	switch {
	case base == "index":
		return "/" + folder
	case base == "404", base == "", h.lookup(clean, "") != nil:
		return "" // the error page, or a file has the shorter name
	default:
		return "/" + clean
	}
}

// address returns the one path an entry answers at.
func (h *Handler) address(e *entry) string {
	if moved := h.movedTo(e.name); moved != "" {
		return moved
	}
	return "/" + e.name
}

// lookup finds an entry by name and suffix without joining them on the heap.
func (h *Handler) lookup(name, suffix string) *entry {
	var buf [256]byte
	i, ok := h.index[string(append(append(buf[:0], name...), suffix...))]
	if !ok {
		return nil
	}
	return &h.entries[i]
}

// inPlace finds what a rewrite leads to, without sending the client there.
func (h *Handler) inPlace(path string) *entry {
	e, moved := h.find(path)
	if moved != "" {
		e, _ = h.find(moved)
	}
	return e
}

// errorPage returns the 404.html nearest to a path, up the folders. It looks no
// deeper than there is one, so a path of a thousand slashes costs no more.
func (h *Handler) errorPage(path string) *entry {
	if h.errDepth < 0 {
		return nil
	}
	folder := folders(strings.TrimPrefix(path, "/"), h.errDepth)
	for {
		if e := h.lookup(folder, notFoundPage); e != nil || folder == "" {
			return e
		}
		folder = folder[:strings.LastIndexByte(folder[:len(folder)-1], '/')+1]
	}
}

// folders returns the first n folders of a path, with the slash after them.
func folders(path string, n int) string {
	end := 0
	for range n {
		i := strings.IndexByte(path[end:], '/')
		if i < 0 {
			break
		}
		end += i + 1
	}
	return path[:end]
}
