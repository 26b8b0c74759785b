package source_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// origin is a repository that the tests push to with the real git.
type origin struct {
	t   testing.TB
	dir string // a work tree
}

func newOrigin(t testing.TB) *origin {
	t.Helper()
	o := &origin{t, filepath.Join(t.TempDir(), "origin")}
	o.run("init", "-q", "-b", "main", o.dir)
	return o
}

// gitEnv is a git without anybody's configuration and with a fixed author.
func gitEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Asha", "GIT_AUTHOR_EMAIL=asha@example.com", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME=Asha", "GIT_COMMITTER_EMAIL=asha@example.com", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=gc.auto", "GIT_CONFIG_VALUE_0=0", "GIT_CONFIG_KEY_1=core.fsync", "GIT_CONFIG_VALUE_1=none"}
}

func runGit(t testing.TB, dir, input string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, gitEnv(), strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func (o *origin) run(args ...string) string {
	o.t.Helper()
	dir := o.dir
	if args[0] == "init" {
		dir = ""
	}
	return runGit(o.t, dir, "", args...)
}

// write puts files into the work tree; an empty text removes one.
func (o *origin) write(files map[string]string) {
	o.t.Helper()
	writeFiles(o.t, o.dir, files)
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if text == "" {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// commit writes files and commits everything; it returns the commit's id.
func (o *origin) commit(message string, files map[string]string) string {
	o.t.Helper()
	o.write(files)
	o.run("add", "-A", "-f")
	o.run("commit", "-q", "--allow-empty", "-m", message)
	return o.run("rev-parse", "HEAD")
}

// rawTree stores a tree object that git itself would not write.
func (o *origin) rawTree(raw []byte) string {
	o.t.Helper()
	return runGit(o.t, o.dir, string(raw), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
}

func (o *origin) commitTree(tree string) string {
	o.t.Helper()
	commit := o.run("commit-tree", "-m", "raw", tree)
	o.run("update-ref", "refs/heads/main", commit)
	return commit
}

// server serves an origin over smart HTTP and counts requests.
type server struct {
	*httptest.Server
	gets, posts atomic.Int64
}

func serve(t testing.TB, o *origin, wrap func(http.Handler) http.Handler) *server {
	t.Helper()
	backend := filepath.Join(runGit(t, "", "", "--exec-path"), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skip("git http-backend is not installed")
	}
	s := &server{}
	var h http.Handler = &cgi.Handler{Path: backend, Logger: log.New(io.Discard, "", 0), Stderr: io.Discard, Env: append(gitEnv(), "GIT_PROJECT_ROOT="+filepath.Dir(o.dir), "GIT_HTTP_EXPORT_ALL=1")}
	if wrap != nil {
		h = wrap(h)
	}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			s.gets.Add(1)
		} else {
			s.posts.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// caFile writes the server's certificate where a source can be pointed at it.
func (s *server) caFile(t testing.TB) string {
	t.Helper()
	return writePEM(t, s.Certificate().Raw)
}

func (s *server) config(t testing.TB) source.GitConfig {
	return source.GitConfig{URL: s.URL + "/origin/.git", Dir: mirrorDir(t), Credentials: source.Credentials{CAFile: s.caFile(t)}}
}

func mirrorDir(t testing.TB) string { return filepath.Join(t.TempDir(), "mirror") }

func openGit(t testing.TB, c source.GitConfig) *source.Git {
	t.Helper()
	if c.Dir == "" {
		c.Dir = mirrorDir(t)
	}
	g, err := source.NewGit(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

type fetcher interface {
	Fetch(context.Context, ...string) (source.Artifact, error)
}

func mustFetch(t testing.TB, f fetcher, last string) source.Artifact {
	t.Helper()
	a, err := f.Fetch(context.Background(), last)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantFault checks an error's class and that its text, hint included, says
// certain words.
func wantFault(t testing.TB, err error, kind fault.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of kind %s", kind)
	}
	if got := fault.KindOf(err); got != kind {
		t.Errorf("kind %s, want %s: %v", got, kind, err)
	}
	text := err.Error() + " | " + fault.HintOf(err)
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}
