package gate

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

//go:embed page
var sources embed.FS

// parsePages reads the pages; they are a part of the program, so none can be wrong.
func parsePages() map[string]*template.Template {
	made := map[string]*template.Template{}
	for _, name := range []string{"depart", "welcome", "onward", "account", "trouble", "plain", "code", "link", "factor", "recovery", "forbidden", "device", "answered"} {
		made[name] = template.Must(template.ParseFS(sources, "page/frame.html", "page/key.html", "page/"+name+".html"))
	}
	return made
}

// policy lets a page of the gate load its own script and style and nothing else,
// and be in no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

// page writes one of the gate's pages.
func (g *Gate) page(w http.ResponseWriter, r *http.Request, status int, name string, data map[string]any) error {
	var body bytes.Buffer
	if err := g.pages[name].ExecuteTemplate(&body, "frame.html", data); err != nil {
		return err
	}
	h := w.Header()
	secured(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body.Bytes())
	return err
}

// secured sets what every page of the platform carries. Addresses of the gate hold
// codes, so no page tells where it was linked from.
func secured(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

func script(w http.ResponseWriter) error {
	return file(w, "page/script.js", "text/javascript; charset=utf-8")
}

func style(w http.ResponseWriter) error {
	return file(w, "page/style.css", "text/css; charset=utf-8")
}

func file(w http.ResponseWriter, name, media string) error {
	body, err := sources.ReadFile(name)
	if err != nil {
		return err
	}
	h := w.Header()
	secured(h)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", media)
	_, err = w.Write(body)
	return err
}

// Onward leads a browser to an address after a form: a redirect would be judged by
// the form's policy, which knows this host alone.
func (g *Gate) Onward(w http.ResponseWriter, r *http.Request, to string) error {
	if r.Method != http.MethodPost {
		redirect(w, to)
		return nil
	}
	return g.page(w, r, http.StatusOK, "onward", map[string]any{"Title": "Signed in", "To": to})
}

// Show writes a page around a body, for pages that the gate does not know itself.
func (g *Gate) Show(w http.ResponseWriter, r *http.Request, status int, title string, body template.HTML) error {
	return g.page(w, r, status, "plain", map[string]any{"Title": title, "Body": body})
}

// explain shows a person what went wrong, with what to do next. What went wrong
// within the node, and what a program asked for, is the edge's to tell.
func (g *Gate) explain(w http.ResponseWriter, r *http.Request, err error) error {
	kind := fault.KindOf(err)
	switch {
	case kind == fault.Internal:
		return err
	case wantsPage(r):
	case strings.Contains(r.Header.Get("Accept"), "application/json"):
		h := w.Header()
		secured(h)
		h.Set("Content-Type", "application/json")
		w.WriteHeader(kind.Status())
		return json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"kind": kind, "message": fault.Message(err), "hint": fault.HintOf(err)}})
	default:
		return err
	}
	return g.page(w, r, kind.Status(), "trouble", map[string]any{"Title": "Not signed in", "Message": fault.Message(err), "Hint": fault.HintOf(err)})
}

// wantsPage tells whether a browser shows what is answered.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }
