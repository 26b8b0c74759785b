package child_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
)

// parentEnv makes a copy of this test binary a parent that starts a child,
// prints its process id and waits to be killed.
const parentEnv = "FAZT_TEST_PARENT"

func TestMain(m *testing.M) {
	if ran, exit := child.Main(os.Args, roles()); ran {
		os.Exit(exit)
	}
	if os.Getenv(parentEnv) != "" {
		os.Exit(parent())
	}
	os.Exit(m.Run())
}

func parent() int {
	p, err := child.Start(context.Background(), "spin", child.Limits{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(p.PID())
	return map[bool]int{true: 2}[p.Wait() != nil]
}

// usual are limits that a well-behaved child does not meet.
func usual() child.Limits {
	return child.Limits{Data: 256 << 20, CPU: 10 * time.Second, Wall: 30 * time.Second}
}

func start(t testing.TB, role string, l child.Limits) *child.Process {
	t.Helper()
	p, err := child.Start(context.Background(), role, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); p.Wait() })
	return p
}

func TestEcho(t *testing.T) {
	p := start(t, "echo", usual())
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	for _, want := range [][]byte{[]byte("hello"), {}, big, []byte("again")} {
		wrote := make(chan error, 1)
		go func() { wrote <- p.Conn().WriteFrame(want) }()
		got, err := p.Conn().ReadFrame()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes came back as %d: %v", len(want), len(got), err)
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Wait(); err != nil {
		t.Errorf("a good end: %v", err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("waiting again: %v", err)
	}
}

// A child that comes later than others does so with all of its threads.
func TestNice(t *testing.T) {
	l := usual()
	l.Nice = 7
	p := start(t, "echo", l)
	if err := p.Conn().WriteFrame(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Conn().ReadFrame(); err != nil { // it runs, on what threads it needs
		t.Fatal(err)
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.PID()))
	if err != nil || len(threads) == 0 {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		if priority, err := unix.Getpriority(unix.PRIO_PROCESS, id); err != nil || 20-priority != 7 { // as getpriority(2) of Linux counts
			t.Errorf("thread %d is nice by %d: %v", id, 20-priority, err)
		}
	}
}

// Frames of several writers do not mix.
func TestConcurrentWriters(t *testing.T) {
	p := start(t, "echo", usual())
	for i := range 8 {
		go func() {
			for range 50 {
				p.Conn().WriteFrame(bytes.Repeat([]byte{byte('a' + i)}, 1000*i))
			}
		}()
	}
	for range 400 {
		frame, err := p.Conn().ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if len(frame) > 0 && len(bytes.Trim(frame, string(frame[:1]))) > 0 {
			t.Fatal("a frame of two writers")
		}
	}
}

// Every bad end has its reason, its kind and a sentence, and comes in bounded
// time.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		role   string
		limits child.Limits
		reason child.Reason
		kind   fault.Kind
		says   string
	}{
		{"memory", child.Limits{Data: 128 << 20, CPU: 30 * time.Second}, child.Memory, fault.Exhausted, `"memory" needed more than`},
		{"stack", child.Limits{Data: 128 << 20, CPU: 30 * time.Second}, child.Memory, fault.Exhausted, `"stack" needed more than`},
		{"spin", child.Limits{CPU: 200 * time.Millisecond, Wall: time.Minute}, child.CPU, fault.Exhausted, `"spin" computed for more than`},
		{"spin", child.Limits{Wall: 50 * time.Millisecond}, child.Wall, fault.Exhausted, `"spin" took more than`},
		{"stuck", child.Limits{Wall: 50 * time.Millisecond}, child.Wall, fault.Exhausted, `"stuck" took more than`},
		{"fail", usual(), child.Failed, fault.Internal, `"fail" failed: no such luck`},
		{"panic", usual(), child.Crashed, fault.Internal, `"panic" crashed: panic: oh`},
	} {
		t.Run(c.role+" "+string(c.reason), func(t *testing.T) {
			t.Parallel()
			p := start(t, c.role, c.limits)
			if _, err := p.Conn().ReadFrame(); err != io.EOF {
				t.Errorf("the connection says %v", err)
			}
			err := p.Wait()
			if child.ReasonOf(err) != c.reason || fault.KindOf(err) != c.kind || !strings.HasPrefix(fmt.Sprint(err), c.says) {
				t.Errorf("%s, %s: %v\n%s", child.ReasonOf(err), fault.KindOf(err), err, p.Stderr())
			}
		})
	}
}

func TestKillAndCancel(t *testing.T) {
	p := start(t, "stuck", child.Limits{})
	p.Kill()
	if err := p.Wait(); child.ReasonOf(err) != child.Killed || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("killed: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	p, err := child.Start(ctx, "stuck", child.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := p.Wait(); !errors.Is(err, context.Canceled) || child.ReasonOf(err) != "" {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := child.Start(ctx, "stuck", child.Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("started late: %v", err)
	}
}

// A role that ends is not left waiting by a parent that does not read, nor the
// other way round.
func TestEndWithoutReading(t *testing.T) {
	if err := start(t, "silent", usual()).Wait(); err != nil {
		t.Error(err)
	}
	p := start(t, "echo", usual())
	go p.Conn().WriteFrame(make([]byte, 8<<20))
	if _, err := p.Conn().ReadFrame(); err != nil {
		t.Error(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func TestStderrIsBounded(t *testing.T) {
	p := start(t, "chatter", usual())
	p.Wait()
	said := p.Stderr()
	if len(said) > 13<<10 || !strings.HasPrefix(said, "first words") || !strings.HasSuffix(said, "last words\n") {
		t.Errorf("%d bytes: %.40q ... %q", len(said), said, said[max(0, len(said)-40):])
	}
}

// A child cannot make its parent allocate by claiming a long frame.
func TestBadFrames(t *testing.T) {
	p := start(t, "garbage", usual())
	if _, err := p.Conn().ReadFrame(); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a frame of 4 GiB: %v", err)
	}
	p = start(t, "half", usual())
	if _, err := p.Conn().ReadFrame(); err != io.ErrUnexpectedEOF {
		t.Errorf("half a frame: %v", err)
	}
	p = start(t, "echo", child.Limits{Frame: 10})
	if err := p.Conn().WriteFrame(make([]byte, 11)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a frame over our own limit: %v", err)
	}
}

// A child inherits nothing, and where the kernel can, it has neither files nor
// network.
func TestEnclosed(t *testing.T) {
	t.Setenv("FAZT_SECRET", "x")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := start(t, "look", child.Limits{Data: 256 << 20, Files: 24})
	if err := p.Conn().WriteFrame([]byte(l.Addr().String())); err != nil {
		t.Fatal(err)
	}
	frame, err := p.Conn().ReadFrame()
	if err != nil {
		t.Fatal(err, p.Wait())
	}
	var f found
	if err := json.Unmarshal(frame, &f); err != nil {
		t.Fatal(err)
	}
	// The race detector's own setting stands there when it watches.
	f.Env = slices.DeleteFunc(f.Env, func(v string) bool { return strings.HasPrefix(v, "GORACE=") })
	if len(f.Env) != 0 || f.Files != 24 || f.Core != 0 {
		t.Errorf("the child has environment %q, %d files, %d core", f.Env, f.Files, f.Core)
	}
	if f.Thread {
		t.Error("the child's socket blocks a thread")
	}
	abi := landlock()
	if abi < 1 {
		t.Log("this kernel has no Landlock")
	}
	if abi >= 1 && (!strings.Contains(f.Read, "permission denied") || !strings.Contains(f.Exec, "permission denied")) {
		t.Errorf("reading a file: %s; starting a program: %s", f.Read, f.Exec)
	}
	if abi >= 4 && !strings.Contains(f.Dialed, "permission denied") {
		t.Errorf("dialling: %s", f.Dialed)
	}
}

// A child that was given a folder reads what is in it and nothing beside it.
func TestFolder(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	given, beside := filepath.Join(dir, "given"), filepath.Join(dir, "beside")
	for _, d := range []string{given, beside} {
		if err := os.MkdirAll(filepath.Join(d, "deep"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "deep", "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := usual()
	l.Folder = given
	p := start(t, "peek", l)
	peek := func(path string) string {
		if err := p.Conn().WriteFrame([]byte(path)); err != nil {
			t.Fatal(err)
		}
		said, err := p.Conn().ReadFrame()
		if err != nil {
			t.Fatal(err, p.Wait())
		}
		return string(said)
	}
	if said := peek(filepath.Join(given, "deep", "file")); said != "<nil>" {
		t.Errorf("reading below the folder: %s", said)
	}
	if landlock() < 1 {
		t.Skip("this kernel has no Landlock")
	}
	for _, path := range []string{filepath.Join(beside, "deep", "file"), filepath.Join(given, "../beside/deep/file"), "/etc/passwd", "/proc/self/environ"} {
		if said := peek(path); !strings.Contains(said, "permission denied") {
			t.Errorf("reading %s: %s", path, said)
		}
	}
}

// landlock returns the kernel's version of it, 0 for none.
func landlock() int {
	version, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// Go's runtime does all it needs inside the enclosure and the smallest limits.
func TestRuntimeWorks(t *testing.T) {
	p := start(t, "work", child.Limits{Data: 128 << 20, CPU: 10 * time.Second, Files: 16})
	frame, err := p.Conn().ReadFrame()
	if err != nil {
		t.Fatal(p.Wait())
	}
	if string(frame) != strconv.Itoa(31*2000+1) {
		t.Errorf("the child counted %s", frame)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// By hand, without a parent, a role refuses with a sentence.
func TestByHand(t *testing.T) {
	cmd := exec.Command(os.Args[0], "echo")
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 64 || !strings.Contains(string(said), "fazt starts by itself") {
		t.Errorf("%v: %s", err, said)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd = exec.Command(os.Args[0], "echo")
	cmd.ExtraFiles = []*os.File{f}
	if said, _ = cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 64 {
		t.Errorf("with another file in its place: %s", said)
	}
}

func TestMainIgnoresOthers(t *testing.T) {
	for _, args := range [][]string{nil, {"fazt"}, {"fazt", "serve"}, {"fazt", "serve", "echo"}} {
		if ran, _ := child.Main(args, roles()); ran {
			t.Errorf("%q ran a role", args)
		}
	}
}

// A child does not outlive its parent, even while it computes.
func TestParentKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	cmd.Process.Kill()
	cmd.Wait()
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(polled, 30_000)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n != 1 {
			t.Fatalf("the child is still there: %v", err)
		}
		return
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02hi"))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, w := child.Pipe(t, 1<<16)
		go func() {
			w.Write(raw)
			w.Close()
		}()
		read := 0
		for {
			frame, err := c.ReadFrame()
			if err != nil {
				break
			}
			if read += 4 + len(frame); read > len(raw) {
				t.Fatalf("%d bytes of frames out of %d", read, len(raw))
			}
		}
	})
}

// The price of a child: start, one frame there and back, end.
func BenchmarkSpawn(b *testing.B) {
	for b.Loop() {
		p, err := child.Start(context.Background(), "echo", usual())
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Conn().WriteFrame([]byte("x")); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Conn().ReadFrame(); err != nil {
			b.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}
