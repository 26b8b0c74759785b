package listen_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/edge/listen"
)

// pipe is a connection through a guard and its far end, which has an address.
func pipe(t *testing.T, h *house, a string) (near, far net.Conn) {
	t.Helper()
	far, raw := net.Pipe()
	t.Cleanup(func() { far.Close() })
	near = h.arrive(addressed{raw, tcp(addr(a))})
	if near == nil {
		t.Fatalf("%s was refused", a)
	}
	return near, far
}

type addressed struct {
	net.Conn
	from net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.from }

// stuck writes to a peer that does not read and returns how long that took.
func stuck(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	return time.Since(began)
}

func TestAWriteHasItsTime(t *testing.T) {
	inBubble := func(name string, f func(t *testing.T, h *house, near, far net.Conn)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(listen.Caps{WriteTimeout: 30 * time.Second})
				near, far := pipe(t, h, "192.0.2.1")
				f(t, h, near, far)
			})
		})
	}
	inBubble("a peer that stops", func(t *testing.T, h *house, near, far net.Conn) {
		if took := stuck(t, near); took != 30*time.Second {
			t.Errorf("after %s", took)
		}
	})
	// What net/http does between two requests of a connection.
	inBubble("a peer that stops after a deadline was taken back", func(t *testing.T, h *house, near, far net.Conn) {
		go func() { _, _ = far.Read(make([]byte, 1)) }()
		if _, err := near.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second / 2) // of the bubble
		_ = near.SetWriteDeadline(time.Time{})
		if took := stuck(t, near); took > 30*time.Second || took < 29*time.Second {
			t.Errorf("after %s", took)
		}
	})
	inBubble("the server is in a hurry", func(t *testing.T, h *house, near, far net.Conn) {
		_ = near.SetDeadline(time.Now().Add(5 * time.Second))
		if took := stuck(t, near); took != 5*time.Second {
			t.Errorf("after %s", took)
		}
		_ = near.SetDeadline(time.Time{})
		if took := stuck(t, near); took != 30*time.Second {
			t.Errorf("after %s", took)
		}
		_ = near.SetWriteDeadline(time.Now().Add(time.Hour))
		if took := stuck(t, near); took != 30*time.Second {
			t.Errorf("after %s", took)
		}
	})
	inBubble("the timeout changes", func(t *testing.T, h *house, near, far net.Conn) {
		go func() { _, _ = far.Read(make([]byte, 1)) }()
		_, _ = near.Write([]byte("x"))
		h.Set(listen.Caps{WriteTimeout: 2 * time.Second})
		if took := stuck(t, near); took != 2*time.Second {
			t.Errorf("after %s", took)
		}
		h.Set(listen.Caps{})
		go func() {
			time.Sleep(time.Hour) // of the bubble
			_, _ = far.Read(make([]byte, 1))
		}()
		if _, err := near.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	})
	inBubble("a peer that is slow", func(t *testing.T, h *house, near, far net.Conn) {
		long := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
		go func() {
			_, _ = near.Write(long)
			_ = near.Close()
		}()
		began := time.Now()
		got, err := io.ReadAll(slow{far})
		if took := time.Since(began); err != nil || !bytes.Equal(got, long) || took < time.Minute {
			t.Errorf("%d bytes in %s: %v", len(got), took, err)
		}
	})
}

// slow takes 4 KiB every tenth of a second.
type slow struct{ net.Conn }

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return s.Conn.Read(p[:min(len(p), 4096)])
}
