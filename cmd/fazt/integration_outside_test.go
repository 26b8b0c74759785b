//go:build integration

package main

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestIntegrationOutside: whatever names a revision holds, the node touches
// nothing but its state folder and the repository, and what the system has for
// every program. It writes only to the former.
func TestIntegrationOutside(t *testing.T) {
	t.Parallel()
	tool(t, "strace")
	w := newPlainWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "good", "canary": "outside"})
	w.origin()
	out := w.path("trace")
	w.env = append(w.env, "PWD="+w.dir) // where a program looks whether it is there
	p := w.serveAs("state", exec.Command("strace", "-f", "-y", "-s", "4096", "-e", "signal=none", "-e", "trace=%file", "-o", out,
		w.bin, "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0", "--interval", "1h", "--repo", w.path("origin.git")))
	p.sync(0, "")
	before := w.git("origin.git", "rev-parse", "main")
	refused := func(head, says string) {
		t.Helper()
		must(t, os.WriteFile(w.path("origin.git/refs/heads/main"), []byte(head+"\n"), 0o644)) // git itself takes not all of them
		exit, answer, err := p.call("/v1/sync", `{"wait":true}`)
		must(t, err)
		if exit == 0 || !strings.Contains(string(answer), says) {
			t.Errorf("exit %d, want a refusal with %q\n%s", exit, says, answer)
		}
		p.serves("a.localhost", "/", "good")
	}
	for _, name := range []string{"..", "../canary", w.path("canary"), ".git", ".git/hooks/post-checkout", "a\nb"} {
		refused(w.commitOf(before, w.rawTree("100644 "+name, w.blob("x"))), "the tree holds")
	}
	refused(w.commitOf(before, w.rawTree("100644 fazt.hcl", w.blob(oneApp), "120000 www", w.blob(w.path("canary")))), "www")
	heads := w.crafted()
	if len(heads) < 40 {
		t.Fatalf("%d crafted repositories, want at least 40", len(heads))
	}
	for _, head := range heads {
		if tree, err := w.tryGit("origin.git", "", "rev-parse", "--verify", "-q", head+"^{tree}"); err == nil && w.git("origin.git", "cat-file", "-t", head) == "commit" {
			head = w.commitOf(before, strings.TrimSpace(tree)) // as one that descends from what is served
		}
		refused(head, "")
	}
	w.write(map[string]string{"work/www/index.html": "better"})
	must(t, os.WriteFile(w.path("origin.git/refs/heads/main"), []byte(before+"\n"), 0o644))
	w.push("Better")
	p.sync(0, "")
	p.serves("a.localhost", "/", "better")
	p.endTraced()
	trace, err := os.ReadFile(out)
	must(t, err)
	w.touchesOnlyItsOwn(systemCalls(string(trace)))
}

func (w *world) blob(text string) (id string) {
	w.t.Helper()
	return w.gitWith("origin.git", text, "hash-object", "-w", "--stdin")
}

// rawTree writes a tree that git itself may refuse to: modes with names, each
// followed by an id.
func (w *world) rawTree(entries ...string) (id string) {
	w.t.Helper()
	var text strings.Builder
	for pair := range slices.Chunk(entries, 2) {
		raw, err := hex.DecodeString(pair[1])
		must(w.t, err)
		text.WriteString(pair[0] + "\x00" + string(raw))
	}
	return w.gitWith("origin.git", text.String(), "hash-object", "-t", "tree", "--literally", "-w", "--stdin")
}

func (w *world) commitOf(parent, tree string) (id string) {
	w.t.Helper()
	return w.git("origin.git", "commit-tree", "-p", parent, "-m", "hostile", tree)
}

// crafted puts the repositories that the tests of the source are refused by
// into origin.git and returns their heads.
func (w *world) crafted() (heads []string) {
	w.t.Helper()
	folder := w.path("crafted")
	must(w.t, os.Mkdir(folder, 0o755))
	cmd := exec.Command("go", "test", "-count=1", "-run", "^TestCraftedRepositoriesAreWritten$", "../../reconcile/source")
	cmd.Env = append(os.Environ(), "CRAFTED="+folder)
	if text, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%v\n%s", err, text)
	}
	repositories, err := filepath.Glob(filepath.Join(folder, "*", ".git"))
	must(w.t, err)
	for _, repository := range repositories {
		head, err := os.ReadFile(filepath.Join(repository, "refs/heads/main"))
		must(w.t, err)
		heads = append(heads, strings.TrimSpace(string(head)))
		objects, err := filepath.Glob(filepath.Join(repository, "objects", "??", "*"))
		must(w.t, err)
		for _, object := range objects {
			name := w.path(filepath.Join("origin.git/objects", filepath.Base(filepath.Dir(object)), filepath.Base(object)))
			must(w.t, os.MkdirAll(filepath.Dir(name), 0o755))
			if err := os.Link(object, name); err != nil && !os.IsExist(err) {
				w.t.Fatal(err)
			}
		}
	}
	return heads
}

// everybodys are the paths that programs read: of the kernel, of names and
// times, of types of files.
func everybodys() *regexp.Regexp {
	return regexp.MustCompile(`^(/proc/self/.*|/proc/sys/.*|/sys/.*|/dev/null|/dev/urandom|/etc/(resolv\.conf|hosts|nsswitch\.conf|localtime|mime\.types)|/usr/share/zoneinfo/.*)$`)
}

// touchesOnlyItsOwn looks at every path of a trace.
func (w *world) touchesOnlyItsOwn(calls []systemCall) {
	w.t.Helper()
	state, repository := w.path("state"), w.path("origin.git")
	below := func(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }
	looks := []string{"newfstatat", "lstat", "stat", "fstatat64", "readlinkat", "readlink", "statx", "access", "faccessat", "faccessat2"}
	general := everybodys()
	wrote := 0
	for _, call := range calls {
		for _, path := range call.paths(w.dir) {
			own := below(path, state)
			if own && call.writes() && call.result >= 0 {
				wrote++
			}
			switch {
			case own, call.name == "getcwd", call.name == "chdir" && path == "/": // the latter leads nowhere
			case call.writes() && path != "/dev/null":
				w.t.Errorf("written outside of the state folder: %s(%s)", call.name, call.arguments)
			case below(path, repository), path == w.bin, path == w.dir && slices.Contains(looks, call.name), general.MatchString(path):
			case slices.Contains(looks, call.name) && (below(state, path) || below(repository, path)): // the way there
			default:
				w.t.Errorf("touched outside of the state folder and the repository: %s(%s)", call.name, call.arguments)
			}
		}
	}
	if wrote < 10 {
		w.t.Errorf("%d writes in the trace: it shows nothing", wrote)
	}
}

// paths are those that a call names, made absolute by the folder that it names
// beside them, or else by the working folder.
func (c systemCall) paths(working string) (paths []string) {
	named := regexp.MustCompile(`(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"`)
	for i, m := range named.FindAllStringSubmatch(c.arguments, -1) {
		folder, path := m[1], m[2]
		switch {
		case c.name == "execve" && i > 0: // words of the command line
			continue
		case folder == "":
			folder = working
		}
		if path == "" { // the folder itself
			continue
		}
		if !filepath.IsAbs(path) {
			path = folder + "/" + path
		}
		paths = append(paths, filepath.Clean(path))
	}
	return paths
}

// writes reports whether a call changes something.
func (c systemCall) writes() bool {
	switch c.name {
	case "openat", "open":
		return regexp.MustCompile(`O_CREAT|O_WRONLY|O_RDWR|O_TRUNC`).MatchString(c.arguments)
	case "mkdirat", "mkdir", "mknodat", "renameat", "renameat2", "rename", "unlinkat", "unlink", "rmdir", "linkat", "link", "symlinkat", "symlink",
		"fchmodat", "fchmodat2", "chmod", "fchownat", "chown", "lchown", "utimensat", "truncate", "setxattr", "creat":
		return true
	}
	return false
}
