package script

import (
	"bytes"
	"context"
	"io"

	"github.com/fazt-sh/fazt/platform/fault"
)

// mostReply is the longest value that a host call may answer with; what is longer
// belongs in its body.
const mostReply = 8 << 20

// call begins a host call. The child counts them as well, and sooner knows that
// one has ended; one that has twice as many in flight is not ours.
func (inv *invocation) call(m message) error {
	c, hc, err := inv.asked(m)
	if err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.isOver {
		return nil
	}
	if inv.calls[m.sub] != nil || m.sub == 0 || len(inv.calls) >= 2*inv.app.bounds.Calls {
		return errWire
	}
	if inv.calls == nil {
		inv.calls = map[uint64]*hostCall{}
	}
	inv.calls[m.sub] = hc
	ctx := inv.ctx // what a call leaves behind, as a transaction, lasts as long
	if m.n&flagSignal != 0 {
		ctx, hc.stop = context.WithCancel(ctx)
	}
	inv.app.host.stats.calls.Add(1)
	inv.app.host.crew.do(func() { inv.answer(ctx, m.sub, c, hc) })
	return nil
}

// asked reads target, method, arguments and body.
func (inv *invocation) asked(m message) (Call, *hostCall, error) {
	parts := bytes.SplitN(m.head, []byte{0}, 3)
	if len(parts) != 3 {
		return Call{}, nil, errWire
	}
	c, hc := Call{Target: string(parts[0]), Method: string(parts[1]), Args: parts[2]}, &hostCall{}
	if m.n&flagBody == 0 {
		return c, hc, nil
	}
	hc.body = newInflow(1<<62, nil, func(n int) {
		inv.life.link.send(message{kind: kindCredit, id: inv.id, sub: m.sub, n: uint64(n)})
	}, nil)
	if m.n&flagEnd != 0 {
		hc.body.whole(m.body)
	}
	c.Body = hc.body
	return c, hc, nil
}

// answer makes the call and sends the reply.
func (inv *invocation) answer(ctx context.Context, sub uint64, c Call, hc *hostCall) {
	defer hc.end()
	reply, err := inv.bindings.Call(ctx, c)
	if hc.body != nil {
		hc.body.Close()
	}
	if err == nil && len(reply.Value) > mostReply {
		err = fault.New(fault.Exhausted, "an answer of %s is over %s", size(int64(len(reply.Value))), size(mostReply))
	}
	if reply.Body != nil {
		defer reply.Body.Close()
	}
	flow := newOutflow(inv.chunk(sub))
	if err == nil && reply.Body != nil && !inv.carries(hc, flow, reply.Body) {
		err = context.Canceled
	}
	m := message{kind: kindReply, id: inv.id, sub: sub, head: reply.Value}
	if err != nil {
		m.n, m.head = flagError, told(err)
	}
	if err != nil || reply.Body == nil {
		inv.forget(sub)
		inv.life.link.send(m)
		return
	}
	m.n = flagBody
	inv.life.link.send(m)
	inv.pump(ctx, sub, reply.Body, flow)
	inv.forget(sub)
}

// carries notes where the body of a reply comes from, unless nobody wants it any more.
func (inv *invocation) carries(hc *hostCall, flow *outflow, body io.Closer) bool {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	hc.reply, hc.from = flow, body
	return !hc.left
}

func (inv *invocation) forget(sub uint64) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	delete(inv.calls, sub)
}

// drop ends a reply's body that the script gave up. Its reader may be waiting, so
// it is closed from here.
func (inv *invocation) drop(sub uint64) {
	inv.mu.Lock()
	c := inv.calls[sub]
	delete(inv.calls, sub)
	inv.mu.Unlock()
	if c == nil {
		return
	}
	c.end()
	if c.from != nil {
		go c.from.Close()
	}
}

// end ends what is done for a call that has a signal.
func (c *hostCall) end() {
	if c.stop != nil {
		c.stop()
	}
}
