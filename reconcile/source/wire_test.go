package source_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// breaking serves an origin whose packs are cut off by what break does to the
// connection once it is asked for one.
func breaking(t *testing.T, o *origin, spoil func(w http.ResponseWriter, r *http.Request)) (*server, *atomic.Bool) {
	t.Helper()
	var broken atomic.Bool
	broken.Store(true)
	s := serve(t, o, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && broken.Load() {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
				spoil(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	return s, &broken
}

func reset(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, pkt("NAK\n")+pkt("\x01PACK\x00\x00\x00\x02\x00\x00\x00\x05"))
	_ = http.NewResponseController(w).Flush()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		if tcp, ok := tls.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not a goodbye
		}
	}
	conn.Close()
}

func endlessWords(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, pkt("NAK\n"))
	for line := pkt("\x02" + strings.Repeat("counting ", 1000)); r.Context().Err() == nil; {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
}

func endlessLines(w http.ResponseWriter, r *http.Request) {
	for line := strings.Repeat(pkt("ACK "+strings.Repeat("ab", 20)+" common\n"), 100); r.Context().Err() == nil; {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
}

// A server that misbehaves in the middle of an answer costs a bounded amount,
// leaves nothing behind, and the next honest answer is taken.
func TestMisbehavingServersLeaveNothingBehind(t *testing.T) {
	for name, spoil := range map[string]func(http.ResponseWriter, *http.Request){
		"reset": reset, "endless words": endlessWords, "endless lines": endlessLines,
		"unauthorised late": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"gone late":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"another answer":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>sign in") },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			first := o.commit("first", map[string]string{"a.txt": "a"})
			s, broken := breaking(t, o, spoil)
			c := s.config(t)
			c.Limits.Transfer = 4 << 20
			g := openGit(t, c)
			before, files := entries(t, c.Dir), openFiles(t)
			for range 5 { // flapping
				_, err := g.Fetch(t.Context(), "")
				switch kind := fault.KindOf(err); kind {
				case fault.Unavailable, fault.Exhausted, fault.Unauthenticated, fault.NotFound:
				default:
					t.Errorf("kind %s: %v", kind, err)
				}
			}
			if after := entries(t, c.Dir); after != before {
				t.Errorf("%d entries in the mirror, %d before", after, before)
			}
			if n := ours(); n != 0 {
				t.Errorf("%d goroutines are left", n)
			}
			if now := openFiles(t); now > files+10 { // connections that idle on both sides
				t.Errorf("%d open files, %d before", now, files)
			}
			broken.Store(false)
			if a := mustFetch(t, g, ""); a.Revision != first {
				t.Errorf("%s", a.Revision)
			}
		})
	}
}

// entries counts the files and folders below a folder.
func entries(t testing.TB, dir string) (n int) {
	t.Helper()
	err := filepath.Walk(dir, func(_ string, _ os.FileInfo, err error) error {
		n++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A byte now and then does not hold the source until its deadline; a transfer
// that is merely slow is left alone.
func TestLowestRate(t *testing.T) {
	for name, c := range map[string]struct {
		bytes  int // every second
		passes bool
	}{"trickle": {10, false}, "slow": {2 << 10, true}} {
		t.Run(name, func(t *testing.T) {
			dir := mirrorDir(t)
			pack := honestPack(t)
			synctest.Test(t, func(t *testing.T) {
				err := source.ReceiveSlowly(t, dir, pack, c.bytes)
				if c.passes != (err == nil) {
					t.Errorf("%v", err)
				}
				if err != nil {
					wantFault(t, err, fault.Unavailable, "less than 1024 bytes a second")
				}
			})
			if left := packFiles(t, dir); !c.passes && len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// honestPack is an answer of git itself, of about 100 KB.
func honestPack(t *testing.T) []byte {
	t.Helper()
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": incompressible(100 << 10)})
	list := runGit(t, o.dir, "", "rev-list", "--objects", "--no-object-names", "HEAD")
	runGit(t, o.dir, list, "pack-objects", "-q", filepath.Join(o.dir, "p"))
	found, err := filepath.Glob(filepath.Join(o.dir, "p-*.pack"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	raw, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A repository whose history is over the budget of a first fetch is followed
// all the same: its end is fetched, and as much more as it takes to find what
// was applied.
func TestLargeHistoriesAreCut(t *testing.T) {
	for name, serveIt := range map[string]func(o *origin) source.GitConfig{
		"https": func(o *origin) source.GitConfig { return serve(t, o, nil).config(t) },
		"ssh":   func(o *origin) source.GitConfig { return serveSSH(t).config(t, o) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			ids := history(t, o, 300)
			c := serveIt(o)
			c.Limits.Clone = 20 << 10
			g := openGit(t, c)
			a := mustFetch(t, g, "")
			if a.Revision != ids[299] || commits(t, c.Dir) != 50 {
				t.Errorf("%.12s with %d commits, want the newest 50", a.Revision, commits(t, c.Dir))
			}
			// Applied 150 commits ago: 200 are enough.
			mustFetch(t, g, ids[150])
			if n := commits(t, c.Dir); n != 200 {
				t.Errorf("%d commits, want 200", n)
			}
			mustFetch(t, g, ids[10])
			if n := commits(t, c.Dir); n != 300 {
				t.Errorf("%d commits, want all", n)
			}
			runGit(t, c.Dir, "", "fsck", "--strict")

			// A rewritten history is told apart from a cut one.
			g = openGit(t, func() source.GitConfig { c.Dir = mirrorDir(t); return c }())
			mustFetch(t, g, "")
			o.run("checkout", "-q", "--orphan", "fresh")
			other := o.commit("other", nil)
			o.run("branch", "-M", "main")
			_, err := g.Fetch(t.Context(), ids[299])
			wantCode(t, err, "F2201")
			if a, err := g.Fetch(t.Context(), ids[299], other); err != nil || a.Revision != other {
				t.Errorf("accepted: %v", err)
			}
			// And what follows the cut is fetched as ever.
			next := o.commit("next", map[string]string{"n.txt": "n"})
			if a := mustFetch(t, g, other); a.Revision != next {
				t.Errorf("%s", a.Revision)
			}
		})
	}
}

func history(t *testing.T, o *origin, n int) (ids []string) {
	t.Helper()
	var stream strings.Builder
	for i := range n {
		text := incompressible(1<<10) + strings.Repeat("x", i)
		stream.WriteString("commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata 1\nc\nM 644 inline f.txt\ndata " + strconv.Itoa(len(text)) + "\n" + text + "\n")
	}
	runGit(t, o.dir, stream.String(), "fast-import", "--quiet")
	o.run("reset", "-q", "--hard")
	return strings.Fields(o.run("rev-list", "--reverse", "main"))
}

func commits(t *testing.T, mirror string) int {
	t.Helper()
	return len(strings.Fields(runGit(t, mirror, "", "rev-list", "refs/fazt/src/main")))
}

func TestServersThatCannotCutHistoryAreNamed(t *testing.T) {
	o := newOrigin(t)
	history(t, o, 50)
	c := serve(t, o, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&without{ResponseWriter: w, word: " shallow "}, r)
		})
	}).config(t)
	c.Limits.Clone = 4 << 10
	_, err := openGit(t, c).Fetch(t.Context(), "")
	wantFault(t, err, fault.Exhausted, "cannot leave out old history")
	wantCode(t, err, "F2205")
}

// without takes a word out of what a server says, keeping the length.
type without struct {
	http.ResponseWriter
	word string
}

func (w *without) Write(p []byte) (int, error) {
	_, err := w.ResponseWriter.Write([]byte(strings.ReplaceAll(string(p), w.word, strings.ReplaceAll(w.word, "shallow", "nothing"))))
	return len(p), err
}

func TestMemoryOfAFetchIsBoundedAndTold(t *testing.T) {
	o := newOrigin(t)
	id := o.commit("many", manyApps(200))
	c := serve(t, o, nil).config(t)
	r := newRecord()
	c.Log, c.Limits.Memory = r.log(), 100<<10
	_, err := openGit(t, c).Fetch(t.Context(), "")
	wantFault(t, err, fault.Exhausted, "memory", "--fetch-with git")
	wantCode(t, err, "F2206")
	if left := packFiles(t, c.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}

	c.Limits.Memory = 0
	g := openGit(t, c)
	mustFetch(t, g, "")
	s := g.Stats()
	if s.Packs != 1 || s.Last.Objects < 600 || s.Last.Bytes == 0 || s.Last.Memory == 0 || s.Last.Memory > s.MemoryLimit || s.Bytes < s.Last.Bytes {
		t.Errorf("%+v", s)
	}
	for key, want := range map[string]int64{"objects": int64(s.Last.Objects), "bytes": s.Last.Bytes, "packs": 1, "memory": s.Last.Memory, "memory_limit": 512 << 20} {
		if got := r.last("fetched " + key); got != want {
			t.Errorf("logged %s %d, want %d", key, got, want)
		}
	}

	// With a git binary that is configured the bound does not matter.
	c.Dir, c.Limits.Memory, c.GitBinary = mirrorDir(t), 100<<10, gitBinary(t)
	g = openGit(t, c)
	if a := mustFetch(t, g, ""); a.Revision != id || g.Stats().Last.Objects != s.Last.Objects {
		t.Errorf("%+v", g.Stats())
	}
	runGit(t, c.Dir, "", "fsck", "--strict")
	if left := packFiles(t, c.Dir); len(left) != 2 {
		t.Errorf("%v, want a pack and its index", left)
	}
}

// The configured binary gets a file to index: no address, no secret, nobody's
// configuration. What it makes is judged as ever.
func TestTheConfiguredGitLearnsNothing(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": "a"})
	c := withToken(serve(t, o, nil).config(t))
	told := filepath.Join(t.TempDir(), "told")
	c.GitBinary = filepath.Join(filepath.Dir(told), "git")
	script := "#!/bin/sh\n{ echo \"$@\"; env; cat; } > " + told + "\nexec " + gitBinary(t) + " \"$@\"\n"
	if err := os.WriteFile(c.GitBinary, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("SECRET", canary)
	mustFetch(t, openGit(t, c), "")
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{canary, "https://", "GIT_CONFIG_COUNT", "SSH_"} {
		if strings.Contains(string(text), never) {
			t.Errorf("it was told %q:\n%s", never, text)
		}
	}
	for name, binary := range map[string]string{"missing": "/nonexistent/git", "failing": "/bin/false"} {
		c.Dir, c.GitBinary = mirrorDir(t), binary
		_, err := openGit(t, c).Fetch(context.Background(), "")
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if left := packFiles(t, c.Dir); len(left) != 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
}

func gitBinary(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
