//go:build integration

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestIntegrationAbuseRapidReset (E8): a connection that asks and takes back
// without end is closed, has no more requests at work than streams, and harms
// nobody else; so is one that has the node take them back.
func TestIntegrationAbuseRapidReset(t *testing.T) {
	const n, streams = 100_000, 100
	provoke := map[string]func(c *h2conn, stream uint32) error{
		"taken back": func(c *h2conn, stream uint32) error { return c.WriteRSTStream(stream, http2.ErrCodeCancel) },
		"an empty window": func(c *h2conn, stream uint32) error {
			return c.WriteRawFrame(http2.FrameWindowUpdate, 0, stream, make([]byte, 4))
		},
		"data after the end": func(c *h2conn, stream uint32) error { return c.WriteData(stream, true, []byte("x")) },
		"its own parent": func(c *h2conn, stream uint32) error {
			return c.WriteRawFrame(http2.FramePriority, 0, stream, []byte{0, 0, byte(stream >> 8), byte(stream), 0})
		},
		"a window too far": func(c *h2conn, stream uint32) error { return c.WriteWindowUpdate(stream, 1<<31-1) },
		"a frame of wrong size": func(c *h2conn, stream uint32) error {
			return c.WriteRawFrame(http2.FramePriority, 0, stream, []byte{0})
		},
	}
	for name, path := range map[string]string{"a small page": "/", "a large file": "/large.bin"} {
		t.Run(name, func(t *testing.T) {
			s := besiege(t, behindTLS, "requests_per_ip = { rate = 1000000, burst = 1000000 }", 8<<20, tlsToo()...)
			for how, spoil := range provoke {
				t.Run(how, func(t *testing.T) {
					s.w.t = t
					before := s.counts()
					most, sent := 0, 0
					s.served(s.probeWhile(func() {
						c, err := s.h2(callerAt(1, 1))
						must(t, err)
						over := make(chan *hearing)
						go func() { over <- c.listen(nil) }()
						for stream := uint32(1); sent < n; stream += 2 {
							if err = errors.Join(c.get(stream, path), spoil(c, stream)); err != nil {
								break
							}
							if sent++; sent%1000 == 0 {
								most = max(most, s.counts().goroutines()-before.goroutines())
							}
						}
						h := <-over
						if !h.closed() || h.goAway != nil && *h.goAway == http2.ErrCodeNo { // that is the end of an idle one
							t.Errorf("after %d requests of %d: %s", sent, n, h)
						}
						t.Logf("%d requests of %d were sent: %s; writing: %v", sent, n, h, err)
					}))
					t.Logf("at most %d goroutines more", most)
					if most > 2*streams+50 { // some serve the connection and the probes
						t.Errorf("%d goroutines more", most)
					}
					s.bounded(before, 64)
					s.settles(before)
				})
			}
		})
	}
}

// TestIntegrationAbuseClosedWindow (E3 of HTTP/2): a stream whose window stays
// shut is taken back when a write's time is up, though the connection lives.
func TestIntegrationAbuseClosedWindow(t *testing.T) {
	t.Parallel()
	s := besiege(t, behindTLS, `write_timeout = "1s"`, 8<<20, tlsToo()...)
	before := s.counts()
	for _, path := range []string{"/", "/large.bin"} {
		c, err := s.h2(callerAt(1, 1), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		must(t, err)
		for i := range uint32(100) {
			must(t, c.get(2*i+1, path))
		}
		h := c.listen(func(_ http2.Frame, h *hearing) bool { return len(h.resets) == 100 })
		if len(h.resets) != 100 {
			t.Errorf("%s: %d of 100 streams were taken back: %v", path, len(h.resets), h.err)
		}
		if err := c.WritePing(false, [8]byte{1}); err != nil {
			t.Errorf("%s: the connection is gone: %v", path, err)
		}
		c.conn.Close()
	}
	s.settles(before)
}

// TestIntegrationAbuseFrames (E9): floods of frames that mean nothing end with
// the connection, or cost no memory; header bombs are 431 or end it.
func TestIntegrationAbuseFrames(t *testing.T) {
	n := amount(20_000, 1_000_000)
	s := besiege(t, behindTLS, `idle_timeout = "2s"; body_timeout = "2s"`, 0, tlsToo()...)
	cases := map[string]func(c *h2conn) error{
		"CONTINUATION without end": func(c *h2conn) error {
			err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("GET", "/"), EndStream: true})
			for i := 0; i < n && err == nil; i++ {
				c.block.Reset()
				_ = c.headers.WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", i), Value: strings.Repeat("y", 100), Sensitive: true})
				err = c.WriteContinuation(1, false, c.block.Bytes())
			}
			return err
		},
		"empty CONTINUATION": func(c *h2conn) error {
			err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("GET", "/"), EndStream: true})
			for i := 0; i < n && err == nil; i++ {
				err = c.WriteContinuation(1, false, nil)
			}
			return err
		},
		"half a header, and silence": func(c *h2conn) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("GET", "/"), EndStream: true})
		},
		"SETTINGS": func(c *h2conn) (err error) {
			for i := 0; i < n && err == nil; i++ {
				err = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(i)})
			}
			return err
		},
		"PING": func(c *h2conn) (err error) {
			for i := 0; i < n && err == nil; i++ {
				err = c.WritePing(false, [8]byte{byte(i)})
			}
			return err
		},
		"empty DATA": func(c *h2conn) error {
			err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("POST", "/"), EndHeaders: true})
			for i := 0; i < n && err == nil; i++ {
				err = c.WriteData(1, false, nil)
			}
			return err
		},
		"PRIORITY": func(c *h2conn) (err error) {
			for i := 0; i < n && err == nil; i++ {
				err = c.WritePriority(uint32(2*i+1), http2.PriorityParam{StreamDep: 0, Weight: 1})
			}
			return err
		},
		"crumbs": func(c *h2conn) error { // one entry of the table, sixteen thousand times
			block := bytes.Clone(c.fields("GET", "/", hpack.HeaderField{Name: "cookie", Value: strings.Repeat("c", 3000)}))
			block = append(block, bytes.Repeat([]byte{0x80 | 62}, 16_000)...)
			return c.headerBlock(1, block)
		},
		"20,000 headers": func(c *h2conn) error {
			var many []hpack.HeaderField
			for i := range 20_000 {
				many = append(many, hpack.HeaderField{Name: fmt.Sprintf("x-%d", i), Value: "y"})
			}
			return c.headerBlock(1, bytes.Clone(c.fields("GET", "/", many...)))
		},
	}
	before := s.counts()
	s.served(s.probeWhile(func() {
		var floods sync.WaitGroup
		for name, flood := range cases {
			for _, reads := range []bool{true, false} {
				floods.Go(func() { s.flood(fmt.Sprintf("%s, reading %t", name, reads), flood, reads) })
			}
		}
		floods.Wait()
	}))
	s.bounded(before, 64)
	s.settles(before)
}

// flood sends one on a connection of its own, which must end, and whose request
// must come to nothing.
func (s *siege) flood(name string, send func(*h2conn) error, reads bool) {
	t := s.w.t
	c, err := s.h2(callerAt(1, 1))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	over := make(chan *hearing, 1)
	listen := func() { over <- c.listen(nil) }
	if reads {
		go listen()
	}
	err = send(c)
	if !reads {
		listen()
	}
	h := <-over
	if !h.closed() || h.statuses[1] == "200" {
		t.Errorf("%s: %s", name, h)
	}
	t.Logf("%s: %s; writing: %v", name, h, err)
}

// bodyOf writes a body to the first stream.
type bodyOf struct{ *h2conn }

func (b bodyOf) Write(p []byte) (int, error) { return len(p), b.WriteData(1, false, p) }

// TestIntegrationAbuseSlowStream (E2): a body that nobody wants is heard out,
// as HTTP/2 would have it, and answered in any case when its time is up.
func TestIntegrationAbuseSlowStream(t *testing.T) {
	t.Parallel()
	s := besiege(t, behindTLS, `body_timeout = "2s"; min_body_rate = "1KiB"`, 0, tlsToo()...)
	const size = 8 << 10
	before := s.counts()
	var posts sync.WaitGroup
	for name, c := range map[string]struct {
		each  int
		whole bool
	}{"trickle": {1, false}, "honest": {4 << 10, true}} {
		posts.Go(func() {
			conn, err := s.h2(callerAt(1, 1))
			if err == nil {
				err = conn.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: conn.fields("POST", "/"), EndHeaders: true})
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			answered := make(chan struct{})
			body := &untilAnswered{bodyOf{conn}, answered}
			whole := make(chan bool)
			go func() {
				sent := trickle(body, size, c.each, 250*time.Millisecond)
				_ = conn.WriteData(1, true, nil)
				whole <- sent == size
			}()
			h := conn.listen(func(_ http2.Frame, h *hearing) bool { return h.statuses[1] != "" || len(h.resets) > 0 })
			close(answered)
			if got := <-whole; got != c.whole || h.statuses[1] != "405" {
				t.Errorf("%s: whole %t, %v %v %v", name, got, h.statuses, h.resets, h.err)
			}
			conn.conn.Close()
		})
	}
	posts.Wait()
	s.settles(before)
}

// untilAnswered writes a body for as long as there is no answer.
type untilAnswered struct {
	bodyOf
	answered chan struct{}
}

func (u *untilAnswered) Write(p []byte) (int, error) {
	select {
	case <-u.answered:
		return 0, net.ErrClosed
	default:
		return u.bodyOf.Write(p)
	}
}
