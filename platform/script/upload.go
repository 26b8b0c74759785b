package script

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// inlineBytes is how long a request's body may be to be read before the script
// is called, which saves it a turn.
const inlineBytes = 32 << 10

// first is the message that begins it.
func (inv *invocation) first(r *Request, e *Event) (message, error) {
	m := message{kind: kindInvoke, id: inv.id, sub: inv.app.id}
	if e != nil {
		inv.info = e.Info
		m.n, m.head, m.body = flagEvent, join(e.Kind, "", e.Info, nil), e.Data
		return m, nil
	}
	inv.info = r.Info
	m.head = join(r.Method, r.URL, r.Info, r.Header)
	if r.Body == nil {
		return m, nil
	}
	m.n = flagBody
	n, ok := r.length()
	if ok && n > inv.app.bounds.Body {
		return m, limitError(limitBody, inv.app.bounds)
	}
	if ok && n <= inlineBytes {
		whole, err := io.ReadAll(io.LimitReader(r.Body, n))
		if err != nil {
			return m, fault.Wrap(fault.Invalid, err, "read the body of the request")
		}
		m.n, m.body = flagBody|flagEnd, whole
		r.Body = nil
	}
	return m, nil
}

// length is what the request says of its body.
func (r *Request) length() (n int64, ok bool) {
	for _, h := range r.Header {
		if strings.EqualFold(h[0], "content-length") {
			return parseLength(h[1])
		}
	}
	return 0, false
}

func parseLength(s string) (n int64, ok bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, s != ""
}

// join writes strings as core.js splits them: JSON would cost more than the
// handler of a short request.
func join(method, url string, i Info, header [][2]string) []byte {
	b := make([]byte, 0, 512)
	for _, s := range []string{method, url, i.IP, i.RequestID, i.App, i.Release, i.auth()} {
		b = appendField(b, s)
	}
	for _, h := range header {
		b = appendField(appendField(b, h[0]), h[1])
	}
	return b[:len(b)-1]
}

func appendField(b []byte, s string) []byte {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return append(append(b, s...), 0)
}

// upload sends a request's body as the script asks for it.
func (inv *invocation) upload(body io.Reader) {
	if body == nil {
		return
	}
	inv.mu.Lock()
	inv.request = newOutflow(inv.chunk(0))
	flow := inv.request
	inv.mu.Unlock()
	limited := &limitedReader{r: body, left: inv.app.bounds.Body, err: limitError(limitBody, inv.app.bounds)}
	go inv.pump(inv.ctx, 0, limited, flow)
}

// limitedReader is a reader that fails after so many bytes.
type limitedReader struct {
	r    io.Reader
	left int64
	err  error
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, l.err
	}
	return n, err
}

// chunk sends a part of a body to the script.
func (inv *invocation) chunk(sub uint64) func(b []byte, end bool) {
	return func(b []byte, end bool) {
		n := uint64(0)
		if end {
			n = flagEnd
		}
		inv.life.link.send(message{kind: kindBody, id: inv.id, sub: sub, n: n, body: b})
	}
}

// pump moves a body to the script until it or ctx ends.
func (inv *invocation) pump(ctx context.Context, sub uint64, r io.Reader, f *outflow) {
	buf := make([]byte, chunkBytes)
	for ctx.Err() == nil {
		n, err := r.Read(buf)
		if err != nil && err != io.EOF {
			f.stop()
			inv.life.link.send(message{kind: kindBody, id: inv.id, sub: sub, n: flagEnd | flagError, head: told(err)})
			return
		}
		left, wanted := f.offer(buf[:n], err == io.EOF)
		if err == io.EOF || !wanted || left <= 0 && !room(ctx, f) {
			return
		}
	}
}

// room waits until the script wants more.
func room(ctx context.Context, f *outflow) bool {
	select {
	case <-f.room:
		return true
	case <-ctx.Done():
		return false
	}
}

// told is an error as the script gets it: code, message and what to do. What went
// wrong in the node is not for it.
func told(err error) []byte {
	k := string(fault.KindOf(err))
	var f *fault.Error
	if errors.As(err, &f) && strings.HasPrefix(f.Subject, "limit_") {
		return []byte(f.Subject + "\x00" + err.Error())
	}
	if k == string(fault.Internal) {
		return []byte(k + "\x00internal error")
	}
	if fault.CodeOf(err) == fault.CodeDiskFull {
		k = fault.CodeDiskFull
	}
	plain := func(text string) string { return strings.ReplaceAll(text, "\x00", "") }
	return []byte(k + "\x00" + plain(err.Error()) + "\x00" + plain(fault.HintOf(err)))
}
