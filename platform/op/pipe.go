package op

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// Pipe is a transport that calls a handler in this process. Everything is encoded
// as over a network, and answers arrive as they are written.
func Pipe(h http.Handler) http.RoundTripper { return pipe{h} }

// Socket is a transport over connections that dial opens: a unix socket's.
func Socket(dial func(ctx context.Context) (net.Conn, error)) http.RoundTripper {
	return &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true,
	}
}

type pipe struct{ handler http.Handler }

// RoundTrip runs the handler in a goroutine of its own, as a server would, and
// returns once the status is known. The goroutine ends when the handler does,
// whose context ends when the answer's body is closed.
func (p pipe) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI, in.RemoteAddr, in.Proto, in.ProtoMajor, in.ProtoMinor = r.URL.RequestURI(), "pipe", "HTTP/1.1", 1, 1
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	reader, writer := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: writer, head: r.Method == http.MethodHead, ready: make(chan struct{})}
	go w.serve(p.handler, in)
	// A reader is let go when its time is up, even if the handler does not notice.
	stop := context.AfterFunc(r.Context(), func() { writer.CloseWithError(r.Context().Err()) })
	select {
	case <-w.ready:
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1,
		Header: w.sent, Body: &pipeBody{PipeReader: reader, cancel: cancel, stop: stop},
	}, nil
}

// pipeBody ends the handler's context with the body.
type pipeBody struct {
	*io.PipeReader
	cancel context.CancelFunc
	stop   func() bool
}

func (b *pipeBody) Close() error {
	b.stop()
	b.cancel()
	return b.PipeReader.Close()
}

// pipeWriter is the ResponseWriter of a pipe.
type pipeWriter struct {
	header http.Header
	body   *io.PipeWriter
	head   bool // a HEAD request: no body

	once   sync.Once
	ready  chan struct{} // closed when status and sent are set
	status int
	sent   http.Header
}

func (w *pipeWriter) serve(h http.Handler, r *http.Request) {
	defer func() {
		err := io.EOF
		if p := recover(); p != nil {
			err = errors.New("the handler panicked: " + fmt.Sprint(p))
		}
		w.WriteHeader(http.StatusOK)
		_ = r.Body.Close()
		w.body.CloseWithError(err)
	}()
	h.ServeHTTP(w, r)
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if status < 200 {
		return
	}
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.head {
		return len(p), nil
	}
	return w.body.Write(p)
}

// Flush has nothing to do: every write is read before it returns.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }
