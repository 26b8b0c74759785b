package script

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"sync"
	"sync/atomic"
	"time"
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

	gone     atomic.Bool   // the script was told that nobody waits
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
	body  *inflow            // what the script sends along, or nil
	reply *outflow           // what it gets, or nil
	from  io.Closer          // where that comes from
	stop  context.CancelFunc // nil where the script has no signal to give it up by
	left  bool               // the script has given it up
}

func newInvocation(a *App, l *life, b Bindings) *invocation {
	inv := &invocation{app: a, life: l, id: a.host.ids.Add(1), bindings: b, answered: make(chan struct{})}
	inv.ctx, inv.cancel = context.WithCancel(context.Background())
	inv.body = newInflow(a.bounds.Reply, func() error { return limitError(limitReply, a.bounds) }, inv.grant, inv.abort)
	return inv
}

// begin sends the first message. It fails if nobody is there to get it.
func (inv *invocation) begin(m message, env []Env) error {
	number, encoded := inv.app.encodeEnv(env)
	l := inv.life
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return errLost
	case inv.app.isClosed():
		return errClosed
	}
	o := l.open(inv.app)
	if number != 0 && o.env != number {
		o.env = number
		l.link.send(message{kind: kindEnv, id: inv.app.id, sub: number, head: encoded})
	}
	m.n |= number << flagShift
	l.invocations[inv.id] = inv
	inv.guard = time.AfterFunc(2*(inv.app.bounds.scaled().Wall+stuckGrace), inv.overdue)
	l.link.send(m)
	return nil
}

// overdue ends a child that does not end an invocation.
func (inv *invocation) overdue() {
	inv.app.strike(limitWall)
	inv.life.kill()
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

// abort tells the script that nobody waits for it, once: of an answer that has been
// given up it would take a second word for what waitUntil was given.
func (inv *invocation) abort() {
	if inv.gone.CompareAndSwap(false, true) {
		inv.life.link.send(message{kind: kindCancel, id: inv.id})
	}
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

// credited lets a body flow on, or stops it.
func (inv *invocation) credited(m message) {
	inv.mu.Lock()
	f := inv.request
	if c := inv.calls[m.sub]; m.sub != 0 {
		f = nil
		if c != nil {
			f = c.reply
		}
		if c != nil && f == nil && m.n == 0 {
			c.left = true
			c.end()
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
	text := string(m.head[:min(len(m.head), lineBytes)])
	inv.bindings.Log(Line{Time: time.Now(), Level: level, Text: inv.app.traces.mapped(text), RequestID: inv.info.RequestID, Cut: len(m.head) > lineBytes})
	return nil
}

// done is the child's last word about it.
func (inv *invocation) done(m message) error {
	if int64(len(m.body)) > inv.app.bounds.Reply {
		return errWire
	}
	if len(m.head) == 0 {
		inv.result = json.RawMessage(m.body)
		inv.finish(nil)
		return nil
	}
	var f failure
	if err := json.Unmarshal(m.head, &f); err != nil {
		return err
	}
	inv.app.offended(inv.life.worker, f.Limit)
	inv.finish(f.err(inv.app.bounds, inv.app.traces))
	return nil
}

// after ends an invocation that has answered. A reader of its body learns why; where
// that has ended, what went wrong is the end of what waitUntil was given, and the log
// is all there is to tell.
func (inv *invocation) after(err error) {
	heard := inv.body.fail(cmp.Or(err, io.ErrUnexpectedEOF))
	if err != nil && !heard {
		inv.bindings.Log(Line{Time: time.Now(), Level: "error", Text: "after the answer: " + Trace(err), RequestID: inv.info.RequestID})
	}
}

// finish ends it. The child's messages come from one goroutine, and this is the
// last of them.
func (inv *invocation) finish(err error) {
	inv.mu.Lock()
	over := inv.isOver
	inv.isOver = true
	for _, c := range inv.calls {
		if c.body != nil {
			c.body.fail(context.Canceled)
		}
		if c.from != nil {
			go c.from.Close() // its reader may not know inv.ctx
		}
	}
	inv.mu.Unlock()
	if over {
		return
	}
	inv.guard.Stop()
	inv.cancel()
	if inv.response != nil {
		inv.after(err)
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
