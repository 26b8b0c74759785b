// Package function lets an app's code answer HTTP. The edge makes a Handler for
// each release that has code, and another for the files that the app gave signed
// addresses to. A request becomes a call of the program, without what is the
// platform's own; what the program says becomes an answer, without what an app
// may not say. It refuses to know hosts, routes, people and what a binding is
// made of; what did not come about it returns as an error for the edge to render.
package function

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/script"
)

// Caller runs a program. *script.App is one.
type Caller interface {
	Fetch(ctx context.Context, r script.Request, b script.Bindings) (*script.Response, error)
}

// Visitor is who sent a request and how, as the edge has found out: proxies in
// front are its business.
type Visitor struct {
	IP        string        // without a port; empty where there is none
	Scheme    string        // "http" or "https", as the visitor's address bar has it
	RequestID string        // names the request to the code, in its log lines and to the visitor of an error
	Person    script.Person // who is signed in, nil for nobody
}

// Options are what a Handler calls and says about itself.
type Options struct {
	Program Caller
	Bind    func(context.Context, script.Info) script.Bindings   // what the code reaches, for one request; the context is the request's
	Visitor func(w http.ResponseWriter, r *http.Request) Visitor // nil believes the connection
	App     string                                               // its name, for ctx.app and the log
	Release string                                               // for ctx.release
	Log     *slog.Logger                                         // nil discards
	Dev     *Dev                                                 // nil where visitors are no developers
}

// Dev is what developers see of their code and visitors do not.
type Dev struct {
	Snippet []byte                    // goes behind pages that the code makes
	Excerpt func(stack string) string // the source where a stack begins, empty where it is not known
}

// Handler answers requests by calling one program. It is immutable and safe for
// several goroutines.
type Handler struct {
	options Options
	buffers sync.Pool // of *[chunk]byte
}

// New returns the handler of one release.
func New(o Options) *Handler {
	if o.Visitor == nil {
		o.Visitor = direct
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{options: o, buffers: sync.Pool{New: func() any { return new([chunk]byte) }}}
}

// ServeHTTP answers a request with what the program says. The context of r ends
// the call: a client that has left is not worked for. An error is a *Failure, or
// what ended the body of the request where that is the cause; after the header
// has been written the answer must be cut.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	body, err := receive(r, cancel)
	if err != nil {
		return err
	}
	v := h.visitor(w, r)
	info := script.Info{IP: v.IP, RequestID: v.RequestID, App: h.options.App, Release: h.options.Release, Person: v.Person}
	bindings := h.options.Bind(ctx, info)
	answer, err := h.options.Program.Fetch(ctx, script.Request{Method: r.Method, URL: address(r, v.Scheme),
		Header: requestHeader(r, v), Body: body.reader(), Info: info}, bindings)
	if err == nil {
		defer answer.Body.Close()
		if body.coming() && streamed(answer) {
			talkBoth(w, r)
		}
		err = h.send(w, r, answer, func(field, why string) {
			bindings.Log(script.Line{Time: time.Now(), Level: "warn", RequestID: v.RequestID,
				Text: "header field " + strconv.Quote(field) + " of the answer is left out: " + why})
		})
	}
	if err == nil {
		return nil
	}
	if cause := body.refused(); cause != nil {
		return cause
	}
	return h.failure(r, v, bindings, err, body.broken())
}

// talkBoth lets a program answer while the request still comes. Of HTTP/1 net/http
// would read up to 256 KiB of the rest and throw them away before it sends a header,
// and the program would go on behind the gap. Whether all of the request will have
// been read is not known, so the connection ends with the answer.
func talkBoth(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && http.NewResponseController(w).EnableFullDuplex() == nil {
		w.Header().Set("Connection", "close")
	}
}

// visitor is who a request is of.
func (h *Handler) visitor(w http.ResponseWriter, r *http.Request) Visitor {
	if v, ok := r.Context().Value(visitorKey{}).(Visitor); ok {
		return v
	}
	return h.options.Visitor(w, r)
}

// direct is the visitor of a connection without proxies.
func direct(_ http.ResponseWriter, r *http.Request) Visitor {
	v := Visitor{Scheme: "http", RequestID: strings.ToLower(rand.Text()[:16])}
	if r.TLS != nil {
		v.Scheme = "https"
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		v.IP = host
	}
	return v
}
