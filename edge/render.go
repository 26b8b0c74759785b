package edge

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/platform/fault"
)

// render is the only place that turns an error into an answer. The visitor
// learns the status and one sentence that is the same for every cause; what
// lies behind goes to the log, found again by the reference of a 500.
func (s *Server) render(x *exchange, r *http.Request, err error) {
	status := statusOf(err)
	of, failed := errors.AsType[failure](err)
	switch {
	case failed:
		x.ref = of.Reference() // it is in the log already
	case status == http.StatusInternalServerError:
		x.ref = newReference()
		s.log.Error("request failed", "component", "edge", "ref", x.ref, "method", r.Method, "host", r.Host,
			"path", r.URL.Path, "error", err)
	}
	h := x.Header()
	for _, name := range []string{"Content-Encoding", "Content-Length", "Content-Range", "Etag", "Last-Modified", "Accept-Ranges"} {
		h.Del(name) // of the answer that did not come about
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		h.Set("Retry-After", strconv.FormatInt(retryAfter(err), 10))
	}
	title, sentence := wording(status)
	var body []byte
	switch h.Set("Content-Type", "text/html; charset=utf-8"); {
	case wantsJSON(r):
		h.Set("Content-Type", "application/json")
		body = errorJSON(kindOf(err, status), codeOf(of), sentence, x.ref)
	case failed && of.Detail() != "":
		h.Set("Content-Security-Policy", s.style)
		body = s.failurePage(x, status, sentence, of)
	default:
		h.Set("Content-Security-Policy", s.style)
		body = errorPage(status, title, sentence, x.ref, of)
		if err == errManyCookies {
			body = offerClearing(h, body)
		}
	}
	h.Add("Vary", "Accept")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = x.Write(body) // a visitor who left does not need it
	}
}

// failure is an error of an app's code, which has names of its own for what went
// wrong: edge/function's.
type failure interface {
	error
	Code() string      // what machines read
	Reference() string // names the request to the visitor and in the log
	Detail() string    // for developers alone, else empty
}

// codeOf is the code of a failure, where there is one.
func codeOf(of failure) string {
	if of == nil {
		return ""
	}
	return of.Code()
}

// retryUsual is after how many seconds to come again where nobody knows better.
const retryUsual = 5

// retryAfter is when a client should come again, in seconds.
func retryAfter(err error) int64 {
	if over, ok := errors.AsType[limit.Refusal](err); ok {
		return over.RetryAfter()
	}
	return retryUsual
}

// statusOf maps an error to its HTTP status.
func statusOf(err error) int {
	var own *refusal
	var tooLarge *http.MaxBytesError
	var allow interface{ Status() int }
	switch {
	case errors.As(err, &own):
		return own.status
	case errors.As(err, &allow):
		return allow.Status()
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return http.StatusServiceUnavailable
	default:
		return fault.KindOf(err).Status()
	}
}

// kindOf is the kind a machine reads, never at odds with the status.
func kindOf(err error, status int) fault.Kind {
	kind := fault.KindOf(err)
	switch {
	case kind.Status() == status:
		return kind
	case status == http.StatusNotFound:
		return fault.NotFound
	case status == http.StatusServiceUnavailable, status == http.StatusInsufficientStorage:
		return fault.Unavailable
	case status == http.StatusTooManyRequests, status == http.StatusRequestEntityTooLarge:
		return fault.Exhausted
	case status < 500:
		return fault.Invalid
	default:
		return fault.Internal
	}
}

// wording is what a visitor reads for a status: nothing of the request is
// repeated and nothing of the node is told.
func wording(status int) (title, sentence string) {
	switch status {
	case http.StatusBadRequest:
		return "Bad request", "The server could not make sense of this request."
	case http.StatusUnauthorized:
		return "Sign in", "You have to be signed in to see this."
	case http.StatusForbidden:
		return "Not allowed", "You may not see this."
	case http.StatusNotFound:
		return "Not found", "There is nothing at this address."
	case http.StatusMethodNotAllowed:
		return "Method not allowed", "This address cannot be used that way."
	case http.StatusRequestTimeout:
		return "Too slow", "The request took too long to arrive."
	case http.StatusRequestEntityTooLarge:
		return "Too large", "The request is larger than this address accepts."
	case http.StatusRequestURITooLong:
		return "Address too long", "The address is longer than this server accepts."
	case http.StatusMisdirectedRequest:
		return "Unknown host", "This server does not serve this host."
	case http.StatusRequestHeaderFieldsTooLarge:
		return "Too many headers", "The request carries more headers or cookies than this server accepts."
	case http.StatusTooManyRequests:
		return "Too many requests", "Please wait a moment and try again."
	case http.StatusServiceUnavailable:
		return "Not available", "There is nothing to show here right now. Please try again in a moment."
	case http.StatusInsufficientStorage:
		return "No room", "There is no room to keep anything at the moment. Please try again later."
	case http.StatusInternalServerError:
		return "Something went wrong", "The server could not answer this request. It has been noted."
	default:
		return http.StatusText(status), "This request could not be answered."
	}
}

// wantsJSON reports whether a client asked for JSON and not for a page.
func wantsJSON(r *http.Request) bool {
	asked := false
	for _, accept := range r.Header["Accept"] {
		if strings.Contains(accept, "text/html") {
			return false
		}
		asked = asked || strings.Contains(accept, "application/json") || strings.Contains(accept, "+json")
	}
	return asked
}

func errorJSON(kind fault.Kind, code, sentence, ref string) []byte {
	type body struct {
		Kind    fault.Kind `json:"kind"`
		Code    string     `json:"code,omitempty"`
		Message string     `json:"message"`
		Ref     string     `json:"ref,omitempty"`
	}
	text, err := json.Marshal(map[string]body{"error": {kind, code, sentence, ref}})
	if err != nil {
		return []byte(`{"error":{"kind":"internal"}}`)
	}
	return append(text, '\n')
}

func errorPage(status int, title, sentence, ref string, of failure) []byte {
	var b strings.Builder
	pageHead(&b, title)
	b.WriteString("<main class=\"error\"><p class=\"code\">" + strconv.Itoa(status) + "</p>\n<h1>")
	b.WriteString(html.EscapeString(title) + "</h1>\n<p>" + html.EscapeString(sentence) + "</p>\n")
	if ref != "" {
		b.WriteString("<p class=\"dim\">Reference " + html.EscapeString(ref) + "</p>\n")
	}
	if of != nil {
		b.WriteString("<p class=\"dim\"><code>" + html.EscapeString(of.Code()) + "</code></p>\n")
	}
	b.WriteString("</main>\n</html>\n")
	return []byte(b.String())
}

func pageHead(b *strings.Builder, title string) {
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta name=\"color-scheme\" content=\"light dark\">\n<title>")
	b.WriteString(html.EscapeString(title) + "</title>\n<style>" + pageStyle + "</style>\n")
}

// pageStyle is the one style sheet of the edge's own pages.
const pageStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:12vh auto 4rem;padding:0 1.25rem}` +
	`h1{font-size:1.5rem;line-height:1.2;margin:.2em 0 .6em}.code{font-size:.9rem;letter-spacing:.08em;opacity:.6;margin:0}` +
	`.dim{opacity:.65;font-size:.9rem}a{color:inherit;text-underline-offset:.2em}` +
	`table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:500;font-size:.85rem;opacity:.65}` +
	`td,th{padding:.5rem 1rem .5rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 15%,transparent);vertical-align:top}` +
	`td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}code{font-size:.9em}` +
	`td a,code{overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85em}` +
	`.source{white-space:pre;overflow-x:auto;padding:1rem;border-radius:.4rem;background:color-mix(in srgb,currentColor 7%,transparent)}` +
	`.error h1{overflow-wrap:anywhere}` +
	// A small screen has the address of an app below its name, for itself.
	`@media(max-width:36rem){body{margin-top:3rem}th,td.wide{display:none}tr{display:grid;grid-template-columns:1fr auto}` +
	`tr:first-child{display:none}td{border:0;padding:.5rem 0 0}td:nth-child(2){grid-area:2/1/2/3;padding:0 0 .5rem;` +
	`border-bottom:1px solid color-mix(in srgb,currentColor 15%,transparent)}}`

// newReference names one failure to the visitor and in the log.
func newReference() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
