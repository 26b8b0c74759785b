package edge

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/spec/access"
)

// exchange is one request being answered: the ResponseWriter a handler gets,
// and what the edge remembers to render, record and release it. It is pooled.
type exchange struct {
	http.ResponseWriter
	snap     *snapshot
	site     *site    // nil until the host is known
	revision []string // the value of Fazt-Revision
	status   int      // 0 until the header is written
	bytes    int64    // of the body
	start    time.Time
	client   netip.Addr        // who asked
	until    time.Time         // when the answer must be complete, zero where there is no such time
	overdue  bool              // it was not
	entered  bool              // into its app's limits
	code     bool              // its app's code was asked
	last     bool              // the connection ends with this answer
	streamed bool              // on a stream of HTTP/2 or HTTP/3
	paced    time.Time         // until when the stream's deadline is recent enough
	strict   []string          // Strict-Transport-Security, nil where there is none
	other    []string          // Alt-Svc, nil where there is none
	ref      string            // of an internal error, for visitor and log
	rules    []rewrite.Field   // the app's own header rules, over what its code says
	body     *limit.Body       // of the request, where it has one
	session  *identity.Session // of who is signed in, once that was asked
	view     *access.View      // what they may do
	asked    bool              // it was
	guarded  bool              // not everybody may see the answer
	err      error
	scratch  []byte // for the access log's line
}

// WriteHeader sends the header once; Fazt-Revision is set here, at the last
// moment, so that nothing an app does can change it.
func (x *exchange) WriteHeader(status int) {
	if x.status != 0 {
		return
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		x.status = status
		x.platformHeaders()
	}
	x.ResponseWriter.WriteHeader(status)
}

// platformHeaders are the node's own. An app may say more of
// Strict-Transport-Security, and nothing of the others.
func (x *exchange) platformHeaders() {
	h := x.Header()
	for _, f := range x.rules {
		if f.Values == nil {
			delete(h, f.Name)
		} else {
			h[f.Name] = f.Values
		}
	}
	h["Fazt-Revision"] = x.revision
	if x.guarded && !strings.Contains(h.Get("Cache-Control"), "no-store") {
		h["Cache-Control"] = x.snap.private // whatever the app says: a cache in between would show it to anybody
	}
	if x.last {
		h.Set("Connection", "close") // HTTP/2 makes a GOAWAY of it
	}
	if x.other != nil {
		h["Alt-Svc"] = x.other
	}
	if x.strict != nil && h["Strict-Transport-Security"] == nil {
		h["Strict-Transport-Security"] = x.strict
	}
}

// secured notes what an answer behind TLS carries. A browser is bound to TLS only
// where the certificate is one it trusts without being told to.
func (x *exchange) secured(s *Server) {
	if other := s.alternative.Load(); other != nil {
		x.other = *other
	}
	if x.snap.secure && x.snap.tls.Mode != string(cert.Internal) {
		x.strict = s.strict
	}
}

func (x *exchange) begin() {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	x.begin()
	if x.late() {
		return 0, errWall
	}
	var n int
	var err error
	if x.streamed {
		n, err = x.writeParts(p)
	} else {
		n, err = x.ResponseWriter.Write(p)
	}
	x.bytes += int64(n)
	return n, err
}

// WriteString implements io.StringWriter.
func (x *exchange) WriteString(p string) (int, error) {
	if x.streamed {
		return x.Write([]byte(p))
	}
	x.begin()
	if x.late() {
		return 0, errWall
	}
	n, err := io.WriteString(x.ResponseWriter, p)
	x.bytes += int64(n)
	return n, err
}

// ReadFrom passes a body on whole, so that a file reaches the socket by
// sendfile.
func (x *exchange) ReadFrom(r io.Reader) (int64, error) {
	x.begin()
	var n int64
	var err error
	switch to, ok := x.ResponseWriter.(io.ReaderFrom); {
	case ok && x.until.IsZero():
		n, err = to.ReadFrom(r)
	case ok:
		n, err = x.sendParts(to, r)
	default:
		return io.Copy(struct{ io.Writer }{x}, r) // Write counts, and looks at the clock
	}
	x.bytes += n
	return n, err
}

// FlushError sends what is buffered; http.ResponseController calls it.
func (x *exchange) FlushError() error {
	x.begin()
	if x.streamed {
		x.pace()
	}
	err := http.NewResponseController(x.ResponseWriter).Flush()
	if x.streamed && err == nil {
		x.rest()
	}
	return err
}

// Unwrap lets http.ResponseController set deadlines.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// reset empties an exchange for the pool, keeping the line buffer.
func (x *exchange) reset() { *x = exchange{scratch: x.scratch[:0]} }
