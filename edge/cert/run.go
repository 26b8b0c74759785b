package cert

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// orderTime bounds one order. The longest honest one waits two minutes for DNS
// and some for the CA.
const orderTime = 10 * time.Minute

// errClock says that a certificate fresh from the CA is due for renewal, so that
// ordering another would help nobody.
var errClock = errors.New("the new certificate is due for renewal already: is the clock of this machine right")

// outcome is the end of one order, or of one question about a renewal.
type outcome struct {
	host *host
	pair *tls.Certificate
	err  error
	wish *wish // the answer to a question; nil after an order
}

// Run loads what is stored, orders and renews until ctx ends. Then it gives up
// the orders under way and returns when they are gone. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan outcome)
	var orders sync.WaitGroup
	defer m.end()
	defer orders.Wait()
	defer cancel()
	timer := time.NewTimer(look)
	defer timer.Stop()
	for {
		m.load(ctx)
		wait := m.start(ctx, func(work func() outcome) {
			orders.Go(func() {
				o := work()
				select {
				case done <- o:
				case <-ctx.Done():
				}
			})
		})
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-m.wake:
		case o := <-done:
			m.finish(o)
		case <-timer.C:
		}
	}
}

// end tells those who still wait that nobody works any more.
func (m *Manager) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.hosts {
		h.cancel = nil
		h.tell(fault.New(fault.Unavailable, "the node is stopping").WithSubject(h.name))
	}
}

// load learns what the disk has for hosts that are new.
func (m *Manager) load(ctx context.Context) {
	m.mu.Lock()
	policy := m.policy
	var fresh []*host
	for _, h := range m.hosts {
		if !h.loaded {
			fresh = append(fresh, h)
		}
	}
	m.mu.Unlock()
	if policy.Mode == Files {
		m.reload(policy)
		return
	}
	m.answer(policy)
	if len(fresh) == 0 {
		return
	}
	found := make([]outcome, len(fresh))
	for i, h := range fresh {
		pair, err := m.storage.pair(ctx, m.issuer(policy), h.name)
		found[i] = outcome{host: h, pair: pair, err: err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range found {
		m.loaded(o)
	}
	m.publish()
}

// loaded notes what the disk has. Whatever does not make a certificate is
// replaced by an order.
func (m *Manager) loaded(o outcome) {
	h := o.host
	h.loaded = true
	switch {
	case o.err == nil:
		h.pair, h.stale = o.pair, false
	case !errors.Is(o.err, errNone):
		m.log.Warn("a stored certificate cannot be used", "host", h.name, "err", o.err)
		h.problem = "the stored certificate cannot be used: " + line(o.err)
	}
}

// start begins what is due and says when to look again.
func (m *Manager) start(ctx context.Context, begin func(func() outcome)) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.policy.Mode == Files {
		return fileLook
	}
	m.starts = recent(m.starts, now)
	running := 0
	for _, h := range m.hosts {
		if h.cancel != nil {
			running++
		}
	}
	chosen, wait := choose(now, m.hosts, m.starts, running, m.policy.Mode == ACME)
	for _, h := range chosen {
		m.starts = append(m.starts, now)
		m.order(ctx, h, begin)
	}
	switch {
	case len(chosen) > 0:
		m.announce()
	case running == 0:
		m.ask(ctx, now, begin)
	}
	return wait
}

// order begins an order for h. m.mu is held.
func (m *Manager) order(ctx context.Context, h *host, begin func(func() outcome)) {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	h.cancel = cancel
	policy, failures := m.policy, h.failures
	begin(func() outcome {
		defer cancel()
		o := outcome{host: h}
		e, err := m.source(ctx, policy)
		if err == nil {
			o.pair, err = e.order(ctx, h.name, failures)
		}
		o.err = err
		return o
	})
}

// finish notes the end of an order and publishes what it brought.
func (m *Manager) finish(o outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, now := o.host, time.Now()
	if o.wish != nil {
		m.asking = false
		h.early, h.asked = o.wish.early, o.wish.again
		return
	}
	h.cancel = nil
	if m.hosts[h.name] != h {
		return // no longer wanted in this form
	}
	if o.err == nil {
		h.pair, h.stale, h.early, h.asked = o.pair, false, time.Time{}, time.Time{}
		if !renewal(o.pair.Leaf, time.Time{}).After(now) {
			o.err = errClock
		}
	}
	m.publish() // before anybody is told
	m.note(h, o.err, now)
}

// note remembers how an order ended and tells those who wait for it.
func (m *Manager) note(h *host, err error, now time.Time) {
	if err == nil {
		h.failures, h.next, h.problem = 0, time.Time{}, ""
		m.log.Info("certificate issued", "host", h.name, "until", h.pair.Leaf.NotAfter)
		h.tell(nil)
		return
	}
	h.failures++
	wait := backoff(h.failures, err, now)
	h.next, h.problem = now.Add(wait), line(err)
	m.log.Warn("no certificate", "host", h.name, "err", h.problem, "again", wait)
	kind := fault.Unavailable
	if k := fault.KindOf(err); k == fault.Invalid || k == fault.NotFound {
		kind = k
	}
	h.tell(fault.New(kind, "no certificate for %q: %s", h.name, h.problem).WithSubject(h.name).WithHint("%s", fault.HintOf(err)))
}

// Renew orders a certificate for a wanted host now, or joins an order that is
// under way, and waits for its end. Where a wildcard covers the host, it is the
// wildcard's. NotFound: the host is not wanted. Invalid: it gets no certificate
// that way. Unavailable: the order failed, or ctx ended first.
func (m *Manager) Renew(ctx context.Context, name string) error {
	done := make(chan error, 1)
	if err := m.queue(canonical(name), done); err != nil {
		return err
	}
	m.poke()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "the certificate of %q is still being ordered", name).WithSubject(name)
	}
}

func (m *Manager) queue(name string, done chan error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.hosts[name]
	if h == nil {
		return fault.New(fault.NotFound, "no host %q gets a certificate here", name).WithSubject(name).
			WithHint("certificates are for the hosts of the applied configuration, with tls on")
	}
	if cover := m.hosts[h.cover]; cover != nil {
		h = cover
	}
	if m.policy.Mode == Files {
		return fault.New(fault.Invalid, "the certificate of %q comes from a file", name).WithSubject(name).
			WithHint("replace the file: it is read again within seconds")
	}
	if h.verdict != "" {
		return fault.New(fault.Invalid, "there is no certificate for %q: %s", name, h.reason).WithSubject(name)
	}
	h.waiters = append(h.waiters, done)
	return nil
}
