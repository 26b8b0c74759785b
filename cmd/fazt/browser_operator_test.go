//go:build browser

package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserCommands: a page of another origin commands nothing, neither at the
// console, whose cookie the browser has, nor at the control listener of this machine
// (P1). A page of the console's own does.
func TestBrowserCommands(t *testing.T) {
	browser := startChromium(t, chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"), chromedp.Flag("ignore-certificate-errors", true))
	d := newPeopleDesk(t, fmt.Sprintf(hostsSite, newVouching(t).URL)+"role \"operator\" {\n  members = [\"ana@example.com\"]\n  grant {\n    actions = [\"observe\", \"deploy\"]\n    on      = [\"node\"]\n  }\n}\n")
	d.write("evil/index.html", "<!doctype html><html lang=en><link rel=icon href='data:,'><title>Evil</title><h1>Evil</h1>")
	d.write("notes/api/main.ts", "export default { fetch() { return new Response('') } }\n")
	port := d.serveTLS(4)
	control, err := os.ReadFile(d.path("state/run/control"))
	if err != nil {
		t.Fatal(err)
	}
	console, p := "https://fazt.node.test"+port, newTab(t, browser)
	p.enter(port)
	pauses := func() string {
		return d.run(".", "fazt", "events", "--type", "pause", "--json", "--state", d.path("state"))
	}
	before := pauses()
	for _, target := range []string{console + "/v1/pause", strings.TrimSpace(string(control)) + "/v1/pause"} {
		for how, script := range map[string]string{
			"fetch":  `fetch(%q, { method: "POST", mode: "no-cors", credentials: "include", body: '{"app":"notes","reason":"evil"}' }).then(() => true, () => true)`,
			"beacon": `navigator.sendBeacon(%q, '{"app":"notes","reason":"evil"}')`,
			"form":   `(f => { f.method = "post"; f.enctype = "text/plain"; f.action = %q; document.body.append(f); f.submit(); return true })(document.createElement("form"))`,
		} {
			p.visit("https://evil.node.test" + port + "/")
			p.forget()
			eval[bool](p, fmt.Sprintf(script, target))
			p.answered(how, target, http.StatusForbidden)
		}
	}
	p.visit("https://evil.node.test" + port + "/")
	for _, script := range []string{
		`fetch(%q, { credentials: "include" }).then(r => r.text(), () => "")`,
		`fetch(%q, { credentials: "include", mode: "no-cors" }).then(r => r.text(), () => "")`,
	} {
		if read := eval[string](p, fmt.Sprintf(script, console+"/v1/status")); read != "" {
			t.Errorf("another site reads %s", read)
		}
	}
	if after := pauses(); after != before {
		t.Errorf("the journal has more: %s", after)
	}
	p.visit(console + "/")
	p.heading("Ana")
	status := eval[int](p, `fetch("/v1/pause", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"app":"notes","reason":"ours"}' }).then(r => r.status)`)
	if after := pauses(); status != http.StatusOK || !strings.Contains(after, `"person:`) {
		t.Errorf("a page of the console's own: %d %s", status, after)
	}
}
