package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be the program, its children, and the small
// http client of the scripts.
func TestMain(m *testing.M) {
	if ran, exit := child.Main(os.Args, roles()); ran {
		os.Exit(exit)
	}
	testscript.Main(m, map[string]func(){
		"fazt": func() { os.Exit(scripted()) },
		"http": func() { os.Exit(request(os.Args[1:])) },
	})
}

// scripted is the program as scripts call it. In the second run of the suite it
// puts @node before every command that a peer can answer.
func scripted() int {
	args := os.Args
	if os.Getenv("FAZT_SCRIPT_PEER") != "" {
		os.Args = append([]string{args[0]}, throughPeer(args[1:])...)
	}
	return run()
}

func throughPeer(args []string) []string {
	p := &program{stdin: os.Stdin, stdout: io.Discard, stderr: io.Discard, getenv: os.Getenv}
	call, err := op.Parse(slices.Concat(p.verbs(), table(nil, p.log())), args)
	if err != nil || !call.Op.Valid() || call.Op.Row().Local || call.Target != "" || call.Globals.Version || call.Globals.Help || len(args) > 0 && args[0] == roleLoad {
		return args
	}
	return append([]string{"@node"}, args...)
}

// request is `http METHOD URL [HEADER: VALUE ...]`: it asks the script's node,
// whatever the host, and prints status, headers and body.
func request(args []string) int {
	req, err := http.NewRequest(args[0], args[1], nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	for _, h := range args[2:] {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", os.Getenv("NODE_ADDR"))
		}},
	}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	resp.Header.Write(os.Stdout)
	fmt.Println()
	io.Copy(os.Stdout, resp.Body)
	return 0
}

// TestScript runs the suite twice: against this machine's node and through
// @node. A command that works, works remotely. The short run, which is the race
// detector's, has a third of the scripts that start a node, or with FAZT_SCRIPTS=all
// each of those.
func TestScript(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	plain := ""
	if testing.Short() {
		plain, scripts = plainProgram(t), slices.DeleteFunc(scripts, withoutNode(t))
		if os.Getenv("FAZT_SCRIPTS") != "all" {
			scripts = third(scripts, 1)
		}
	}
	for _, mode := range []string{"local", "peer"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "peer" && testing.Short() {
				t.Skip("the same code on the same paths; the full run has both")
			}
			runScripts(t, scripts, mode == "peer", func(e *testscript.Env) error { return setupScript(e, mode == "peer", plain, nil) })
		})
	}
}

// runScripts runs the suite in one way.
func runScripts(t *testing.T, scripts []string, peer bool, setup func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               setup,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"node": nodeCommand, "exit": exitCommand},
		Condition: func(cond string) (bool, error) {
			if cond == "peer" {
				return peer, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// third is every third of some files from one on, the same at each run.
func third(files []string, from int) (some []string) {
	for i := from; i < len(files); i += 3 {
		some = append(some, files[i])
	}
	return some
}

// withoutNode tells the scripts that start no node. The short run is the race
// detector's, and leaves them to the full one: see plainProgram.
func withoutNode(t *testing.T) func(file string) bool {
	return func(file string) bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return !bytes.Contains(text, []byte("node start"))
	}
}

// raceEnds has a program that watches itself for data races end at once: by itself it
// stays a second longer, every command and each of its children.
const raceEnds = "atexit_sleep_ms=0"

// plainProgram builds the program without the race detector. In the short run, which
// is that detector's, nodes alone are this binary: a command starts three times as
// fast without it, and hardly does two things at once.
func plainProgram(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "fazt"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// setupScript gives a script its own folders and a blank git. As a peer run
// needs somebody to ask, it begins with an idle node. Before @node may stand what
// stands before a node elsewhere.
func setupScript(e *testscript.Env, peer bool, plain string, before func(peer) peer) error {
	for name, value := range map[string]string{
		"HOME": e.WorkDir, "XDG_CONFIG_HOME": e.WorkDir + "/.config", "XDG_STATE_HOME": e.WorkDir + "/.local/state",
		"FAZT_DATA_DIR": e.WorkDir + "/.state", "FAZT_NO_INPUT": "1", "NO_COLOR": "1",
		"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Asha", "GIT_AUTHOR_EMAIL": "asha@example.com",
		"GIT_COMMITTER_NAME": "Asha", "GIT_COMMITTER_EMAIL": "asha@example.com",
		"EXAMPLE": exampleSite(), "GORACE": raceEnds,
	} {
		e.Setenv(name, value)
	}
	if peer {
		e.Setenv("FAZT_SCRIPT_PEER", "1")
	}
	// The script goes on with these variables; a copy keeps the two apart.
	nodes := &scriptNodes{dir: e.WorkDir, env: slices.Clone(e.Vars), bin: binDir(e), before: before}
	e.Values[nodesKey{}] = nodes
	if plain != "" {
		e.Setenv("PATH", plain+string(os.PathListSeparator)+e.Getenv("PATH"))
	}
	e.Defer(nodes.killAll)
	if !peer {
		return nil
	}
	return nodes.start(e.WorkDir+"/.idle", nil)
}

func exampleSite() string {
	dir, err := filepath.Abs("../../examples/site")
	if err != nil {
		panic(err)
	}
	return dir
}

type nodesKey struct{}

// scriptNodes are the nodes a script started; the last one is @node.
type scriptNodes struct {
	dir, bin string
	env      []string
	running  []*scriptNode
	before   func(peer) peer // stands between @node and those who ask it; nil: nothing
}

type scriptNode struct {
	cmd  *exec.Cmd
	log  *nodeLog
	addr string
}

// nodeLog is what a node says; once it was started it goes to a file of the
// script, so that the node never blocks.
type nodeLog struct {
	*os.File
	copied chan struct{}
}

func (l *nodeLog) copyTo(name string) {
	defer close(l.copied)
	out, err := os.Create(name)
	if err != nil {
		io.Copy(io.Discard, l.File)
		return
	}
	io.Copy(out, l.File)
	out.Close()
}

// nodeCommand is `node start [FLAG ...]`, `node stop`, `node kill`, `node restart`.
// What the last node said after it was started is in $WORK/node.log when it ended.
func nodeCommand(ts *testscript.TestScript, neg bool, args []string) {
	nodes := ts.Value(nodesKey{}).(*scriptNodes)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: node start|stop|kill|restart [flags]")
	}
	var err error
	switch args[0] {
	case "start":
		err = nodes.start(ts.Getenv("FAZT_DATA_DIR"), args[1:])
		if err == nil {
			last := nodes.running[len(nodes.running)-1]
			ts.Setenv("NODE_ADDR", last.addr)
			ts.Setenv("NODE_PID", fmt.Sprint(last.cmd.Process.Pid))
		}
	case "stop":
		err = nodes.end(syscall.SIGTERM)
	case "kill":
		err = nodes.end(syscall.SIGKILL)
	default:
		ts.Fatalf("node: unknown verb %q", args[0])
	}
	if err != nil {
		ts.Fatalf("node %s: %v", args[0], err)
	}
}

// start runs `fazt serve` and returns when it takes commands.
func (n *scriptNodes) start(dir string, args []string) error {
	args = append([]string{"serve", "--state", dir, "--listen", "127.0.0.1:0"}, args...)
	cmd := exec.Command("fazt", args...)
	cmd.Path, cmd.Err = filepath.Join(n.bin, "fazt"), nil
	cmd.Env = append(slices.Clone(n.env), "FAZT_SCRIPT_PEER=")
	cmd.Dir = n.dir
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stderr = in
	err = cmd.Start()
	in.Close()
	if err != nil {
		return err
	}
	addr, control, err := awaitNode(out)
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return err
	}
	log := &nodeLog{out, make(chan struct{})}
	go log.copyTo(n.dir + "/node.log")
	n.running = append(n.running, &scriptNode{cmd: cmd, log: log, addr: addr})
	return n.remember(dir, control)
}

// remember makes the node the peer @node.
func (n *scriptNodes) remember(dir, control string) error {
	token, err := os.ReadFile(filepath.Join(dir, "run", "token"))
	if err != nil {
		return err
	}
	book := peerBook{config: n.dir + "/.config/fazt", state: n.dir + "/.local/state/fazt"}
	to := peer{Name: "node", URL: control, token: strings.TrimSpace(string(token))}
	if n.before != nil {
		to = n.before(to)
	}
	return book.save([]peer{to}, map[string]string{"node": to.token})
}

// awaitNode reads a node's log until it has said where it serves and where it
// takes commands.
func awaitNode(log *os.File) (addr, control string, err error) {
	lines := bufio.NewScanner(log)
	var seen []string
	for lines.Scan() {
		line := lines.Text()
		seen = append(seen, line)
		if strings.Contains(line, "msg=serving") {
			addr = attr(line, "addr")
		}
		if strings.Contains(line, "msg=commands") {
			return addr, attr(line, "control"), nil
		}
	}
	return "", "", errors.New(strings.Join(seen, "\n"))
}

func attr(line, name string) string {
	_, rest, _ := strings.Cut(line, " "+name+"=")
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// end stops the last node and waits for it.
func (n *scriptNodes) end(sig syscall.Signal) error {
	if len(n.running) == 0 {
		return errors.New("no node is running")
	}
	last := n.running[len(n.running)-1]
	n.running = n.running[:len(n.running)-1]
	defer last.log.Close()
	if err := last.cmd.Process.Signal(sig); err != nil {
		return err
	}
	err := last.cmd.Wait()
	<-last.log.copied
	if sig == syscall.SIGKILL {
		return nil
	}
	return err
}

func (n *scriptNodes) killAll() {
	for len(n.running) > 0 {
		n.end(syscall.SIGKILL)
	}
}

// exitCommand is `exit CODE COMMAND ...`: the command must end with that code.
func exitCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND [ARG ...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		code = failed.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// binDir is where testscript put the program, first on the script's PATH.
func binDir(e *testscript.Env) string {
	dir, _, _ := strings.Cut(e.Getenv("PATH"), string(os.PathListSeparator))
	return dir
}
