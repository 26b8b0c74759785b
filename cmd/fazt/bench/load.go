package main

import (
	"bufio"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// result is what one round of load found.
type result struct {
	perSecond    float64 // requests per second
	perCPU       float64 // requests per second of the server's processor time
	p50, p99     float64 // milliseconds
	requests     int
	notOK        int
	rss          float64 // MB while loaded
	family       float64 // the same with children
	spanRequests time.Duration
}

// traffic is what one connection asks for, request by request.
type traffic func(s *server, conn, i int) []byte

// page is the traffic that asks for one path for ever.
func page(path string) traffic {
	var request []byte
	var once sync.Once
	return func(s *server, _, _ int) []byte {
		once.Do(func() { request = s.request(path) })
		return request
	}
}

// load asks s for a page over conns connections for span.
func load(s *server, path string, conns int, span time.Duration) (result, error) {
	return loadWith(s, page(path), conns, lasting(span))
}

// lasting ends a load after a span.
func lasting(span time.Duration) func() bool {
	until := time.Now().Add(span)
	return func() bool { return time.Now().Before(until) }
}

// counting ends a load after n requests.
func counting(n int64) func() bool {
	var asked atomic.Int64
	return func() bool { return asked.Add(1) <= n }
}

// loadWith sends traffic over conns connections while more says so. The
// connections come from several loopback addresses, as one address is one client
// to a cap.
func loadWith(s *server, ask traffic, conns int, more func() bool) (result, error) {
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	var wg sync.WaitGroup
	clients := make([]client, conns)
	started := time.Now()
	for i := range clients {
		wg.Go(func() {
			clients[i].run(s, func(n int) []byte { return ask(s, i, n) }, fmt.Sprintf("127.0.%d.%d", 1+i/32, 1+i%32), more)
		})
	}
	wg.Wait()
	took := time.Since(started)
	after, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	r := result{spanRequests: took}
	var all []float64
	for _, c := range clients {
		if c.err != nil {
			return r, c.err
		}
		r.requests, r.notOK = r.requests+len(c.times), r.notOK+c.notOK
		all = append(all, c.times...)
	}
	r.perSecond = float64(r.requests) / took.Seconds()
	r.perCPU = float64(r.requests) / max((after-before).Seconds(), 0.01)
	r.p50, r.p99 = quantile(all, 0.5), quantile(all, 0.99)
	if r.rss, err = s.rss(); err == nil {
		r.family, err = s.memory()
	}
	return r, err
}

// client is one keep-alive connection.
type client struct {
	times []float64 // milliseconds
	notOK int
	err   error
}

func (c *client) run(s *server, ask func(i int) []byte, from string, more func() bool) {
	conn, err := s.dial(from)
	if err != nil {
		c.err = err
		return
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 64<<10)
	for i, now := 0, time.Now(); more(); i++ {
		status, _, err := exchange(conn, reader, ask(i))
		if err != nil {
			c.err = err
			return
		}
		if status != 200 {
			c.notOK++
		}
		end := time.Now()
		c.times = append(c.times, end.Sub(now).Seconds()*1000)
		now = end
	}
}
