//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const healthHCL = `edge {
  domain = "localhost"
}
app "shop" {
  content = "shop"
  runtime {
    entry = "main.js"
    cpu   = "20s"
    wall  = "30s"
  }
  kv "K" {}
  health {
    path     = "/health"
    deadline = "%s"
    window   = "%s"
  }
}
`

// shop is a version whose health is what an expression says; well and ill are there
// for it to return, and n is how often it was asked.
func shop(version, health string) string {
	return fmt.Sprintf(`const well = () => new Response("well"), ill = (why) => new Response(why, { status: 500 });
export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname === "/grumble") console.error(%[1]q, "grumbles");
    if (new URL(request.url).pathname !== "/health") return new Response(%[1]q);
    const n = await env.K.incr(%[1]q);
    return %[2]s;
  },
};`, version, health)
}

// TestIntegrationAppsHealth: a release that does not work stays out, one that stops
// working is left again, and neither is tried again until there is another.
func TestIntegrationAppsHealth(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	w.write(map[string]string{"work/fazt.hcl": fmt.Sprintf(healthHCL, "30s", "10s"), "work/shop/main.js": shop("first", "well()")})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	p.serves("shop.localhost", "/grumble", "first")

	w.write(map[string]string{"work/fazt.hcl": fmt.Sprintf(healthHCL, "5s", "10s"), "work/shop/main.js": shop("second", `ill("out of ink")`)})
	w.push("Never well")
	exit, answer, err := p.call("/v1/sync", `{"wait":true}`)
	must(t, err)
	if said := string(answer); exit != exitRolledBack || !strings.Contains(said, "500") || !strings.Contains(said, "out of ink") || strings.Contains(said, "grumbles") {
		t.Errorf("sync of a release that is ill: exit %d\n%s", exit, said)
	}
	exit, answer, err = p.call("/v1/why", `{"app":"shop"}`)
	must(t, err)
	if said := string(answer); exit != 0 || !strings.Contains(said, "it was not healthy in ") || !strings.Contains(said, "out of ink") {
		t.Errorf("why: exit %d\n%s", exit, said)
	}
	p.serves("shop.localhost", "/", "first")

	// A newer commit does not wait for the ten minutes of one that is never well.
	w.write(map[string]string{"work/fazt.hcl": fmt.Sprintf(healthHCL, "10m", "10s"), "work/shop/main.js": shop("slow", `ill("the ink dries")`)})
	slow, fate := w.push("Never well, for long"), make(chan string, 1)
	go func() {
		_, answer, err := p.call("/v1/sync", fmt.Sprintf(`{"wait":true,"rev":%q}`, slow))
		fate <- fmt.Sprint(string(answer), err)
	}()

	// Three good answers let it in; then it is ill for ever.
	w.write(map[string]string{"work/fazt.hcl": fmt.Sprintf(healthHCL, "30s", "10m"), "work/shop/main.js": shop("third", `n <= 3 ? well() : ill("out of paper")`)})
	bad := w.push("Well at first")
	p.sync(0, "")
	if said := <-fate; !strings.Contains(said, "superseded") {
		t.Errorf("who waited for the one before hears %s", said)
	}
	p.await("component=health", "revision="+bad, "the one before is back")
	p.serves("shop.localhost", "/", "first")
	for range 2 { // it is not taken again, nor after a restart
		_, answer, err = p.call("/v1/sync", `{"wait":true}`)
		must(t, err)
		if !strings.Contains(string(answer), "rolled_back") && !strings.Contains(string(answer), "held") {
			t.Errorf("sync does not say that the release was left:\n%s", answer)
		}
		p.serves("shop.localhost", "/", "first")
		p.stop()
		p = w.serve("state", "--repo", w.path("origin.git"))
	}
	told, err := json.Marshal(p.status())
	must(t, err)
	if !strings.Contains(string(told), `"state":"rolled_back"`) {
		t.Errorf("the status: %s", told)
	}
	_, answer, err = p.call("/v1/history", `{}`)
	must(t, err)
	var history historyOut
	must(t, json.Unmarshal(answer, &history))
	left, back := false, false
	for _, d := range history.Deployments {
		left = left || d.Revision == bad && d.Outcome == leftBehind
		back = back || d.Trigger == "rollback" && d.Actor == "health" && strings.Contains(d.Reason, "500: out of paper")
	}
	if !left || !back {
		t.Errorf("the history: %s", answer)
	}
	p.stop()
}

// TestIntegrationAppsHealthOfVisitors: a release that is well where it is asked, and
// fails its visitors, is left; that goes on after the node was killed.
func TestIntegrationAppsHealthOfVisitors(t *testing.T) {
	t.Parallel()
	const throws = `export default {
  fetch(request) {
    if (new URL(request.url).pathname === "/health") return new Response("well");
    throw new Error("out of ink");
  },
};`
	w := newPlainWorld(t)
	w.write(map[string]string{"work/fazt.hcl": fmt.Sprintf(healthHCL, "30s", "10m"), "work/shop/main.js": shop("first", "well()")})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	for range 3 {
		p.serves("shop.localhost", "/", "first")
	}
	w.write(map[string]string{"work/shop/main.js": throws})
	bad := w.push("Throws")
	p.sync(0, "")
	for range 20 {
		if got := p.get("shop.localhost", "/order"); got.status != 500 && got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	said := p.await("component=health", "revision="+bad, "the one before is back")
	if !strings.Contains(said, "20 of 20 requests answered 5xx") || !strings.Contains(said, "(before: 0 of 3); the last: GET /order: 500 exception, reference ") {
		t.Errorf("the log: %s", said)
	}
	p.serves("shop.localhost", "/", "first")

	w.write(map[string]string{"work/shop/main.js": throws + "// again"})
	bad = w.push("Throws still")
	p.sync(0, "")
	p.kill()
	p = w.serve("state", "--repo", w.path("origin.git"))
	for range 20 {
		p.get("shop.localhost", "/order")
	}
	p.await("component=health", "revision="+bad, "the one before is back")
	p.serves("shop.localhost", "/", "first")
	p.kill()
	p = w.serve("state", "--repo", w.path("origin.git"))
	p.serves("shop.localhost", "/", "first")
	p.stop()
}
