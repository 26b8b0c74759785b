package platform_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/clock"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

func open(t testing.TB, dir string) *platform.Platform {
	t.Helper()
	p, err := platform.Open(context.Background(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// A release and its journal entry are recorded together, and found by the next
// process.
func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	p := open(t, dir)
	if err := p.DB.Write(t.Context(), func(tx *sqlite.Tx) error {
		if err := p.Releases.Commit(tx, release.Change{Generation: release.Generation{Number: 1, Revision: "r1"},
			Put: []release.Object{{Addr: "app.a", Kind: "app", Name: "a", Manifest: []byte("[]")}}}); err != nil {
			return err
		}
		_, err := p.Journal.Append(tx, journal.Entry{Action: "publish", Outcome: "ok"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}

	p = open(t, dir)
	g, objects, err := p.Releases.Current(t.Context())
	if err != nil || g.Revision != "r1" || len(objects) != 1 {
		t.Errorf("%+v, %v, %v", g, objects, err)
	}
	if _, err := p.Journal.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// A folder is emptied only while nobody has it.
func TestClear(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := platform.Clear(dir); err != nil {
		t.Errorf("nothing to empty: %v", err)
	}
	p := open(t, dir)
	if err := platform.Clear(dir); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("in use: %v", err)
	}
	if err := p.DB.Write(t.Context(), func(tx *sqlite.Tx) error {
		return p.Releases.Commit(tx, release.Change{Generation: release.Generation{Number: 1, Revision: "r1"}})
	}); err != nil {
		t.Errorf("a refused clearing took something: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := platform.Clear(dir); err != nil {
		t.Fatal(err)
	}
	if g, _, err := open(t, dir).Releases.Current(t.Context()); err != nil || g.Number != 0 {
		t.Errorf("%+v, %v", g, err)
	}
}

// Nothing in the folder is for others, whatever the umask.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "state")
	p := open(t, dir)
	l, err := p.Listen("fazt.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestOneOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p := open(t, dir)
	_, err := platform.Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if fault.KindOf(err) != fault.Exhausted || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Errorf("a second owner: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

// A lock file that a dead process left is no obstacle.
func TestLeftoverLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lock"), []byte("4194304999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	b, err := os.ReadFile(filepath.Join(dir, "lock"))
	if err != nil || string(b) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("the lock says %q, %v", b, err)
	}
}

func TestFolderOfOthers(t *testing.T) {
	readable := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(readable, 0o755); err != nil {
		t.Fatal(err)
	}
	open(t, readable)
	if info, err := os.Stat(readable); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a readable folder stays %v, %v", info.Mode(), err)
	}

	for _, mode := range []os.FileMode{0o770, 0o707, 0o777 | os.ModeSticky} {
		dir := filepath.Join(t.TempDir(), "state")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := platform.Open(t.Context(), dir, slog.New(slog.DiscardHandler))
		if fault.KindOf(err) != fault.Forbidden || fault.HintOf(err) == "" {
			t.Errorf("mode %v: %v", mode, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("mode %v: something was written: %v, %v", mode, left, err)
		}
	}

	if os.Geteuid() == 0 {
		dir := filepath.Join(t.TempDir(), "state")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		if _, err := platform.Open(t.Context(), dir, slog.New(slog.DiscardHandler)); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("somebody else's folder: %v", err)
		}
	}
}

// A damaged record is set aside, whole and with what lies beside it, and an empty
// one takes its place; nothing that it may refer to is swept.
func TestDamagedRecordIsSetAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	db := filepath.Join(dir, "node.db")
	p := open(t, dir)
	list := serve(t, p, "a file of the old record")
	for i, bad := range []string{strings.Repeat("not a database ", 1000), "SQLite format 3\x00 and no more", "cut"} {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(db, []byte(bad), 0o600), os.WriteFile(db+"-wal", []byte("log"), 0o600)); err != nil {
			t.Fatal(err)
		}
		p = open(t, dir)
		if g, _, err := p.Releases.Current(t.Context()); err != nil || g.Number != 0 {
			t.Fatalf("generation %d, %v", g.Number, err)
		}
		aside := p.Aside()
		if len(aside) != i+1 {
			t.Fatalf("aside are %q", aside)
		}
		for suffix, want := range map[string]string{"": bad, "-wal": "log"} {
			if got, err := os.ReadFile(aside[i] + suffix); err != nil || string(got) != want {
				t.Errorf("%s is %q, %v", aside[i]+suffix, got, err)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx, platform.Files{Digests: words}) }()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, there := p.Blobs.Stat(list[0], blob.Identity); !there {
		t.Error("a file of the old record is gone")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p = open(t, dir); len(p.Aside()) != 3 {
		t.Errorf("an empty record is no damage: %q", p.Aside())
	}
}

// What SQLite meets while the node runs is looked for at the next start.
func TestDamageIsRemembered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p := open(t, dir)
	big := strings.Repeat("x", 20<<20) // so that a good end spares the check
	write := func(number uint64) error {
		return p.DB.Write(t.Context(), func(tx *sqlite.Tx) error {
			return p.Releases.Commit(tx, release.Change{Generation: release.Generation{Number: number}, Put: []release.Object{{Addr: "app.a", Body: []byte(big)}}})
		})
	}
	if err := write(1); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir)
	f, err := os.OpenFile(filepath.Join(dir, "node.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(4096); at < info.Size(); at += 4096 {
		if _, err := f.WriteAt([]byte{0xff, 0xff, 0xff, 0xff}, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := p.Releases.Current(t.Context()); !sqlite.Damaged(err) {
		t.Fatalf("read all the same: %v", err)
	}
	_ = p.Close()
	if p = open(t, dir); len(p.Aside()) != 1 {
		t.Errorf("aside are %q", p.Aside())
	}
}

// Temporary files do not outlive the process, and old ones not a day.
func TestTemporaryFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p := open(t, dir)
	names := func() (list []string) {
		entries, err := os.ReadDir(p.Temp)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	write := func(name string, age time.Duration) {
		path := filepath.Join(p.Temp, name)
		at := time.Now().Add(-age)
		if err := errors.Join(os.MkdirAll(path, 0o700), os.WriteFile(filepath.Join(path, "x"), nil, 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		p.Clock = clock.New(time.Time{}, nil) // the bubble's
		write("old", 23*time.Hour+30*time.Minute)
		write("new", 0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx, platform.Files{}) }()
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if got := names(); len(got) != 1 || got[0] != "new" {
			t.Errorf("after an hour: %v", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir)
	if got := names(); len(got) != 0 {
		t.Errorf("after a restart: %v", got)
	}
}

// A wall clock that is set empties no trash, and one that was wrong neither
// when it is put right. What is due goes when it is.
func TestClockJumpsEmptyNoTrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, t.TempDir())
		defer p.Close()
		var off atomic.Int64 // the wall clock is
		p.Clock = clock.New(time.Time{}, func() time.Time { return time.Now().Add(time.Duration(off.Load())) })
		park := func(addr string, age time.Duration) {
			t.Helper()
			if err := p.DB.Write(t.Context(), func(tx *sqlite.Tx) error {
				g, _, err := p.Releases.Current(t.Context())
				if err != nil {
					return err
				}
				return errors.Join(
					p.Releases.Commit(tx, release.Change{Generation: release.Generation{Number: g.Number + 1}, Put: []release.Object{{Addr: addr}}}),
					p.Releases.Commit(tx, release.Change{
						Generation: release.Generation{Number: g.Number + 2}, Drop: []string{addr},
						Park: []release.Parking{{Addr: addr, Until: p.Clock.Now().Add(30*24*time.Hour - age)}},
					}))
			}); err != nil {
				t.Fatal(err)
			}
		}
		parked := func() (list []string) {
			t.Helper()
			trash, err := p.Releases.Trash(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range trash {
				list = append(list, p.Object.Addr)
			}
			return list
		}
		park("app.old", 30*24*time.Hour-4*time.Hour)
		park("app.new", 0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx, platform.Files{Digests: words}) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		const year = 365 * 24 * time.Hour
		for _, jump := range []time.Duration{10 * year, -30 * year} { // each for an hour and a half
			off.Store(int64(jump))
			time.Sleep(90 * time.Minute)
			synctest.Wait()
			if got := parked(); len(got) != 2 {
				t.Errorf("off by %s, what is left is %v", jump, got)
			}
		}
		park("app.then", 0) // while it is 1970
		off.Store(0)
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if got := parked(); len(got) != 2 || got[0] != "app.new" || got[1] != "app.then" {
			t.Errorf("with the clock put right, what is left is %v", got)
		}
	})
}

// A clock that is wrong at the start empties no trash either.
func TestStartWithAWrongClockEmptiesNoTrash(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-10 * 365 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "lock"), long, long); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir)
	if sure := p.Clock.Sure(); sure.Sub(long) > time.Minute {
		t.Errorf("it was %s at the last end, and now it is %s for sure", long, sure)
	}
	if ahead := time.Until(p.Clock.Now()).Abs(); ahead > time.Minute {
		t.Errorf("an end that is set now is off by %s", ahead)
	}
}

// shortAndLong are folders whose sockets fit into the kernel's limit, and do not.
func shortAndLong(t *testing.T) map[string]string {
	t.Helper()
	short, err := os.MkdirTemp("", "fz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	long := filepath.Join(short, strings.Repeat("long", 40))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"short": short, "long": long}
}

func answer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.WriteString(c, "hello")
		c.Close()
	}
}

func ask(dir string) (string, error) {
	c, err := platform.DialUnix(context.Background(), dir, "s")
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestSocket(t *testing.T) {
	for name, dir := range shortAndLong(t) {
		t.Run(name, func(t *testing.T) {
			if _, err := ask(dir); fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.HintOf(err), "fazt serve") {
				t.Errorf("before: %v", err)
			}
			l, err := platform.ListenUnix(dir, "s")
			if err != nil {
				t.Fatal(err)
			}
			go answer(l)
			if info, err := os.Stat(filepath.Join(dir, "s")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info, err)
			}
			if l.Addr().String() != filepath.Join(dir, "s") {
				t.Errorf("address %s", l.Addr())
			}
			if got, err := ask(dir); got != "hello" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if _, err := platform.ListenUnix(dir, "s"); fault.KindOf(err) != fault.Exhausted {
				t.Errorf("a second listener: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "s")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after closing: %v", err)
			}
		})
	}
}

// A socket of a process that was killed is replaced; a file is not.
func TestLeftoverSocket(t *testing.T) {
	for name, dir := range shortAndLong(t) {
		t.Run(name, func(t *testing.T) {
			leftover(t, dir)
			if _, err := ask(dir); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("a leftover: %v", err)
			}
			l, err := platform.ListenUnix(dir, "s")
			if err != nil {
				t.Fatal(err)
			}
			go answer(l)
			if got, err := ask(dir); got != "hello" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			l.Close()
		})
	}
}

// leftover binds a socket and lets go of it as a dying process does.
func leftover(t *testing.T, dir string) {
	t.Helper()
	t.Chdir(dir)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: "s"}), syscall.Close(fd)); err != nil {
		t.Fatal(err)
	}
}

// Of many that start at once over a leftover, one gets the socket.
func TestSocketRace(t *testing.T) {
	dir := shortAndLong(t)["short"]
	for range 20 {
		leftover(t, dir)
		var mu sync.Mutex
		var won []net.Listener
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				l, err := platform.ListenUnix(dir, "s")
				if err != nil {
					if fault.KindOf(err) != fault.Exhausted {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				won = append(won, l)
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d listeners", len(won))
		}
		won[0].Close()
	}
}

func BenchmarkReopen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "state")
	open(b, dir).Close()
	for b.Loop() {
		if err := open(b, dir).Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// A child of a killed node may hold its lock for a moment. Whoever starts then
// waits for it, but not for a holder that is there.
func TestLockOutlivesItsHolderByAMoment(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	gone := exec.Command("/bin/true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.WriteString(strconv.Itoa(gone.Process.Pid) + "\n"); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(50*time.Millisecond, func() { lock.Close() }).Stop()
	p, err := platform.Open(context.Background(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("the lock of a dead process is in the way: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// A folder that was closed is free at once, also while a child that is being
// started still has a copy of the file that was locked.
func TestClosedFolderIsFree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p := open(t, dir)
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	copies := 0
	for _, file := range files {
		if name, err := os.Readlink(file); err != nil || name != filepath.Join(dir, "lock") {
			continue
		}
		number, err := strconv.Atoi(filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		copied, err := syscall.Dup(number)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(copied)
		copies++
	}
	if copies != 1 {
		t.Fatalf("%d files are the folder's lock, want 1", copies)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = platform.Open(context.Background(), dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// A start that ends well is forgotten, one that does not is counted for a
// minute.
func TestCrashes(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		if p := open(t, dir); p.Crashes() != 0 {
			t.Fatalf("%d crashes after good ends", p.Crashes())
		} else if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(platform.RunFolder(dir), "starts")
	now := time.Now().UTC()
	for text, want := range map[string]int{
		"":  0,
		"[": 0,
		fmt.Sprintf(`["%s","%s","%s"]`, now.Add(-2*time.Minute).Format(time.RFC3339Nano), now.Add(-30*time.Second).Format(time.RFC3339Nano), now.Add(-time.Second).Format(time.RFC3339Nano)): 2,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := open(t, dir)
		if p.Crashes() != want {
			t.Errorf("%q: %d crashes, want %d", text, p.Crashes(), want)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
