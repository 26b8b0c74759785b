package listen_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	sys "golang.org/x/sys/unix"

	"github.com/fazt-sh/fazt/edge/listen"
	"github.com/fazt-sh/fazt/platform/fault"
)

// heir is the role of this test binary as a process that is started with
// sockets: it says what it has and answers one connection on each.
const heir = "FAZT_TEST_HEIR"

func TestHeir(t *testing.T) {
	if os.Getenv(heir) == "" {
		t.Skip("a process of other tests")
	}
	listeners, err := listen.Inherited()
	if err != nil {
		fmt.Printf("heir: %s %v\n", fault.KindOf(err), err)
		return
	}
	again, err := listen.Inherited()
	fmt.Printf("heir: %d, then %d %v; left %q%q\n", len(listeners), len(again), err, os.Getenv("LISTEN_FDS"), os.Getenv("FAZT_LISTEN_FDS"))
	for _, l := range listeners {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "heir on %s", l.Addr())
		c.Close()
	}
}

// start runs an heir through words, such as a shell that sets a variable.
func start(t *testing.T, files []*os.File, env []string, words ...string) (said func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	words = append(words, self, "-test.run=^TestHeir$", "-test.v")
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(append(os.Environ(), env...), heir+"=1")
	cmd.ExtraFiles = files
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		_ = f.Close()
	}
	return func() string {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
		_, line, _ := strings.Cut(out.String(), "heir: ")
		line, _, _ = strings.Cut(line, "\n")
		return line
	}
}

// ask is a visit that says a byte, as the kernel keeps who says nothing.
func ask(t *testing.T, to net.Addr) string {
	t.Helper()
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 100)
	n, err := c.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer[:n])
}

// Sockets that are handed on serve in the next process, in their order; and in
// this one they are what they were.
func TestAHandOver(t *testing.T) {
	g := listen.NewGuard(listen.Caps{}, nil)
	ours := []net.Listener{g.Guard(listening(t), nil), listening(t)}
	files, env, err := listen.Files(ours)
	if err != nil {
		t.Fatal(err)
	}
	said := start(t, files, env)
	for _, l := range ours {
		if got, want := ask(t, l.Addr()), "heir on "+l.Addr().String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got, want := said(), `2, then 0 <nil>; left """"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	accepted := make(chan error)
	go func() { _, err := ours[1].Accept(); accepted <- err }()
	_ = ours[1].Close()
	if err := <-accepted; err == nil {
		t.Error("accepted at a closed listener")
	}
}

// systemd names the receiver by its number, as this shell does.
func TestSocketActivation(t *testing.T) {
	l := listening(t)
	files, _, err := listen.Files([]net.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	said := start(t, files, []string{"LISTEN_FDS=1"}, "/bin/sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh")
	if got, want := ask(t, l.Addr()), "heir on "+l.Addr().String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := said(), `1, then 0 <nil>; left """"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What is somebody else's is left alone, and what is no listener is not taken
// for one.
func TestWhatIsNotInherited(t *testing.T) {
	if listeners, err := listen.Inherited(); listeners != nil || err != nil {
		t.Errorf("%v, %v", listeners, err)
	}
	files, _, err := listen.Files([]net.Listener{listening(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got := start(t, files, []string{"LISTEN_FDS=1", "LISTEN_PID=1"})(); !strings.HasPrefix(got, "0, then 0 <nil>") {
		t.Errorf("sockets of another process were taken: %s", got)
	}
	for name, open := range map[string]func(l net.Listener) (*os.File, error){
		"a connection": func(l net.Listener) (*os.File, error) {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return nil, err
			}
			defer c.Close()
			return c.(*net.TCPConn).File()
		},
		"a datagram socket": func(net.Listener) (*os.File, error) {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			defer c.Close()
			return c.(*net.UDPConn).File()
		},
		"a file": func(net.Listener) (*os.File, error) { return os.Open(os.DevNull) },
	} {
		t.Run(name, func(t *testing.T) {
			l := listening(t)
			files, env, err := listen.Files([]net.Listener{l, l})
			if err != nil {
				t.Fatal(err)
			}
			_ = files[1].Close()
			if files[1], err = open(l); err != nil {
				t.Fatal(err)
			}
			if got := start(t, files, env)(); !strings.HasPrefix(got, "invalid socket 1 ") {
				t.Errorf("%s", got)
			}
		})
	}
	if _, _, err := listen.Files([]net.Listener{&door{}}); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

// A process that has started its successor still has to stop: its listeners stay
// non-blocking, so that closing one ends an Accept that began after the start.
func TestFilesLeaveTheListenerNonBlocking(t *testing.T) {
	l := listening(t)
	files, _, err := listen.Files([]net.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	defer files[0].Close()
	for range 2 {
		files[0].Fd() // as os/exec does
		raw, err := l.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) {
			flags, err := sys.FcntlInt(fd, sys.F_GETFL, 0)
			if err != nil || flags&sys.O_NONBLOCK == 0 {
				t.Errorf("flags %o (%v)", flags, err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}
