//go:build integration

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

const framedHost = "a.localhost"

// expand puts a payload's own names into its bytes.
func expand(name, raw string) string {
	return strings.NewReplacer("{m}", "/m/"+name+".txt", "{s}", "/s/"+name+".txt", "{h}", framedHost).Replace(raw)
}

// framedSite is a node with a page for each payload, one for what it smuggles,
// and one for the honest request that follows.
func framedSite(w *world) *process {
	w.t.Helper()
	trusting := strings.Replace(oneApp, "edge {\n", "edge {\n  trusted_proxies = [\"127.0.0.1/32\"]\n", 1)
	files := map[string]string{"site/fazt.hcl": trusting + conformLimits}
	for _, p := range payloads() {
		files["site/www/m/"+p.name+".txt"] = "marked " + p.name
		files["site/www/s/"+p.name+".txt"] = "smuggled " + p.name
		files["site/www/clean/"+p.name+".txt"] = "clean " + p.name
	}
	w.write(files)
	p := w.serve("state", "--access-log", w.path("access.log"))
	w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
	return p
}

// clean is an honest request that is told from all others by its answer.
func clean(name string) string {
	return "GET /clean/" + name + ".txt HTTP/1.1\r\nHost: " + framedHost + "\r\n"
}

// TestIntegrationConformFraming: where a request ends is never a matter of
// opinion. What cannot be read in one way closes the connection, and nothing
// behind it is taken for a request.
func TestIntegrationConformFraming(t *testing.T) {
	t.Parallel()
	p := framedSite(newPlainWorld(t))
	all := payloads()
	got := make([]string, len(all))
	var asking sync.WaitGroup
	for i, load := range all {
		asking.Go(func() { got[i] = heard(t, p, load) })
	}
	asking.Wait()
	p.alive()
	golden(t, "framing.txt", strings.Join(got, ""))
}

// heard sends a payload and an honest request behind it, and judges what came.
func heard(t *testing.T, p *process, load payload) string {
	honest := "clean " + load.name
	answers, rest := exchange(t, dialer(p.addr), expand(load.name, load.raw)+clean(load.name)+"\r\n", honest)
	open, codes, status := false, "", 0
	for _, a := range answers {
		if strings.Contains(a.body, "smuggled") {
			t.Errorf("%s: what was smuggled is answered", load.name)
		}
		if open = strings.Contains(a.body, honest); !open {
			codes += fmt.Sprintf(" %d", a.status)
			status = a.status
		}
	}
	if rest != "" {
		t.Errorf("%s: bytes that are no answer: %q", load.name, rest)
	}
	bad := status >= 400
	switch {
	case load.want == serves && (!open || status == 400),
		load.want == closes && open,
		load.want == refuses && (open || !bad),
		load.want == rejects && !bad:
		t.Errorf("%s:%s, open %v: want one that %s", load.name, codes, open, load.want)
	}
	return fmt.Sprintf("%-22s%-14s%s\n", load.name, codes, map[bool]string{true: "open", false: "closed"}[open])
}
