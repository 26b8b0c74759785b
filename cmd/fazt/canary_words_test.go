package main

import (
	"log/slog"
	"strings"
	"testing"
)

// telling is code whose releases are ill, and say so with what they were given.
const telling = `export default {
  fetch(request, env) {
    switch (new URL(request.url).pathname) {
      case "/long": console.log("y".repeat(65536 - 20) + env.KEY); return new Response("long");
      case "/basic": console.log("Basic " + btoa("user:" + env.KEY)); return new Response("basic");
      case "/health": HEALTH
    }
    return new Response("nothing", { status: 404 });
  },
};
`

// What a node says of a release that does not work, and what it keeps of a line that is
// too long or encoded, has nothing of a secret that the code was given.
func TestCanaryInWhatIsToldOfCode(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	const canary = "c4nary-7Qz-of-what-is-told-of-code"
	var log lockedBuffer
	r := newRig(t, func(c *nodeConfig) {
		c.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	s := newSweeper(t, map[string]string{"value": canary})
	call := func(want int, args ...string) string {
		t.Helper()
		return s.call(r, want, args...)
	}
	release := func(health string) {
		writeFiles(t, r.site, map[string]string{"tell/main.js": strings.Replace(telling, "HEALTH", health, 1)})
	}
	writeFiles(t, r.site, map[string]string{
		"node.fazt.hcl": recipientBlock("local", r.identity.Recipient()),
		"tell.fazt.hcl": "app \"tell\" {\n  content = \"tell\"\n\n  runtime {\n    entry = \"main.js\"\n  }\n\n  env = { KEY = secret.tell }\n\n  health {\n    path     = \"/health\"\n    deadline = \"4s\"\n  }\n}\n",
	})
	release(`return new Response("well");`)
	r.p.stdin = strings.NewReader(canary)
	call(0, "secret", "set", "tell", r.site)
	call(0, "apply", r.site, "--yes")
	for _, path := range []string{"/long", "/basic"} {
		call(0, "function", "call", "tell", path)
	}
	r.until(t, "Basic dXNlcjp"+"(secret.tell)", "app", "logs", "tell")
	call(0, "app", "logs", "tell", "--json")
	for _, c := range []struct{ health, told string }{
		{`return new Response("v2 bad " + env.KEY, { status: 500 });`, "answered 500: v2 bad (secret.tell)"},
		{`return new Response("y".repeat(300 - 20) + env.KEY, { status: 500 });`, "answered 500: yyy"},
		{`throw new Error("cannot pay with " + env.KEY);`, "cannot pay with (secret.tell)"},
		{`return new Response(new ReadableStream({ pull(c) { c.error(new Error("broken with " + env.KEY)); } }));`, "/health of \"app.tell\""},
	} {
		release(c.health)
		if said := call(-1, "apply", r.site, "--yes"); !strings.Contains(said, c.told) {
			t.Errorf("%s: %q is not in\n%s", c.health, c.told, said)
		}
		for _, args := range [][]string{{"status"}, {"why", "tell"}, {"events"}, {"app", "logs", "tell"}, {"app", "show", "tell"}} {
			call(-1, args...)
			call(-1, append(args, "--json")...)
		}
	}
	s.look("the log", log.bytes())
	s.folder(r.ground.Dir)
}
