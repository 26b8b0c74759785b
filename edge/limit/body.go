package limit

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// Bounds are what the body of a request is under. Zero is no limit, in every
// field.
type Bounds struct {
	Size int64         // bytes at most
	Time time.Duration // to wait for the client, altogether
	Rate int64         // bytes per second that a longer body must keep up; zero ends it at Time
}

// deadlineParts saves a timer for most reads: a deadline is set this part of
// Bounds.Time too late, and moved when it would be too early. At 30 seconds that
// is one.
const deadlineParts = 32

// Body is the body of one request under bounds. A client has Bounds.Time of
// credit. Every byte buys what it takes at Bounds.Rate, but credit never exceeds
// Bounds.Time again, so an upload of any length gets through at the rate and
// none can buy idleness with haste. Only waiting for the client costs: while a
// handler does not read, nothing does (but over HTTP/2, where a deadline ends
// the stream without a read). The end of the credit is os.ErrDeadlineExceeded,
// the end of the size an *http.MaxBytesError.
type Body struct {
	given  io.ReadCloser // as net/http gave it
	inner  io.ReadCloser // the same, limited in size
	bounds Bounds

	mu      sync.Mutex // a transport may close what it still reads
	control deadliner  // guarded by mu; nil if there is no deadline, or no more
	due     time.Time  // guarded by mu; the end of the credit
	set     time.Time  // guarded by mu; the deadline of the connection, never before due
	idle    time.Time  // guarded by mu; since when nobody reads
}

// deadliner is what a body needs of http.ResponseController.
type deadliner interface {
	SetReadDeadline(time.Time) error
}

// NewBody puts a body under bounds from now on. w is the ResponseWriter of
// net/http itself and not one around it: it is told to close the connection
// after a body that was too large, and has the connection's deadline. The
// connection reads what a handler leaves under the same deadline. Release must
// be called when the handler has returned.
func NewBody(w http.ResponseWriter, body io.ReadCloser, bounds Bounds) *Body {
	b := &Body{given: body, inner: body, bounds: bounds}
	if bounds.Size > 0 {
		b.inner = http.MaxBytesReader(w, body, bounds.Size)
	}
	if bounds.Time > 0 {
		b.idle = time.Now()
		b.due = b.idle.Add(bounds.Time)
		b.control = http.NewResponseController(w)
		b.move()
	}
	return b
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	b.resume()
	n, err := b.inner.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.control == nil:
	case err == io.EOF:
		b.lift()
	default:
		b.idle = time.Now()
		b.credit(n)
	}
	return n, err
}

// Close implements io.Closer. What is left of the body is not wanted any more,
// and nobody reads it.
func (b *Body) Close() error {
	b.resume()
	err := b.inner.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lift()
	return err
}

// Release returns the body that net/http gave, for the request to have again:
// of its own body net/http knows whether anybody waits for "100 Continue", of a
// wrapped one it would await the rest before answering. From then on b leaves
// the connection's deadlines alone, as they may be another request's.
func (b *Body) Release() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.control = nil
	return b.given
}

// resume gives back the time in which nobody read.
func (b *Body) resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.control == nil {
		return
	}
	b.due = b.due.Add(time.Since(b.idle))
	if b.due.After(b.set) {
		b.move()
	}
}

// credit pays for bytes that arrived just now.
func (b *Body) credit(n int) {
	if n <= 0 || b.bounds.Rate <= 0 {
		return
	}
	most := b.idle.Add(b.bounds.Time)
	b.due = b.due.Add(time.Duration(n) * time.Second / time.Duration(b.bounds.Rate))
	if b.due.After(most) {
		b.due = most
	}
}

// move sets the connection's deadline.
func (b *Body) move() {
	b.set = b.due.Add(b.bounds.Time / deadlineParts)
	if b.control.SetReadDeadline(b.set) != nil {
		b.control = nil // not a connection
	}
}

// lift takes the deadline away at the end of the body: the connection is read
// on in the background, and a timeout there would cancel the request.
func (b *Body) lift() {
	if b.control != nil {
		_ = b.control.SetReadDeadline(time.Time{}) // a connection that is gone says so on its own
		b.control = nil
	}
}
