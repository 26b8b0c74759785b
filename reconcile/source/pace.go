package source

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The rate that a transfer must keep up over each window, from its first byte
// on: before that a server may count for long.
const (
	slowest    = 1 << 10 // bytes a second
	rateWindow = 20 * time.Second
)

// pace ends a transfer that trickles: a peer that sends a byte now and then
// would hold the source until the deadline.
type pace struct {
	cancel context.CancelCauseFunc
	timer  atomic.Pointer[time.Timer]
	came   atomic.Int64
}

// newPace returns a context that ends when what is read through the pace comes
// too slowly. Whatever it reads from must end with that context.
func newPace(ctx context.Context) (context.Context, *pace) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &pace{cancel: cancel}
}

func (p *pace) read(r io.Reader) io.Reader { return &pacedReader{r, p} }

func (p *pace) check() {
	if p.came.Swap(0) < int64(slowest*rateWindow/time.Second) {
		p.cancel(fault.New(fault.Unavailable, "it sends less than %d bytes a second", slowest))
		return
	}
	p.timer.Load().Reset(rateWindow)
}

// done stops the watch.
func (p *pace) done() {
	if t := p.timer.Load(); t != nil {
		t.Stop()
	}
}

// end gives everything back, and says why the transfer ended where it was for
// its pace.
func (p *pace) end(ctx context.Context, at address, err error) error {
	p.done()
	slow := (*fault.Error)(nil)
	if err != nil && errors.As(context.Cause(ctx), &slow) {
		err = unreachable(at, slow.Message, err)
	}
	p.cancel(nil)
	return err
}

type pacedReader struct {
	r io.Reader
	p *pace
}

func (r *pacedReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if r.p.came.Add(int64(n)); n > 0 && r.p.timer.Load() == nil {
		r.p.timer.Store(time.AfterFunc(rateWindow, r.p.check))
	}
	if err != nil {
		r.p.done()
	}
	return n, err
}
