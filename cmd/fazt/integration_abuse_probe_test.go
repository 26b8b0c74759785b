//go:build integration

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// probing are visitors from addresses of their own, each with a new connection,
// while something else goes on.
type probing struct {
	asked, failed int
	took          []time.Duration
	last          error
}

// String is what they saw.
func (p *probing) String() string {
	slices.Sort(p.took)
	at := func(part float64) time.Duration {
		if len(p.took) == 0 {
			return 0
		}
		return p.took[int(part*float64(len(p.took)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d probes, %d failed, p50 %s, p99 %s", p.asked, p.failed, at(.5), at(.99))
}

// probeWhile probes from four visitors until f has returned, and at least 200
// times.
func (s *siege) probeWhile(f func()) *probing {
	p := &probing{}
	var mu sync.Mutex
	var done atomic.Bool
	var visitors sync.WaitGroup
	for v := range 4 {
		visitors.Go(func() {
			for i := 0; i < 50 || !done.Load(); i++ {
				began := time.Now()
				err := s.probeFrom(callerAt(2, 4*(i%50)+v+1))
				mu.Lock()
				p.asked++
				p.took = append(p.took, time.Since(began))
				if err != nil {
					p.failed, p.last = p.failed+1, err
				}
				mu.Unlock()
			}
		})
	}
	f()
	done.Store(true)
	visitors.Wait()
	return p
}

// probeFrom asks for the page over a new connection, with TLS where there is.
func (s *siege) probeFrom(d *net.Dialer) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var c net.Conn
	var err error
	if s.secure == "" {
		c, err = d.DialContext(ctx, "tcp", s.addr)
	} else {
		c, err = (&tls.Dialer{NetDialer: d, Config: s.tls}).DialContext(ctx, "tcp", s.secure)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	status, err := ask(c, "GET", "/", "Connection: close")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

// served fails the test if probes went unanswered: one of a thousand may.
func (s *siege) served(p *probing) {
	s.w.t.Helper()
	s.w.t.Logf("meanwhile %s", p)
	if 1000*p.failed > p.asked {
		s.w.t.Errorf("%d of %d probes failed, at last: %v", p.failed, p.asked, p.last)
	}
}
