//go:build integration

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const oneApp = "edge {\n  domain = \"localhost\"\n}\napp \"a\" {\n  content = \"www\"\n}\n"

// TestIntegrationHook: a push is live because the repository's hook pokes the
// node, and git's variables in the hook's environment lead nobody astray.
func TestIntegrationHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "push 0"})
	w.origin()
	state := w.path("state")
	hook := fmt.Sprintf("#!/bin/sh\n[ -n \"$GIT_DIR\" ] || exit 1\necho \"$GIT_DIR\" >> %s\nexec %s sync --state %s\n", w.path("hook.log"), w.bin, state)
	must(t, os.WriteFile(w.path("origin.git/hooks/post-receive"), []byte(hook), 0o755))

	p := w.serve("state", "--repo", w.path("origin.git"))
	p.await("msg=published")
	p.serves("a.localhost", "/", "push 0")

	w.write(map[string]string{"work/www/index.html": "push 1"})
	p.await("msg=published", "revision="+w.push("One"), "trigger=sync")
	p.serves("a.localhost", "/", "push 1")
	if _, err := os.Stat(w.path("hook.log")); err != nil {
		t.Fatalf("the hook had no GIT_DIR: %v", err)
	}

	// Three in a burst: the newest is what stays, and nothing is applied after
	// something newer.
	var burst []string
	for i := 2; i < 5; i++ {
		w.write(map[string]string{"work/www/index.html": fmt.Sprintf("push %d", i)})
		burst = append(burst, w.push(fmt.Sprint(i)))
	}
	p.await("msg=published", "revision="+burst[2])
	p.serves("a.localhost", "/", "push 4")
	if s := p.status(); s.Published != burst[2] || s.Phase != "synced" {
		t.Fatalf("%s at %s, want synced at %s", s.Phase, s.Published, burst[2])
	}
	last := -1
	for _, line := range p.logged("msg=published") {
		at := slices.IndexFunc(burst, func(r string) bool { return strings.Contains(line, r) })
		if at >= 0 && at <= last {
			t.Fatalf("an older push was applied after a newer one:\n%s", p.log())
		}
		last = max(last, at)
	}
	p.stop()
}
