package edge

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// running is a server between the start and the end of Run.
type running struct {
	server   *Server
	requests context.Context // ends when requests must end
	front    atomic.Pointer[front]
	accepts  sync.WaitGroup // ours
	serving  sync.WaitGroup // net/http's accept loops
	leaving  sync.WaitGroup // fronts on their way out
	conns    sync.WaitGroup // open connections
	failed   chan error
	quic     *quicFront // nil while HTTP/3 is off
}

// Run serves the bound addresses until ctx ends. Then it accepts no more, lets
// running requests finish for at most Config.Drain, closes what is left and
// returns when its goroutines are gone. The error is that of a listener that
// failed by itself, or says that the drain was cut short.
func (s *Server) Run(ctx context.Context) error {
	requests, drop := context.WithCancel(context.WithoutCancel(ctx))
	defer drop()
	r := &running{server: s, requests: requests, failed: make(chan error, len(s.bound()))}
	r.swap(s.timers())
	for _, b := range s.bound() {
		r.accepts.Go(func() { r.failed <- r.accept(b) })
	}
	logging, stop := context.WithCancel(requests)
	defer stop()
	var writing sync.WaitGroup
	if s.access != nil {
		writing.Go(func() { s.access.run(logging, s.log) })
	}

	busy, rest := context.WithCancel(ctx)
	defer rest()
	writing.Go(func() { s.packs(busy) })
	writing.Go(func() { s.runJobs(busy) })

	err := r.follow(ctx)
	rest()
	err = errors.Join(err, r.drain(drop))
	r.serving.Wait()
	r.leaving.Wait()
	r.conns.Wait()
	stop()
	writing.Wait()
	return err
}

// follow keeps fronts and HTTP/3 in step with what is published.
func (r *running) follow(ctx context.Context) error {
	for {
		r.settle()
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.failed:
			return fault.Wrap(fault.Unavailable, err, "a listener stopped")
		case <-r.server.changed:
		}
	}
}

// settle makes of the current snapshot's settings what they ask for.
func (r *running) settle() {
	if t := r.server.timers(); t != r.front.Load().timers {
		r.swap(t)
	}
	r.settleQUIC()
}

// swap puts a new front before the old one, which finishes what it has.
func (r *running) swap(t timers) {
	f := r.newFront(t)
	r.serving.Go(func() { _ = f.server.Serve(f.plain) })
	if r.server.config.Certs != nil { // not TLSConfig, which Serve sets too
		r.serving.Go(func() { _ = f.server.ServeTLS(f.secure, "", "") })
	}
	if old := r.front.Swap(f); old != nil {
		r.leaving.Go(func() {
			if old.server.Shutdown(r.requests) != nil {
				_ = old.server.Close()
			}
		})
	}
}

// quiesce waits until every connection is between requests, or ctx ends.
func (r *running) quiesce(ctx context.Context) {
	tick := time.NewTicker(quiesceEvery)
	defer tick.Stop()
	for {
		if at := r.server.guard.Stats(); at.Open == at.Idle {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

const quiesceEvery = 5 * time.Millisecond

// left waits for the fronts on their way out.
func (r *running) left(ctx context.Context) error {
	gone := make(chan struct{})
	go func() {
		r.leaving.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accept hands the connections of one address to the front of the moment.
func (r *running) accept(b bound) error {
	l := r.server.guard.Guard(b.Listener, r.server.closing)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		for !r.give(b, c) { // the front went while a newer one came
		}
	}
}

func (r *running) give(b bound, c net.Conn) bool {
	f := r.front.Load()
	if b.secure {
		return f.secure.give(c)
	}
	return f.plain.give(c)
}

// drain ends the server gracefully, and at the deadline at once. net/http drops a
// request that it reads once it shuts down, so it is told only when nobody is
// about to be answered: until then every answer says that it is its connection's
// last.
func (r *running) drain(drop context.CancelFunc) error {
	s := r.server
	s.ending.Store(true)
	s.shut.Do(func() { close(s.closing) })
	for _, b := range s.bound() {
		_ = b.Close()
	}
	r.accepts.Wait()
	wait, cancel := context.WithTimeout(context.Background(), s.config.Drain)
	defer cancel()
	err := r.endQUIC(wait)
	r.quiesce(wait)
	server := r.front.Load().server
	err = errors.Join(err, server.Shutdown(wait), r.left(wait))
	drop()
	if err == nil {
		return nil
	}
	_ = server.Close()
	return fault.Wrap(fault.Unavailable, err, "requests were still running after %s and were cut", s.config.Drain)
}
