package function

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// Answerer is a handler of the edge's kind: static files, or another app.
type Answerer interface {
	ServeHTTP(w http.ResponseWriter, r *http.Request) error
}

// Ask sends a request of a program to a handler of this process, with no
// connection between them: it is how env.ASSETS.fetch reaches the files of a
// release, and one app another. What the handler refuses with a status is an answer without a body; any
// other error is returned. The answer's body must be closed, which ends the
// handler.
func Ask(ctx context.Context, to Answerer, q script.Request) (*script.Response, error) {
	scheme, _, _ := strings.Cut(q.URL, ":")
	v := Visitor{IP: q.Info.IP, Scheme: scheme, RequestID: q.Info.RequestID, Person: q.Info.Person}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, visitorKey{}, v))
	r, err := http.NewRequestWithContext(ctx, q.Method, q.URL, q.Body)
	if err != nil {
		cancel()
		return nil, fault.New(fault.Invalid, "%q cannot be asked for", q.URL)
	}
	for _, f := range q.Header {
		if value, ok := narrow(f[1]); ok && !strings.EqualFold(f[0], "host") {
			r.Header.Add(f[0], value)
		}
	}
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength == 0 {
		r.ContentLength = -1 // a handler takes 0 for no body; only a client's request means by it that nobody knows
	}
	r.RequestURI = r.URL.RequestURI()
	from, into := io.Pipe()
	w := &written{header: http.Header{}, into: into, began: make(chan struct{})}
	go w.run(to, r)
	select {
	case <-w.began:
	case <-ctx.Done():
		cancel()
		_ = from.Close()
		return nil, ctx.Err()
	}
	if w.err != nil {
		cancel()
		return nil, w.err
	}
	return &script.Response{Status: w.status, Header: w.fields, Body: &asked{from, cancel}}, nil
}

// visitorKey carries the Visitor of a request that no connection brought: whoever
// caused it is the visitor of the program that asks.
type visitorKey struct{}

// asked is the body of an answer whose end ends the handler.
type asked struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (a *asked) Close() error {
	a.cancel()
	return a.PipeReader.Close()
}

// written is the ResponseWriter of a handler that is asked. All fields but into
// are written before began is closed, and read after it.
type written struct {
	header http.Header
	into   *io.PipeWriter
	begun  bool
	began  chan struct{}
	status int
	fields [][2]string
	err    error
}

// run calls the handler, and ends the answer whatever it does.
func (w *written) run(to Answerer, r *http.Request) {
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "panic: %v", p)
		}
		w.end(err)
	}()
	err = to.ServeHTTP(w, r)
}

func (w *written) end(err error) {
	var known interface{ Status() int }
	switch {
	case w.begun:
		_ = w.into.CloseWithError(err) // nil is the end
		return
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case errors.As(err, &known):
		w.header = http.Header{"Allow": w.header["Allow"]}
		w.WriteHeader(known.Status())
	case fault.KindOf(err) == fault.NotFound:
		w.header = http.Header{}
		w.WriteHeader(http.StatusNotFound)
	default:
		w.err = err
		w.begun = true
		close(w.began)
	}
	_ = w.into.Close()
}

// Header implements http.ResponseWriter.
func (w *written) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *written) WriteHeader(status int) {
	if w.begun || status < 200 {
		return
	}
	w.begun, w.status = true, status
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		for _, value := range w.header[name] {
			w.fields = append(w.fields, [2]string{strings.ToLower(name), widen(value)})
		}
	}
	close(w.began)
}

// Write implements http.ResponseWriter.
func (w *written) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.into.Write(p)
}

// Flush implements http.Flusher: whatever was written is on its way.
func (w *written) Flush() { w.WriteHeader(http.StatusOK) }
