package script

import (
	"context"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// head is the answer, or its beginning.
func (inv *invocation) head(m message) error {
	header, ok := split(m.head)
	status := int(m.n >> flagShift)
	if !ok || status < 100 || status > 999 || inv.replied || len(m.body) > frameBytes {
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
