package function

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Files are those that an app gave signed addresses to. Both methods judge the
// signature in the query before they look at anything, and fail with Forbidden if
// it is not for this method, binding and key, or no longer; a file that is not
// there is NotFound.
type Files interface {
	// OpenSigned returns the bytes and what is to be said of them: Content-Type,
	// Etag, Last-Modified, and what was stored with the file. The query has been
	// asked for with GET.
	OpenSigned(ctx context.Context, binding, key string, query url.Values) (io.ReadSeekCloser, http.Header, error)
	// PutSigned stores a body and returns its entity tag.
	PutSigned(ctx context.Context, binding, key string, query url.Values, header http.Header, body io.Reader) (etag string, err error)
}

// FileHandler answers at signed addresses: /_fazt/blob/BINDING/KEY?…, where the
// prefix is the edge's to route by.
type FileHandler struct {
	files  Files
	prefix string
}

// NewFiles returns the handler of an app's signed addresses, which begin with
// prefix.
func NewFiles(files Files, prefix string) *FileHandler { return &FileHandler{files, prefix} }

// refusal is an error with a status that has no kind of its own.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

// Status is the HTTP status to answer with.
func (r *refusal) Status() int { return r.status }

const fileMethods = "GET, HEAD, PUT, OPTIONS"

// ServeHTTP answers GET and HEAD with a file, in parts and under conditions as
// asked, and stores what is PUT.
func (h *FileHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	binding, key, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, h.prefix), "/")
	query, err := url.ParseQuery(r.URL.RawQuery)
	if !ok || key == "" || err != nil {
		return fault.New(fault.NotFound, "this is no signed address")
	}
	if named := query["key"]; len(named) == 1 {
		key = named[0] // one that no path can carry
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return h.get(w, r, binding, key, query)
	case http.MethodPut:
		return h.put(w, r, binding, key, query)
	case http.MethodOptions:
		w.Header().Set("Allow", fileMethods)
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		w.Header().Set("Allow", fileMethods)
		return &refusal{http.StatusMethodNotAllowed, "method " + r.Method + " is not for signed addresses"}
	}
}

// maxRanges is how many ranges one request may ask for; more is an attack or a
// mistake.
const maxRanges = 8

func (h *FileHandler) get(w http.ResponseWriter, r *http.Request, binding, key string, query url.Values) error {
	file, header, err := h.files.OpenSigned(r.Context(), binding, key, query)
	if err != nil {
		return err
	}
	w.Header().Set("Referrer-Policy", "no-referrer") // the address is the permission
	return serveFile(w, r, file, header, key)
}

// serveFile answers with a file, in parts and under conditions as asked.
func serveFile(w http.ResponseWriter, r *http.Request, file io.ReadSeekCloser, header http.Header, key string) error {
	defer file.Close()
	if strings.Count(r.Header.Get("Range"), ",") >= maxRanges {
		return &refusal{http.StatusRequestedRangeNotSatisfiable, "too many ranges"}
	}
	modified, _ := http.ParseTime(header.Get("Last-Modified"))
	head := w.Header()
	for name, values := range header {
		head[name] = values
	}
	safeguard(head, key)
	http.ServeContent(w, r, "", modified, file)
	return nil
}

// safeguard keeps a file that somebody uploaded from running as a page of the app:
// only what browsers show without running it is shown.
func safeguard(head http.Header, key string) {
	head["X-Content-Type-Options"] = []string{"nosniff"}
	if head["Referrer-Policy"] == nil {
		head["Referrer-Policy"] = []string{"strict-origin-when-cross-origin"}
	}
	kind := head.Get("Content-Type")
	if kind == "" {
		kind = "application/octet-stream"
	}
	base, _, _ := strings.Cut(kind, ";")
	base = strings.ToLower(strings.TrimSpace(base))
	if runs(base) {
		kind = "application/octet-stream"
	}
	head["Content-Type"] = []string{kind}
	if base != "application/pdf" { // whose viewer does not start in a sandbox
		head["Content-Security-Policy"] = []string{"sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"}
	}
	if !shown(base) {
		head["Content-Disposition"] = []string{attachment(head.Get("Content-Disposition"), key)}
	}
}

// runs tells whether a page can load a type as a script or a style sheet of its own.
func runs(base string) bool {
	return base == "text/css" || strings.HasSuffix(base, "javascript") || strings.HasSuffix(base, "ecmascript") || base == "application/wasm"
}

// shown tells whether a browser shows a type and runs nothing of it.
func shown(base string) bool {
	family, sub, _ := strings.Cut(base, "/")
	switch family {
	case "image":
		return !strings.Contains(sub, "svg") && !strings.HasSuffix(sub, "xml")
	case "audio", "video", "font":
		return !strings.HasSuffix(sub, "xml")
	}
	return base == "text/plain" || base == "application/pdf" || base == "application/json"
}

// attachment makes a download of what was stored as the disposition, under its name
// or the last part of the key.
func attachment(stored, key string) string {
	if _, rest, ok := strings.Cut(stored, ";"); ok {
		return "attachment;" + rest
	}
	name := key[strings.LastIndexByte(key, '/')+1:]
	return "attachment; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

func (h *FileHandler) put(w http.ResponseWriter, r *http.Request, binding, key string, query url.Values) error {
	etag, err := h.files.PutSigned(r.Context(), binding, key, query, r.Header, r.Body)
	if err != nil {
		return err
	}
	head := w.Header()
	head["Etag"] = []string{etag}
	head["Content-Length"] = []string{"0"}
	head["Cache-Control"] = []string{"no-store"}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// Public are files that everybody may fetch. A file that is not there is NotFound.
type Public interface {
	OpenPublic(ctx context.Context, binding, key string) (io.ReadSeekCloser, http.Header, error)
}

// PublicHandler answers with the files of one store, at paths of the app.
type PublicHandler struct {
	files           Public
	binding, prefix string
}

// NewPublic returns the handler of a store's files, whose paths begin with prefix.
func NewPublic(files Public, binding, prefix string) *PublicHandler {
	return &PublicHandler{files, binding, prefix}
}

// ServeHTTP answers GET and HEAD.
func (h *PublicHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return &refusal{http.StatusMethodNotAllowed, "method " + r.Method + " is not for these files"}
	}
	key := strings.TrimPrefix(r.URL.Path, h.prefix)
	if key == "" {
		return fault.New(fault.NotFound, "there is no file without a name")
	}
	file, header, err := h.files.OpenPublic(r.Context(), h.binding, key)
	if err != nil {
		return err
	}
	return serveFile(w, r, file, header, key)
}
