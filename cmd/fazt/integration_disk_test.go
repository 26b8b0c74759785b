//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestIntegrationDiskFull: on a full disk the site goes on, the status says what
// is missing, and with room again the node catches up by itself.
func TestIntegrationDiskFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, os.Mkdir(w.path("state"), 0o700))
	if err := syscall.Mount("tmpfs", w.path("state"), "tmpfs", 0, "size=16m,mode=0700"); err != nil {
		t.Skipf("no small file system can be made here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(w.path("state"), syscall.MNT_DETACH)) })
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "round 0"})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	for round := 1; round <= 2; round++ {
		filler, err := os.Create(w.path("state/filler"))
		must(t, err)
		for chunk := 64 << 10; chunk > 0; chunk /= 2 { // to the last byte
			for err = nil; err == nil; {
				_, err = filler.Write(make([]byte, chunk))
			}
		}
		must(t, filler.Close())
		w.write(map[string]string{"work/www/index.html": fmt.Sprintf("round %d", round), "work/www/text.txt": strings.Repeat(fmt.Sprintln("round", round), 9000)})
		revision := w.push("More")
		exit, answer, err := p.call("/v1/sync", `{"wait":true}`)
		if err == nil && (exit == 0 || !strings.Contains(string(answer), "space")) {
			t.Errorf("sync on a full disk: exit %d\n%s", exit, answer)
		}
		p.alive()
		p.serves("a.localhost", "/", fmt.Sprintf("round %d", round-1))
		told, err := json.Marshal(p.status().Problem)
		must(t, err)
		if !strings.Contains(string(told), "space") {
			t.Errorf("the status does not say it: %s", told)
		}
		if round == 1 { // what somebody says holds, for all that
			for _, c := range [][2]string{{"/v1/pause", `{"reason":"full"}`}, {"/v1/resume", `{}`}} {
				if exit, answer, err := p.call(c[0], c[1]); err != nil || exit != 0 {
					t.Errorf("%s on a full disk: exit %d, %v\n%s", c[0], exit, err, answer)
				}
			}
		}
		if round == 2 { // a node that dies on the full disk serves again
			p.kill()
			p = w.serve("state", "--repo", w.path("origin.git"))
			p.serves("a.localhost", "/", fmt.Sprintf("round %d", round-1))
		}
		must(t, os.Remove(w.path("state/filler")))
		p.await("msg=published", "revision="+revision) // at the next try, without a poke
		p.serves("a.localhost", "/", fmt.Sprintf("round %d", round))
	}
	p.stop()
	audit(t, p.state)
}
