package edge_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

func TestAPortThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	b := newBench(t, edge.Config{})
	err = b.Open([]string{"127.0.0.1:0", address}, nil)
	if fault.KindOf(err) != fault.Unavailable || fault.KindOf(err).Exit() != 7 {
		t.Errorf("kind %s of %v", fault.KindOf(err), err)
	}
	if want := fmt.Sprintf("cannot listen on %q: address already in use", address); err.Error() != want || fault.HintOf(err) == "" {
		t.Errorf("%v; hint: %s", err, fault.HintOf(err))
	}
	if len(b.Addrs()) != 0 {
		t.Error("half of the addresses are bound")
	}
	for _, nonsense := range []string{"nonsense", "127.0.0.1:99999", "127.0.0.1"} {
		if err := b.Open([]string{nonsense}, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", nonsense, err)
		}
	}
}

func TestCloseGivesTheAddressBack(t *testing.T) {
	b := newBench(t, edge.Config{})
	if err := b.Open([]string{"127.0.0.1:0"}, nil); err != nil {
		t.Fatal(err)
	}
	address := b.Addrs()[0].String()
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// Ending the server cuts no answer: what runs is finished, what is idle is
// closed, nothing is left.
func TestDrainCutsNoAnswer(t *testing.T) {
	before := runtime.NumGoroutine()
	b := newBench(t, edge.Config{})
	began, finish := make(chan struct{}, 8), make(chan struct{})
	b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
		began <- struct{}{}
		<-finish
		for range 100 {
			if _, err := io.WriteString(w, strings.Repeat("x", 10_000)); err != nil {
				return err
			}
		}
		return r.Context().Err()
	})
	if err := b.Open([]string{"127.0.0.1:0", "127.0.0.1:0"}, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	answers := make(chan error)
	for i := range 8 {
		go func() { answers <- fetchLarge(b.Addrs()[i%2].String()) }()
	}
	for range 8 {
		<-began
	}
	cancel()
	eventually(t, "no new connections", func() bool {
		c, err := net.Dial("tcp", b.Addrs()[0].String())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case err := <-ended:
		t.Fatalf("ended with requests running: %v", err)
	default:
	}
	close(finish)
	for range 8 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

func fetchLarge(address string) error {
	r, _ := http.NewRequest("GET", "http://"+address+"/", nil)
	r.Host = "a.test"
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n != 1_000_000 {
		return fmt.Errorf("%d bytes: %v", n, err)
	}
	return nil
}

// memory is a network in memory, for the laws that are about time.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	fail   chan error // an error for the next Accept
}

func newMemory() *memory {
	return &memory{conns: make(chan net.Conn), closed: make(chan struct{}), fail: make(chan error, 100)}
}

func (m *memory) listen(string, string) (net.Listener, error) { return m, nil }
func (m *memory) Addr() net.Addr                              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (m *memory) Close() error                                { close(m.closed); return nil }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case err := <-m.fail:
		return nil, err
	default:
	}
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) dial() net.Conn {
	here, there := net.Pipe()
	m.conns <- there
	return here
}

// timed runs f in a bubble of virtual time with a server on a network in
// memory.
func timed(t *testing.T, c edge.Config, f func(t *testing.T, b *bench, m *memory)) {
	t.Helper()
	timedUntil(t, c, func(t *testing.T, b *bench, m *memory, stop func() error) {
		f(t, b, m)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func timedUntil(t *testing.T, c edge.Config, f func(t *testing.T, b *bench, m *memory, stop func() error)) {
	t.Helper()
	c.Blobs = openBlobs(t, t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c.Listen = m.listen
		b := newBench(t, c)
		_, stop := b.run()
		f(t, b, m, stop)
	})
}

// closedAfter reads to the end of a connection and returns how long that took.
func closedAfter(c net.Conn) (time.Duration, string) {
	began := time.Now()
	answer, _ := io.ReadAll(c)
	return time.Since(began), string(answer)
}

func TestConnectionsThatStallAreClosed(t *testing.T) {
	page := func(w http.ResponseWriter, r *http.Request) error {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		_, err := io.WriteString(w, "page")
		return err
	}
	t.Run("half a header", func(t *testing.T) {
		timed(t, edge.Config{}, func(t *testing.T, b *bench, m *memory) {
			c := m.dial()
			go io.WriteString(c, "GET / HTTP/1.1\r\nHo")
			if took, _ := closedAfter(c); took > 7*time.Second {
				t.Errorf("after %s", took)
			}
		})
	})
	t.Run("idle", func(t *testing.T) {
		timed(t, edge.Config{}, func(t *testing.T, b *bench, m *memory) {
			b.PublishHandler("a.test", page)
			c := m.dial()
			go io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
			took, answer := closedAfter(c)
			if took > 80*time.Second || took < 70*time.Second || !strings.Contains(answer, "200 OK") {
				t.Errorf("after %s: %q", took, answer)
			}
		})
	})
	t.Run("a body that trickles", func(t *testing.T) {
		timed(t, edge.Config{}, func(t *testing.T, b *bench, m *memory) {
			b.PublishHandler("a.test", page)
			c, gone := m.dial(), make(chan struct{})
			go func() {
				_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\n")
				for err := error(nil); err == nil; time.Sleep(3 * time.Second) {
					_, err = c.Write([]byte("x"))
				}
				close(gone)
			}()
			took, answer := closedAfter(c)
			c.Close()
			<-gone
			if took > 35*time.Second || !strings.HasPrefix(answer, "HTTP/1.1 408 ") {
				t.Errorf("after %s: %q", took, answer)
			}
		})
	})
	t.Run("a reader that stops", func(t *testing.T) {
		timed(t, edge.Config{}, func(t *testing.T, b *bench, m *memory) {
			b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
				_, err := io.Copy(w, io.LimitReader(zeros{}, 100<<20))
				return err
			})
			c := m.dial()
			go io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
			if _, err := c.Read(make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			for b.Stats().Requests > 0 && time.Since(began) < time.Minute {
				time.Sleep(time.Second) // virtual
			}
			if took := time.Since(began); took > 40*time.Second {
				t.Errorf("after %s", took)
			}
		})
	})
	t.Run("a reader that is slow", func(t *testing.T) {
		timed(t, edge.Config{}, func(t *testing.T, b *bench, m *memory) {
			b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
				_, err := io.Copy(w, io.LimitReader(zeros{}, 1<<20))
				return err
			})
			c := m.dial()
			go io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReaderSize(slow{c}, 4096), nil)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, response.Body); n != 1<<20 || err != nil {
				t.Errorf("a download with progress was cut at %d bytes: %v", n, err)
			}
		})
	})
	t.Run("a long answer to a request with a body", func(t *testing.T) {
		timed(t, edge.Config{}, func(t *testing.T, b *bench, m *memory) {
			b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return err
				}
				select {
				case <-time.After(5 * time.Minute):
				case <-r.Context().Done():
				}
				return r.Context().Err()
			})
			c := m.dial()
			go io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
			if _, answer := closedAfter(c); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
				t.Errorf("%q", answer)
			}
		})
	})
}

// Who asks before sending a body is answered at once where nobody wants it.
func TestABodyThatNobodyWantsIsNotAwaited(t *testing.T) {
	timed(t, edge.Config{}, func(t *testing.T, b *bench, m *memory) {
		b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return nil
		})
		c := m.dial()
		go io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
		began := time.Now()
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 0 || response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s after %s", response.Status, took)
		}
		c.Close()
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// slow takes 4 KiB every tenth of a second.
type slow struct{ net.Conn }

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return s.Conn.Read(p)
}

// A drain has an end: a request that does not finish is cut and said to be.
func TestDrainEndsAtItsDeadline(t *testing.T) {
	timedUntil(t, edge.Config{}, func(t *testing.T, b *bench, m *memory, stop func() error) {
		b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		})
		c := m.dial()
		go io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
		synctest.Wait()
		if got := b.Stats().Requests; got != 1 {
			t.Fatalf("%d requests", got)
		}
		began := time.Now()
		if err := stop(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took < 15*time.Second || took > 16*time.Second {
			t.Errorf("after %s", took)
		}
	})
}

// Out of descriptors the server waits, says so once a minute and goes on,
// however often one comes free in between.
func TestAcceptFailuresPass(t *testing.T) {
	timed(t, edge.Config{}, func(t *testing.T, b *bench, m *memory) {
		b.publish("r1", b.app("a", "r1", spec.App{Hosts: []string{"a.test"}}, files{"index.html": "page"}))
		synctest.Wait()
		said := func(want int) {
			t.Helper()
			if n := strings.Count(b.log.String(), "no new connections"); n != want {
				t.Errorf("said %d times, want %d:\n%s", n, want, b.log)
			}
		}
		crowded := func() { // the visitor gets the Accept that was waiting
			t.Helper()
			for range 2 {
				m.fail <- &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
			}
			c := m.dial()
			go io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
			if _, answer := closedAfter(c); !strings.HasSuffix(answer, "page") {
				t.Errorf("%q", answer)
			}
			synctest.Wait()
		}
		for range 10 {
			crowded()
		}
		said(1)
		time.Sleep(time.Minute) // of the bubble
		crowded()
		said(2)
	})
}

// A large file reaches the socket's own ReadFrom, and so sendfile, through
// everything that is wrapped around it.
func TestFilesReachTheSocketWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, make([]byte, 3<<20+17), 0o600); err != nil {
		t.Fatal(err)
	}
	var handed atomic.Int64
	b := newBench(t, edge.Config{AccessLog: nowhere{}, Listen: func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return witnessing{l, &handed}, err
	}})
	b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		w.Header().Set("Content-Length", fmt.Sprint(3<<20+17))
		_, err = io.Copy(w, f)
		return err
	})
	address, stop := b.run()
	response := exchangeRaw(t, address, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
	if n, err := io.Copy(io.Discard, response.Body); n != 3<<20+17 || err != nil {
		t.Errorf("%d bytes: %v", n, err)
	}
	stop() // the last part is counted after it was sent
	// net/http sniffs the first 512 bytes itself.
	if got := handed.Load(); got != 3<<20+17-512 && got != 3<<20+17 {
		t.Errorf("%d bytes went to the socket as a file", got)
	}
}

// witnessing counts the bytes that sockets take from files.
type witnessing struct {
	net.Listener
	handed *atomic.Int64
}

func (w witnessing) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return witness{c.(*net.TCPConn), w.handed}, nil
}

type witness struct {
	*net.TCPConn
	handed *atomic.Int64
}

func (w witness) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.TCPConn.ReadFrom(r)
	if limited, ok := r.(*io.LimitedReader); ok {
		if _, ok := limited.R.(syscall.Conn); ok {
			w.handed.Add(n)
		}
	}
	return n, err
}
