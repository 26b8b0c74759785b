package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// fleet is a generated repository of small apps, and the node that follows it.
type fleet struct {
	*bench
	apps     int
	dir      string // of everything that follows
	work     string // where commits are made
	followed string // bare; the node follows it
	log      string // what the node says under --debug
	node     *server
	commits  int
}

// newFleet makes the repository and a bare remote of it.
func (b *bench) newFleet(apps int) (*fleet, error) {
	dir := filepath.Join(b.dir, fmt.Sprint(apps))
	f := &fleet{bench: b, apps: apps, dir: dir, work: filepath.Join(dir, "work"), followed: filepath.Join(dir, "followed.git"), log: filepath.Join(dir, "log")}
	if err := os.MkdirAll(f.work, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(f.work, "fazt.hcl"), []byte("edge {\n  domain = \"localhost\"\n}\n"), 0o644); err != nil {
		return nil, err
	}
	for i := range apps {
		if err := errors.Join(os.MkdirAll(f.app(i), 0o755), f.configure(i, ""), f.page(i, f.name(i)+" 0")); err != nil {
			return nil, err
		}
	}
	return f, errors.Join(git(f.work, "init", "-q", "-b", "main"), git(f.work, "add", "-A"), git(f.work, "commit", "-q", "-m", "all apps"), f.remote("followed.git"))
}

// remote makes a bare repository and pushes into it.
func (f *fleet) remote(name string) error {
	return errors.Join(git(f.dir, "init", "-q", "--bare", "-b", "main", name), git(f.work, "push", "-q", "../"+name, "main"))
}

func (f *fleet) name(i int) string { return fmt.Sprintf("a-%05d", i) }
func (f *fleet) app(i int) string  { return filepath.Join(f.work, "apps", f.name(i)) }

// configure writes an app's block, about as long as blocks of small sites are.
func (f *fleet) configure(i int, remark string) error {
	name := f.name(i)
	text := fmt.Sprintf(`# %s is one of many.%s
app %q {
  content = "apps/%s"
  headers = [
    { path = "/*", set = { "X-Frame-Options" = "DENY", "Referrer-Policy" = "no-referrer" } },
    { path = "/img/*", set = { "Cache-Control" = "public, max-age=86400" } },
  ]
  redirects = [
    { from = "/old/*", to = "/new/:splat", status = 301 },
    { from = "/home", to = "/", status = 302 },
  ]
}
`, name, remark, name, name)
	return os.WriteFile(filepath.Join(f.app(i), "app.fazt.hcl"), []byte(text), 0o644)
}

func (f *fleet) page(i int, text string) error {
	html := "<!doctype html><title>app</title><p>" + text + "</p>" + strings.Repeat("<p>Some words that fill a page.</p>\n", 20)
	return os.WriteFile(filepath.Join(f.app(i), "index.html"), []byte(html), 0o644)
}

// change commits a new page and a new block of one app, and pushes both.
func (f *fleet) change(i int) error {
	f.commits++
	text := fmt.Sprint(" change ", f.commits)
	return errors.Join(f.page(i, text), f.configure(i, text), git(f.work, "commit", "-q", "-am", text), git(f.work, "push", "-q", "../followed.git", "main"))
}

// start runs the node over a state folder, and tells how long it took until it
// served the last app.
func (f *fleet) start(state string) (time.Duration, error) {
	addr, err := freeAddr()
	if err != nil {
		return 0, err
	}
	log, err := os.OpenFile(f.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command(f.fazt, "serve", "--debug", "--state", f.state(state), "--repo", f.followed, "--listen", addr, "--interval", "1h")
	cmd.Stderr = log
	f.node = &server{cmd: cmd, addr: addr, host: f.name(f.apps-1) + ".localhost", born: time.Now()}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	return f.node.first("/")
}

func (f *fleet) stop() {
	if f.node != nil {
		f.node.stop()
		f.node = nil
	}
}

func (f *fleet) state(name string) string { return filepath.Join(f.dir, name) }

// sync has the node look at its repository and waits until it is done. A node
// that is paused says so with 8.
func (f *fleet) sync(state string) error {
	out, err := exec.Command(f.fazt, "sync", "--wait", "--state", f.state(state)).CombinedOutput()
	if e := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &e) && e.ExitCode() == 8) {
		return fmt.Errorf("sync: %w: %s", err, out)
	}
	return nil
}

// told runs a command that the node of a state folder answers.
func (f *fleet) told(state string, args ...string) error {
	out, err := exec.Command(f.fazt, append(args, "--state", f.state(state))...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, out)
	}
	return nil
}

// passTime is how long the node's last pass took, in milliseconds.
type passTime struct {
	total float64
	steps map[string]float64
}

// lastPass asks the node.
func (f *fleet) lastPass(state string) (passTime, error) {
	out, err := exec.Command(f.fazt, "status", "--json", "--state", f.state(state)).Output()
	if err != nil {
		return passTime{}, fmt.Errorf("status: %w", err)
	}
	var status struct {
		Pass struct {
			Total float64 `json:"total_ns"`
			Steps []struct {
				Name     string
				Duration float64 `json:"duration_ns"`
			}
		}
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return passTime{}, err
	}
	p := passTime{status.Pass.Total / 1e6, map[string]float64{}}
	for _, s := range status.Pass.Steps {
		p.steps[s.Name] = s.Duration / 1e6
	}
	return p, nil
}

// said counts the log's lines with a message since an offset, and returns the
// last of them.
func (f *fleet) said(since int64, message string) (n int, last string, err error) {
	text, err := os.ReadFile(f.log)
	if err != nil {
		return 0, "", err
	}
	for line := range strings.Lines(string(text[min(since, int64(len(text))):])) {
		if strings.Contains(line, "msg="+message) || strings.Contains(line, "msg=\""+message+"\"") {
			n, last = n+1, line
		}
	}
	return n, last, nil
}

// logged is how long the log is by now.
func (f *fleet) logged() int64 {
	info, err := os.Stat(f.log)
	if err != nil {
		return 0
	}
	return info.Size()
}
