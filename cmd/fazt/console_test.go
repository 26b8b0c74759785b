package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestConsole is a reader who does what the book says: the console blocks of a
// page run in order, in a home folder of their own, with the real program. What
// the page shows is what the program prints, but for times, ids, ports and
// sizes. "..." stands for anything, and a command without output shows nothing
// that is worth comparing. A command whose comment says "exit N" must end so.
func TestConsole(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	for _, p := range book(t) {
		var blocks []block
		for _, b := range p.blocks(t) {
			if b.kind == "console" && b.skip == "" {
				blocks = append(blocks, b)
			}
		}
		if len(blocks) == 0 {
			continue
		}
		t.Run(strings.TrimSuffix(p.name, ".md"), func(t *testing.T) {
			t.Parallel()
			r := newReader(t, "")
			for _, b := range blocks {
				r.read(t, p.name, b)
			}
		})
	}
}

// reader is somebody at a terminal.
type reader struct {
	home, dir string
	env       []string
}

// newReader begins in dir, or in an empty home folder.
func newReader(t *testing.T, dir string) *reader {
	t.Helper()
	home := t.TempDir()
	if dir == "" {
		dir = home
	}
	return &reader{home: home, dir: dir, env: []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "FAZT_DATA_DIR=" + filepath.Join(home, ".local/share/fazt"),
		"FAZT_NO_INPUT=1", "NO_COLOR=1", "COLUMNS=80", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Asha", "GIT_AUTHOR_EMAIL=asha@example.com", "GIT_COMMITTER_NAME=Asha", "GIT_COMMITTER_EMAIL=asha@example.com",
		"GORACE=" + raceEnds,
	}}
}

var exitComment = regexp.MustCompile(`# .*\bexit (\d+)`)

// read runs the commands of a block, one after the other.
func (r *reader) read(t *testing.T, name string, b block) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(b.text, "\n"), "\n")
	for i := 0; i < len(lines); {
		at := i
		command, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			t.Fatalf("%s:%d: output before the first command", name, b.line+i)
		}
		i++
		for strings.HasSuffix(command, `\`) && i < len(lines) {
			command += "\n" + lines[i]
			i++
		}
		var want []string
		for i < len(lines) && !strings.HasPrefix(lines[i], "$ ") {
			want = append(want, lines[i])
			i++
		}
		exit := 0
		if m := exitComment.FindStringSubmatch(command); m != nil {
			exit, _ = strconv.Atoi(m[1])
		}
		got := r.enter(t, command, exit)
		if shown := strings.TrimSpace(strings.Join(want, "\n")); shown != "" && !matches(shown, got) {
			t.Fatalf("%s:%d: $ %s\nthe page shows\n%s\nthe program prints\n%s", name, b.line+at, command, plain(shown), plain(got))
		}
	}
}

var stays = regexp.MustCompile(`(?m)(?:^|&& )fazt (?:serve|dev)\b([^#\n]*)`)

// enter runs a command to its end, or a node to where it takes commands: it
// stays until the page ends.
func (r *reader) enter(t *testing.T, command string, exit int) string {
	t.Helper()
	if m := stays.FindStringSubmatch(command); m != nil && !strings.Contains(m[1], "--once") && !strings.Contains(m[1], "--check") {
		return r.stay(t, command)
	}
	return r.run(t, command, exit)
}

// run runs a command and returns what it printed on both streams. The folder it
// changes to is the next one's.
func (r *reader) run(t *testing.T, command string, exit int) string {
	t.Helper()
	where := filepath.Join(r.home, ".where")
	cmd := exec.Command("sh", "-c", command+"\nend=$?; pwd > "+where+"; exit $end")
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != exit {
		t.Fatalf("$ %s\n%s\nexit code %d, want %d", command, out, got, exit)
	}
	if dir, err := os.ReadFile(where); err == nil {
		r.dir = strings.TrimSpace(string(dir))
	}
	return string(out)
}

var listenFlag = regexp.MustCompile(`--(listen|control) \S+`)

// stay starts a node on ports of its own, whatever the page says, and returns
// what it printed until it was ready.
func (r *reader) stay(t *testing.T, command string) string {
	t.Helper()
	command, _, _ = strings.Cut(command, "#")
	command = listenFlag.ReplaceAllString(strings.TrimSpace(command), "")
	if strings.Contains(command, "fazt dev") {
		command += " --port 0 --no-open"
	} else {
		command += " --listen 127.0.0.1:0"
	}
	before, node, _ := strings.Cut(command, "fazt ")
	if before != "" {
		r.run(t, strings.TrimSuffix(strings.TrimSpace(before), "&&"), 0)
	}
	cmd := exec.Command("sh", "-c", "exec fazt "+node)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("$ %s: %v", command, err)
		}
		out.Close()
	})
	var seen bytes.Buffer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&seen, lines.Text())
		if strings.Contains(lines.Text(), "msg=commands") || strings.Contains(lines.Text(), "(Ctrl-C stops)") {
			go io.Copy(io.Discard, out)
			return seen.String()
		}
	}
	t.Fatalf("$ %s\n%s\nended before it was ready", command, &seen)
	return ""
}

// What differs from run to run has one spelling on both sides.
func plain(text string) string {
	for _, n := range []struct{ pattern, with string }{
		{`\b\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`, "TIME"},
		{`\b\d{8}T\d{6}Z(-\d+)?\b`, "STAMP"},
		{`\b(just now|\d+ (s|min|h|d) ago)\b`, "AGO"},
		{`\b\d+(\.\d)? (s|min|h|d)\b`, "SPAN"},
		{`\b\d+ ms\b`, "SPAN"},
		{`\b\d+(\.\d)? (B|KB|MB)\b`, "SIZE"},
		{`\bp-[0-9a-f]{12}\b`, "PLAN"},
		{`\bdir:[0-9a-f]{12}\b`, "REV"},
		{`\b([0-9a-f]{40}|[0-9a-f]{7})\b`, "REV"},
		{`\b(localhost|127\.0\.0\.1):\d+`, "$1:PORT"},
		{`\blocal:\d+`, "local:UID"},
		{`/tmp/[^\s"]*/\.local/share/fazt`, "~/.local/share/fazt"},
		{`(?m)[ \t]+$`, ""},
		{`(\S)[ \t]{2,}`, "$1  "},
		{`-{4,}`, "----"},
	} {
		text = regexp.MustCompile(n.pattern).ReplaceAllString(text, n.with)
	}
	return strings.TrimSpace(text)
}

// matches compares what a page shows with what was printed.
func matches(shown, printed string) bool {
	var pattern strings.Builder
	pattern.WriteString(`(?s)\A`)
	for i, part := range strings.Split(plain(shown), "...") {
		if i > 0 {
			pattern.WriteString(`.*`)
		}
		pattern.WriteString(regexp.QuoteMeta(part))
	}
	pattern.WriteString(`\z`)
	return regexp.MustCompile(pattern.String()).MatchString(plain(printed))
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		shown, printed string
		want           bool
	}{
		{"a 12 KB", "a   3.1 KB", false},
		{"a  12 KB", "a   3.1 KB", true},
		{"up 3 d", "up 0 s", true},
		{"in 0.1 s", "in 12.4 s", true},
		{"live  just now", "live  2 min ago", true},
		{"first\n...\nlast", "first\nmiddle\nlast", true},
		{"first\n...", "second\n", false},
		{"200 a http://a.localhost:8787", "200 a http://a.localhost:41234\n", true},
		{"3f9c2e1 is live", "0a1b2c3 is live", true},
		{"3f9c2e1 is live", "0a1b2c3 is not live", false},
	} {
		if got := matches(c.shown, c.printed); got != c.want {
			t.Errorf("%q shows %q: %v", c.shown, c.printed, got)
		}
	}
}
