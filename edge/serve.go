package edge

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// ServeHTTP answers one request from one snapshot. It implements http.Handler,
// so that tests and in-memory requests need no listener.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.exchanges.Get().(*exchange)
	x.ResponseWriter = w
	x.snap = s.acquire()
	x.revision = x.snap.header
	x.start, x.last = time.Now(), s.ending.Load()
	x.streamed = r.ProtoMajor > 1
	if r.TLS != nil {
		x.secured(s)
	}
	defer s.conclude(x, r)
	x.err = s.answer(x, r)
}

// answer finds the one handler of a request. Nothing here allocates for a
// plain request of a known host.
func (s *Server) answer(x *exchange, r *http.Request) error {
	if r.ProtoMajor == 1 && (len(r.TransferEncoding) > 0 || r.ProtoMinor == 0) {
		// Where a proxy in front reads framing differently, the next request
		// on this connection may be somebody else's bytes. Of HTTP/1.0 net/http
		// drops Transfer-Encoding unseen, and would take the body for a request.
		x.Header().Set("Connection", "close")
	}
	if !x.snap.published && len(s.troubles.Load().list) == 0 {
		return errUnpublished
	}
	if err := s.admit(x, r); err != nil {
		return err
	}
	if err := precheck(x, r); err != nil {
		if err == errManyCookies && cleared(x, r) {
			return nil
		}
		return err
	}
	if done, err := s.reserved(x, r); done {
		return err
	}
	x.site = s.find(x.snap, r.Host)
	if x.site == nil || r.TLS != nil && r.TLS.ServerName != "" && x.snap.table.find(r.TLS.ServerName) != x.site {
		x.site = nil
		return errHost
	}
	x.revision = x.site.revision
	path, same, err := canonicalPath(r.URL)
	if err != nil {
		return err
	}
	if !same {
		x.Header().Set("Location", selfRedirect(path, r.URL.RawQuery))
		x.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
	r.URL.Path, r.URL.RawPath = path, ""
	if done, err := s.scheme(x, r); done {
		return err
	}
	if err := enter(x, r); err != nil {
		return err
	}
	if done, err := s.pass(x, r); done {
		return err
	}
	return x.site.route(path).ServeHTTP(x, r)
}

// conclude ends a request whatever happened: it renders the error, records the
// line and releases the snapshot. Deferred, so it also sees a panic.
func (s *Server) conclude(x *exchange, r *http.Request) {
	cut := false
	switch p := recover(); {
	case p == http.ErrAbortHandler:
		cut = true
	case p != nil:
		x.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
	if x.body != nil {
		// Of its own body net/http knows whether anybody waits for "100
		// Continue"; of a wrapped one it would await the rest before answering.
		r.Body = x.body.Release()
	}
	if !cut {
		cut = s.settle(x, r)
	}
	s.account(x, r, cut)
	if s.access != nil {
		s.access.record(x, r)
	}
	x.snap.release()
	x.reset()
	s.exchanges.Put(x)
	if cut {
		panic(http.ErrAbortHandler) // the only way to make net/http close the connection
	}
}

// account counts a finished request, and gives back what it held of its app's
// limits.
func (s *Server) account(x *exchange, r *http.Request, cut bool) {
	if x.entered {
		x.site.limits.Leave()
		x.site.limits.Spend(x.bytes)
	}
	if cut {
		s.counts.answered(0, x.bytes)
	} else {
		s.counts.answered(x.status, x.bytes)
	}
	if x.err != nil {
		s.counts.refuse(x.err)
	}
	if x.code {
		x.site.tally.note(x, r)
	}
	if x.streamed && r.Context().Err() != nil {
		s.reset(r, time.Now())
	}
}

// settle makes sure that there is an answer. It reports whether one that has
// begun must be cut, since half a page must not look like a whole one.
func (s *Server) settle(x *exchange, r *http.Request) (cut bool) {
	if x.err == nil && x.overdue {
		x.err = errWall
	}
	switch {
	case x.err == nil:
		x.begin()
		return false
	case x.status == 0:
		x.hearOut(r)
		s.render(x, r, x.err)
		return false
	default:
		level := s.log.Error
		if r.Context().Err() != nil || x.overdue {
			level = s.log.Debug // the visitor went away, or is counted
		}
		level("answer cut short", "component", "edge", "host", r.Host, "path", r.URL.Path, "error", x.err)
		return true
	}
}
