package main

import (
	"bufio"
	"fmt"
	"sync"
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
	spanRequests time.Duration
}

// load asks s for a page over conns connections for span. The connections come
// from several loopback addresses, as one address is one client to a cap.
func load(s *server, path string, conns int, span time.Duration) (result, error) {
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	until := time.Now().Add(span)
	var wg sync.WaitGroup
	clients := make([]client, conns)
	started := time.Now()
	for i := range clients {
		wg.Go(func() { clients[i].run(s, path, fmt.Sprintf("127.0.%d.%d", 1+i/32, 1+i%32), until) })
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
	r.rss, err = s.rss()
	return r, err
}

// client is one keep-alive connection.
type client struct {
	times []float64 // milliseconds
	notOK int
	err   error
}

func (c *client) run(s *server, path, from string, until time.Time) {
	conn, err := s.dial(from)
	if err != nil {
		c.err = err
		return
	}
	defer conn.Close()
	reader, request := bufio.NewReaderSize(conn, 64<<10), s.request(path)
	for now := time.Now(); now.Before(until); {
		status, _, err := exchange(conn, reader, request)
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
