//go:build integration

// The integration tests run the program as its users do: the built binary, the
// real git, signals and kill -9, on loopback and in temporary folders. Nothing
// here sleeps to let something happen: it waits for a log line, an answer or a
// file event, for at most patience.

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long anything is waited for. It is far more than anything
// takes, so that a busy machine fails no test.
const patience = 2 * time.Minute

// builds are the two binaries under test, each built once when first wanted.
// They lie beside the test binary, in the folder that `go test` removes. What the
// Makefile leaves unwatched is in RACEFLAGS; without them all is watched.
type builds struct{ plain, raced func() (string, error) }

var binaries = builds{
	plain: sync.OnceValues(func() (string, error) { return buildProgram("fazt", "0") }),
	raced: sync.OnceValues(func() (string, error) {
		if _, err := exec.LookPath("gcc"); err != nil {
			return buildProgram("fazt", "0")
		}
		return buildProgram("fazt-race", "1", slices.Insert(strings.Fields(os.Getenv("RACEFLAGS")), 0, "-race")...)
	}),
}

func buildProgram(name, cgo string, flags ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(filepath.Dir(self), name)
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", bin}, flags, []string{"."})...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// world is one test's folder: repositories, state folders, a home.
type world struct {
	t   *testing.T
	dir string
	bin string
	env []string

	stamp map[string]int // files of each app in the revisions of a chain; nil is stamped
}

// newWorld has the program that watches itself for data races.
func newWorld(t *testing.T) *world { return worldOf(t, binaries.raced) }

// newPlainWorld has the program as it is shipped, where cost is the subject.
func newPlainWorld(t *testing.T) *world { return worldOf(t, binaries.plain) }

func worldOf(t *testing.T, build func() (string, error)) *world {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), bin: bin}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "FAZT_") {
			w.env = append(w.env, v)
		}
	}
	w.env = append(w.env, "HOME="+w.dir, "XDG_CONFIG_HOME="+w.path(".config"), "XDG_STATE_HOME="+w.path(".local/state"),
		"FAZT_NO_INPUT=1", "NO_COLOR=1", "GIT_CONFIG_GLOBAL="+w.path("gitconfig"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Asha", "GIT_AUTHOR_EMAIL=asha@example.com",
		"GIT_COMMITTER_NAME=Asha", "GIT_COMMITTER_EMAIL=asha@example.com",
		"GORACE=halt_on_error=1 exitcode=66 "+raceEnds)
	// git must not put packs together while a node copies them.
	must(t, os.WriteFile(w.path("gitconfig"), []byte("[gc]\n\tauto = 0\n[receive]\n\tautogc = false\n"), 0o644))
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// write makes files below the world's folder; names end at a slash-separated
// path.
func (w *world) write(files map[string]string) {
	w.t.Helper()
	for name, body := range files {
		must(w.t, os.MkdirAll(filepath.Dir(w.path(name)), 0o755))
		must(w.t, os.WriteFile(w.path(name), []byte(body), 0o644))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// git runs git in a folder of the world and returns what it printed.
func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	return w.gitWith(dir, "", args...)
}

func (w *world) gitWith(dir, stdin string, args ...string) string {
	w.t.Helper()
	out, err := w.tryGit(dir, stdin, args...)
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (w *world) tryGit(dir, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = w.path(dir), w.env, strings.NewReader(stdin)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, problems.String())
	}
	return out.String(), nil
}

// origin makes a bare repository with a working copy in the folder work, and
// pushes what is in that folder.
func (w *world) origin() {
	w.t.Helper()
	must(w.t, os.MkdirAll(w.path("work"), 0o755))
	w.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	w.git("work", "init", "-q", "-b", "main")
	w.git("work", "remote", "add", "origin", "../origin.git")
	w.push("First")
}

// push commits what is in the folder work and pushes it.
func (w *world) push(subject string) (revision string) {
	w.t.Helper()
	w.git("work", "add", "-A")
	w.git("work", "commit", "-q", "-m", subject)
	w.git("work", "push", "-q", "origin", "HEAD:main")
	return w.git("work", "rev-parse", "HEAD")
}

// ended is what a finished command left.
type ended struct {
	stdout, stderr string
	exit           int
}

// fazt runs a command to its end.
func (w *world) fazt(args ...string) ended {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.bin, args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	return w.finish(cmd)
}

func (w *world) finish(cmd *exec.Cmd) ended {
	w.t.Helper()
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		w.t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	return ended{out.String(), problems.String(), cmd.ProcessState.ExitCode()}
}

// want runs a command that must end with an exit code and say something.
func (w *world) want(exit int, says string, args ...string) ended {
	w.t.Helper()
	e := w.fazt(args...)
	if e.exit != exit || !strings.Contains(e.stdout+e.stderr, says) {
		w.t.Fatalf("fazt %s: exit %d, want %d with %q\n%s%s", strings.Join(args, " "), e.exit, exit, says, e.stdout, e.stderr)
	}
	return e
}

// process is a running node.
type process struct {
	w       *world
	state   string
	cmd     *exec.Cmd
	addr    string // of the sites
	control string // of commands and probes

	gone chan struct{} // closed when the process has ended

	mu    sync.Mutex
	lines []string      // guarded by mu: its log
	more  chan struct{} // guarded by mu: closed and replaced with each line
}

// serve starts a node on the state folder of that name and returns when it
// takes commands.
func (w *world) serve(state string, args ...string) *process {
	w.t.Helper()
	return w.serveAs(state, exec.Command(w.bin, append([]string{"serve", "--state", w.path(state), "--listen", "127.0.0.1:0", "--interval", "1h", "--no-safe-mode"}, args...)...))
}

func (w *world) serveAs(state string, cmd *exec.Cmd) *process {
	w.t.Helper()
	p := w.start(state, cmd)
	p.await("msg=commands")
	p.addresses()
	return p
}

// start starts a node and does not wait for it.
func (w *world) start(state string, cmd *exec.Cmd) *process {
	w.t.Helper()
	p := &process{w: w, state: w.path(state), cmd: cmd, gone: make(chan struct{}), more: make(chan struct{})}
	cmd.Dir = w.dir
	if cmd.Env == nil {
		cmd.Env = w.env
	}
	log, err := cmd.StderrPipe()
	must(w.t, err)
	must(w.t, cmd.Start())
	w.t.Cleanup(p.kill)
	go p.listen(log)
	return p
}

// addresses takes from the log where the node listens.
func (p *process) addresses() {
	p.addr = attr(p.await("msg=serving"), "addr")
	p.control = attr(p.await("msg=commands"), "control")
}

// listen keeps the log and notes the end of the process.
func (p *process) listen(log io.Reader) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	p.cmd.Wait()
	close(p.gone)
}

// logged returns the lines of the log so far that hold all of the texts.
func (p *process) logged(texts ...string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return linesWith(p.lines, texts)
}

func linesWith(lines, texts []string) (found []string) {
	for _, line := range lines {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			found = append(found, line)
		}
	}
	return found
}

// await waits for a line of the log that holds all of the texts.
func (p *process) await(texts ...string) string {
	p.w.t.Helper()
	line, there := p.awaitOrEnd(texts...)
	if !there {
		p.w.t.Fatalf("the node ended before it logged %q:\n%s", texts, p.log())
	}
	return line
}

// awaitOrEnd waits for such a line, or for the end of a process without one.
func (p *process) awaitOrEnd(texts ...string) (line string, there bool) {
	p.w.t.Helper()
	late := time.After(patience)
	for {
		p.mu.Lock()
		found, more := linesWith(p.lines, texts), p.more
		p.mu.Unlock()
		if len(found) > 0 {
			return found[0], true
		}
		select {
		case <-more:
		case <-p.gone:
			if found = p.logged(texts...); len(found) > 0 { // its last words
				return found[0], true
			}
			return "", false
		case <-late:
			p.w.t.Fatalf("the node never logged %q:\n%s", texts, p.log())
		}
	}
}

func (p *process) log() string { return strings.Join(p.logged(), "\n") }

// kill ends the process as a power cut would.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.gone
}

// stop ends the process as a supervisor does: it must end well.
func (p *process) stop() {
	p.w.t.Helper()
	p.signal(syscall.SIGTERM)
	p.mustEnd()
}

// endTraced ends a node that runs under strace: the node, not strace.
func (p *process) endTraced() {
	p.w.t.Helper()
	lock, err := os.ReadFile(filepath.Join(p.state, "lock"))
	must(p.w.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(lock)))
	must(p.w.t, err)
	must(p.w.t, syscall.Kill(pid, syscall.SIGTERM))
	p.ended()
}

// ended waits until the process is gone.
func (p *process) ended() {
	p.w.t.Helper()
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.w.t.Fatalf("the node does not end\n%s", p.log())
	}
}

func (p *process) signal(s os.Signal) {
	p.w.t.Helper()
	must(p.w.t, p.cmd.Process.Signal(s))
}

func (p *process) mustEnd() {
	p.w.t.Helper()
	p.ended()
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.w.t.Fatalf("the node ended with %d:\n%s", code, p.log())
	}
}

// alive fails the test if the process has ended or was replaced.
func (p *process) alive() {
	p.w.t.Helper()
	if p.over() {
		p.w.t.Fatalf("the node is gone:\n%s", p.log())
	}
}

// over reports whether the process has ended.
func (p *process) over() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// received is an answer read to its end.
type received struct {
	status   int
	header   http.Header
	body     string
	revision string
}

// visitor reads sites of a node over one connection that it keeps.
type visitor struct {
	addr string
	http http.Client
}

// visitor returns one from an address of its own in 127.0.0.0/8; 0 is any.
func (p *process) visitor(from byte) *visitor {
	dialer := &net.Dialer{}
	if from > 0 {
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, from, 1)}
	}
	return &visitor{p.addr, http.Client{Timeout: patience, Transport: &http.Transport{
		MaxConnsPerHost: 1, DisableCompression: true, IdleConnTimeout: patience,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", p.addr)
		},
	}}}
}

func (v *visitor) close() { v.http.CloseIdleConnections() }

func (v *visitor) get(host, path string) (received, error) {
	resp, err := v.http.Get("http://" + host + path)
	if err != nil {
		return received{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return received{resp.StatusCode, resp.Header, string(body), resp.Header.Get("Fazt-Revision")}, err
}

// get reads one page over a new connection.
func (p *process) get(host, path string) received {
	p.w.t.Helper()
	v := p.visitor(0)
	defer v.close()
	got, err := v.get(host, path)
	if err != nil {
		p.w.t.Fatalf("GET %s%s: %v\n%s", host, path, err, p.log())
	}
	return got
}

// serves fails the test unless a page is there and holds a text.
func (p *process) serves(host, path, text string) received {
	p.w.t.Helper()
	got := p.get(host, path)
	if got.status != http.StatusOK || !strings.Contains(got.body, text) {
		p.w.t.Fatalf("GET %s%s: %d %q, want %q\n%s", host, path, got.status, got.body[:min(len(got.body), 200)], text, p.log())
	}
	return got
}

// probe asks the control address.
func (p *process) probe(path string) int {
	p.w.t.Helper()
	resp, err := http.Get(p.control + path)
	must(p.w.t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

// call sends what a command of the CLI would, without the cost of a process.
func (p *process) call(path, in string) (exit int, answer []byte, err error) {
	token, err := os.ReadFile(filepath.Join(p.state, "run", "token"))
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequest(http.MethodPost, p.control+path, strings.NewReader(in))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	exit, _ = strconv.Atoi(resp.Header.Get("Fazt-Exit"))
	return exit, answer, err
}

// poke is `fazt sync`.
func (p *process) poke() error {
	_, _, err := p.call("/v1/sync", "{}")
	return err
}

// status is `fazt status --json`.
func (p *process) status() (out statusOut) {
	p.w.t.Helper()
	_, answer, err := p.call("/v1/status", "{}")
	must(p.w.t, err)
	must(p.w.t, json.Unmarshal(answer, &out))
	return out
}

// sync is `fazt sync --wait --json`: it must end with an exit code and say
// something.
func (p *process) sync(exit int, says string) {
	p.w.t.Helper()
	got, answer, err := p.call("/v1/sync", `{"wait":true}`)
	must(p.w.t, err)
	if got != exit || !strings.Contains(string(answer), says) {
		p.w.t.Fatalf("sync --wait: exit %d, want %d with %q\n%s\n%s", got, exit, says, answer, p.log())
	}
}

// events waits until something is created in a folder that is there.
func events(t *testing.T, folder string) (created func()) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	f := os.NewFile(uintptr(fd), "inotify") // non-blocking, so that the deadline holds
	t.Cleanup(func() { f.Close() })
	_, err = unix.InotifyAddWatch(fd, folder, unix.IN_CREATE)
	must(t, err)
	return func() {
		t.Helper()
		must(t, f.SetReadDeadline(time.Now().Add(patience)))
		if _, err := f.Read(make([]byte, 4096)); err != nil {
			t.Fatalf("nothing was created in %s: %v", folder, err)
		}
		f.Close()
	}
}

// number is a count that the environment may raise.
func number(t *testing.T, name string, standard int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// tool skips a test on a desk where a tool is missing, and fails it in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	found, err := exec.LookPath(name)
	switch {
	case err == nil:
		return found
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is missing", name)
	default:
		t.Skipf("%s is missing", name)
	}
	return ""
}
