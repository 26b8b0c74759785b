package script

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// invocation is one call of a handler, seen from the node.
type invocation struct {
	app      *App
	life     *life
	id       uint64
	bindings Bindings
	info     Info
	ctx      context.Context // of its host calls
	cancel   context.CancelFunc
	guard    *time.Timer

	answered chan struct{} // closed when one of the next three is set
	response *Response
	result   json.RawMessage
	err      error

	body    *inflow  // of the response
	request *outflow // nil without a body

	mu      sync.Mutex // guards the rest
	isOver  bool
	replied bool
	logged  int
	calls   map[uint64]*hostCall
}

// hostCall is one call that the child waits for.
type hostCall struct {
	body  *inflow  // what the script sends along, or nil
	reply *outflow // what it gets, or nil
	from  io.Closer
}

func newInvocation(a *App, l *life, b Bindings) *invocation {
	inv := &invocation{app: a, life: l, id: a.host.ids.Add(1), bindings: b, answered: make(chan struct{}), calls: map[uint64]*hostCall{}}
	inv.ctx, inv.cancel = context.WithCancel(context.Background())
	inv.body = newInflow(a.bounds.Reply, func() error { return limitError(limitReply, a.bounds) }, inv.grant, inv.abort)
	return inv
}

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
	if n, ok := r.length(); ok && n <= inlineBytes {
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
	for _, s := range []string{method, url, i.IP, i.RequestID, i.App, i.Release} {
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

// begin sends the first message. It reports whether there is a child to get it.
func (inv *invocation) begin(m message, env []Env) bool {
	number, encoded := inv.app.encodeEnv(env)
	l := inv.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	o := l.open(inv.app)
	if number != 0 && o.env != number {
		o.env = number
		l.link.send(message{kind: kindEnv, id: inv.app.id, sub: number, head: encoded})
	}
	m.n |= number << flagShift
	l.invocations[inv.id] = inv
	inv.guard = time.AfterFunc(2*(inv.app.bounds.Wall+stuckGrace), inv.overdue)
	l.link.send(m)
	return true
}

// overdue ends a child that does not end an invocation.
func (inv *invocation) overdue() {
	inv.app.strike(limitWall)
	inv.life.kill()
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
	go inv.pump(0, limited, flow)
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

// pump moves a body to the script until it ends or the invocation does.
func (inv *invocation) pump(sub uint64, r io.Reader, f *outflow) {
	buf := make([]byte, chunkBytes)
	for inv.ctx.Err() == nil {
		n, err := r.Read(buf)
		if err != nil && err != io.EOF {
			f.stop()
			inv.life.link.send(message{kind: kindBody, id: inv.id, sub: sub, n: flagEnd | flagError, head: told(err)})
			return
		}
		left, wanted := f.offer(buf[:n], err == io.EOF)
		if err == io.EOF || !wanted || left <= 0 && !inv.room(f) {
			return
		}
	}
}

// room waits until the script wants more.
func (inv *invocation) room(f *outflow) bool {
	select {
	case <-f.room:
		return true
	case <-inv.ctx.Done():
		return false
	}
}

// told is an error as the script gets it: code and message. What went wrong in
// the node is not for it.
func told(err error) []byte {
	k := fault.KindOf(err)
	var f *fault.Error
	if errors.As(err, &f) && strings.HasPrefix(f.Subject, "limit_") {
		return []byte(f.Subject + "\x00" + err.Error())
	}
	if k == fault.Internal {
		return []byte(string(k) + "\x00internal error")
	}
	return []byte(string(k) + "\x00" + strings.ReplaceAll(err.Error(), "\x00", ""))
}

// wait returns when there is an answer.
func (inv *invocation) wait(ctx context.Context) error {
	select {
	case <-inv.answered:
	case <-ctx.Done():
		inv.abort()
		return ctx.Err()
	}
	if inv.err == nil && inv.response != nil {
		inv.response.Body.(*responseBody).watch(ctx)
	}
	return inv.err
}

// abort tells the script that nobody waits for it.
func (inv *invocation) abort() {
	inv.life.link.send(message{kind: kindCancel, id: inv.id})
}

func (inv *invocation) grant(n int) {
	inv.life.link.send(message{kind: kindCredit, id: inv.id, n: uint64(n)})
}

// receive takes one message of the child's about this invocation.
func (inv *invocation) receive(m message) error {
	switch m.kind {
	case kindHead:
		return inv.head(m)
	case kindBody:
		return inv.flowed(m)
	case kindCredit:
		inv.credited(m)
	case kindCall:
		return inv.call(m)
	case kindLog:
		return inv.log(m)
	case kindDone:
		return inv.done(m)
	}
	return nil
}

// head is the answer, or its beginning.
func (inv *invocation) head(m message) error {
	header, ok := split(m.head)
	status := int(m.n >> flagShift)
	if !ok || status < 100 || status > 999 || inv.replied {
		return errWire
	}
	inv.replied = true
	if m.n&flagEnd != 0 {
		inv.body.whole(m.body)
	}
	inv.response = &Response{Status: status, Header: header, Body: &responseBody{inflow: inv.body, whole: m.n&flagEnd != 0}}
	if m.n&flagDone != 0 {
		inv.finish(nil)
		return nil
	}
	close(inv.answered)
	return nil
}

// split reads what core.js joined. Names and values that could not be headers are
// an error: core.js has none.
func split(b []byte) ([][2]string, bool) {
	if len(b) == 0 {
		return nil, true
	}
	parts := strings.Split(string(b), "\x00")
	if len(parts)%2 != 0 || strings.ContainsAny(string(b), "\r\n") {
		return nil, false
	}
	header := make([][2]string, len(parts)/2)
	for i := range header {
		header[i] = [2]string{parts[2*i], parts[2*i+1]}
		if header[i][0] == "" {
			return nil, false
		}
	}
	return header, true
}

// flowed takes a part of the response or of a call's body.
func (inv *invocation) flowed(m message) error {
	in := inv.body
	if m.sub != 0 {
		inv.mu.Lock()
		c := inv.calls[m.sub]
		inv.mu.Unlock()
		if c == nil || c.body == nil {
			return nil // it was answered before its body was read
		}
		in = c.body
	}
	if m.n&flagError != 0 {
		in.fail(fault.New(fault.Unavailable, "the script gave the body up"))
		return nil
	}
	return in.push(m.body, m.n&flagEnd != 0)
}

// credited lets a body flow on, or stops it.
func (inv *invocation) credited(m message) {
	inv.mu.Lock()
	f := inv.request
	if c := inv.calls[m.sub]; m.sub != 0 {
		f = nil
		if c != nil {
			f = c.reply
		}
	}
	inv.mu.Unlock()
	switch {
	case f == nil:
	case m.n == 0:
		f.stop()
		inv.drop(m.sub)
	default:
		f.grant(m.n)
	}
}

func (inv *invocation) log(m message) error {
	if inv.logged++; inv.logged > inv.app.bounds.LogLines {
		return errWire
	}
	level := [...]string{"debug", "info", "warn", "error"}[min(m.n, 3)]
	inv.bindings.Log(Line{Time: time.Now(), Level: level, Text: inv.app.traces.mapped(string(m.head)), RequestID: inv.info.RequestID})
	return nil
}

// done is the child's last word about it.
func (inv *invocation) done(m message) error {
	if len(m.head) == 0 {
		inv.result = json.RawMessage(m.body)
		inv.finish(nil)
		return nil
	}
	var f failure
	if err := json.Unmarshal(m.head, &f); err != nil {
		return err
	}
	inv.finish(f.err(inv.app.bounds, inv.app.traces))
	return nil
}

// finish ends it. The child's messages come from one goroutine, and this is the
// last of them.
func (inv *invocation) finish(err error) {
	inv.mu.Lock()
	over := inv.isOver
	inv.isOver = true
	inv.mu.Unlock()
	if over {
		return
	}
	inv.guard.Stop()
	inv.cancel()
	for _, c := range inv.calls {
		if c.body != nil {
			c.body.fail(context.Canceled)
		}
	}
	if inv.response != nil {
		if err == nil {
			err = io.ErrUnexpectedEOF // unless it has ended
		}
		inv.body.fail(err)
		err = nil
	} else if err == nil && inv.result == nil {
		inv.result = json.RawMessage{}
	}
	select {
	case <-inv.answered:
	default:
		inv.err = err
		close(inv.answered)
	}
}

// responseBody is the body that Fetch returns.
type responseBody struct {
	*inflow
	whole bool        // all of it is here
	stop  func() bool // of the watch
}

// Len returns how many bytes are left, where all of them are here, else -1.
func (b *responseBody) Len() int {
	if !b.whole {
		return -1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// watch aborts the invocation when ctx ends before the body does.
func (b *responseBody) watch(ctx context.Context) {
	if !b.whole {
		b.stop = context.AfterFunc(ctx, b.drop)
	}
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.inflow.Read(p)
	if err != nil && b.stop != nil {
		b.stop()
	}
	return n, err
}

func (b *responseBody) Close() error {
	if b.stop != nil {
		b.stop()
	}
	return b.inflow.Close()
}
