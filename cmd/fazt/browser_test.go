//go:build browser

package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestBrowser is what a person sees: the example in chromium, each part in a
// tab of its own.
func TestBrowser(t *testing.T) {
	browser := startChromium(t)
	_, port := newSiteDesk(t).dev()
	on := func(test func(*testing.T, *tab, string)) func(*testing.T) {
		return func(t *testing.T) { test(t, newTab(t, browser), port) }
	}
	t.Run("EveryPage", on(seeEveryPage))
	t.Run("List", on(seeList))
	t.Run("Docs", on(seeDocs))
	t.Run("Board", on(seeBoard))
	t.Run("BoardByKeyboard", on(seeBoardByKeyboard))
	t.Run("Snake", on(seeSnake))
	t.Run("Uploads", on(seeUploads))
	t.Run("Errors", on(seeErrors))
	t.Run("NothingYet", func(t *testing.T) { seeNothingYet(t, newTab(t, browser)) })
	t.Run("Reload", func(t *testing.T) { seeReload(t, browser) })
	t.Run("Code", func(t *testing.T) { seeCode(t, browser) })
	t.Run("Followed", func(t *testing.T) { seeFollowed(t, browser) })
}

// seeEveryPage walks from the first page of each app to all that its links
// lead to.
func seeEveryPage(t *testing.T, p *tab, port string) {
	for _, app := range []string{"company", "docs", "board", "snake", "summit", "workshop", "styles", "guestbook", "links", "drop", "api", "relay"} {
		home := "http://" + app + ".localhost" + port + "/"
		queue, seen := []string{home}, map[string]bool{home: true}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			if answer := p.visit(at); answer.Status != http.StatusOK {
				t.Errorf("%s: %d", at, answer.Status)
			}
			p.judge(at)
			for _, link := range eval[[]string](p, `[...document.querySelectorAll("a[href]")].map(a => a.href.split("#")[0])`) {
				if strings.HasPrefix(link, home) && !seen[link] {
					seen[link] = true
					queue = append(queue, link)
				}
			}
		}
		t.Logf("%s: %d pages", app, len(seen))
	}
}

// judge looks at a page as everybody who may come to it does: on a telephone,
// a tablet and a desk, by day and by night.
func (p *tab) judge(of string) {
	p.t.Helper()
	p.clean(of)
	for _, fault := range eval[[]string](p, structureFaults) {
		p.t.Errorf("%s: %s", of, fault)
	}
	for _, scheme := range []string{"dark", "light"} {
		p.scheme(scheme)
		for _, fault := range eval[[]string](p, contrastFaults) {
			p.t.Errorf("%s in %s: %s", of, scheme, fault)
		}
	}
	for _, width := range []int64{320, 768, 1280} {
		p.width(width)
		if wide := eval[int64](p, `document.documentElement.scrollWidth`); wide > width {
			p.t.Errorf("%s is %d pixels wide on a screen of %d", of, wide, width)
		}
	}
}

// structureFaults lists what a page lacks for search engines and for people
// who hear it.
const structureFaults = `(() => {
  const faults = [], all = (s) => [...document.querySelectorAll(s)];
  if (!document.title.trim()) faults.push("no title");
  if (!document.documentElement.lang) faults.push("no language");
  if (all("h1").length !== 1) faults.push(all("h1").length + " first headings");
  if (all("main").length !== 1) faults.push(all("main").length + " main parts");
  if (!document.querySelector("meta[name=viewport]")) faults.push("no viewport");
  const levels = all("h1, h2, h3, h4, h5, h6").map((h) => Number(h.tagName[1]));
  levels.forEach((l, i) => { if (i && l > levels[i - 1] + 1) faults.push("heading " + l + " after " + levels[i - 1]); });
  const named = (e) => (e.getAttribute("aria-label") || e.textContent || e.title || [...(e.labels ?? [])].map((l) => l.textContent).join("")).trim();
  for (const e of all("a[href], button, input:not([type=hidden]), select, textarea")) if (!named(e)) faults.push("no name: " + e.outerHTML.slice(0, 80));
  for (const e of all("img:not([alt])")) faults.push("no text for " + e.src);
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids)) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push("two elements #" + id);
  return faults;
})()`

// contrastFaults lists texts that differ too little from what is behind them:
// 4.5 to 1, or 3 to 1 where they are large.
const contrastFaults = `(() => {
  const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = color;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below, a = top[3]) => [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a));
  const light = (c) => {
    const [r, g, b] = c.map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = document.createElement("i");
  page.style.color = "Canvas";
  document.body.append(page);
  const canvas = rgba(getComputedStyle(page).color);
  page.remove();
  const behind = (e) => {
    const chain = [];
    for (; e; e = e.parentElement) chain.unshift(getComputedStyle(e));
    let color = canvas, opacity = 1;
    for (const style of chain) {
      opacity *= style.opacity;
      const own = rgba(style.backgroundColor);
      color = over(own, color, own[3] * opacity);
    }
    return [color, opacity];
  };
  const judge = (e, style, text) => {
    const [back, opacity] = behind(e), own = rgba(style.color);
    const front = over(own, back, own[3] * opacity);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    return ratio < (large ? 3 : 4.5) ? ["contrast " + ratio.toFixed(2) + ": " + text.trim().slice(0, 40)] : [];
  };
  const seen = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !e.closest(":disabled, noscript");
  const faults = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; (n = texts.nextNode());) {
    const e = n.parentElement;
    if (n.data.trim() && seen(e) && !e.closest("script, style")) faults.push(...judge(e, getComputedStyle(e), n.data));
  }
  for (const e of document.querySelectorAll("[placeholder]")) {
    if (seen(e)) faults.push(...judge(e, getComputedStyle(e, "::placeholder"), e.placeholder));
  }
  return faults;
})()`

// seeList: the bare domain leads to every app.
func seeList(t *testing.T, p *tab, port string) {
	home := "http://localhost" + port + "/"
	p.visit(home)
	p.judge(home)
	links := eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll("tr")].filter(r => r.querySelector("a")).map(r => [r.cells[0].innerText, r.querySelector("a").href]))`)
	if len(links) != 12 {
		t.Fatalf("links to %v, want twelve apps", links)
	}
	if at := links["event-summit"]; at != "http://summit.localhost"+port+"/" {
		t.Errorf("an app with a host of its own is listed at %s", at)
	}
	for app, link := range links {
		if answer := p.visit(link); answer.Status != http.StatusOK {
			t.Errorf("%s at %s: %d", app, link, answer.Status)
		}
	}
	p.clean(home)
}

// seeDocs: old addresses lead to their pages, each page has one address, and a
// wrong one has a page that helps.
func seeDocs(t *testing.T, p *tab, port string) {
	home := "http://docs.localhost" + port
	for from, to := range map[string]string{
		"/install":               "/guide/install",
		"/setup/scenes":          "/guide/scenes",
		"/v1/guide/schedules":    "/guide/schedules",
		"/latest/reference/api":  "/reference/api",
		"/guide/install.html":    "/guide/install",
		"/index.html":            "/",
		"/install#network":       "/guide/install#network",
		"/guide/troubleshooting": "/guide/troubleshooting",
	} {
		answer := p.visit(home + from)
		if at := p.where(); answer.Status != http.StatusOK || at != home+to {
			t.Errorf("%s leads to %s with %d, want %s", from, at, answer.Status, to)
		}
	}
	p.clean(home)
	answer := p.visit(home + "/guide/nowhere")
	if title := eval[string](p, `document.querySelector("h1").textContent`); answer.Status != http.StatusNotFound || title != "Page not found" {
		t.Errorf("/guide/nowhere: %d %q", answer.Status, title)
	}
	p.forget()
	p.judge(home + "/guide/nowhere")
	p.do(chromedp.Click(chromedp.CSS(`article a[href="/"]`)))
	p.await(`document.title.startsWith("Dimmer") || location.pathname === "/"`)
}

// seeBoard: an address that only the app's script knows survives a reload, a
// copy into another tab and the way back.
func seeBoard(t *testing.T, p *tab, port string) {
	home := "http://board.localhost" + port
	p.visit(home + "/")
	p.do(chromedp.Click(chromedp.CSS(`a[href="/board/workshop"]`)))
	p.await(`document.title === "Workshop · Boards"`)
	p.do(chromedp.Reload())
	p.await(`document.querySelectorAll(".card").length === 4`)
	if at := p.where(); at != home+"/board/workshop" {
		t.Errorf("the reload ended at %s", at)
	}
	if answer := p.visit(home + "/board/nowhere"); answer.Status != http.StatusOK {
		t.Errorf("an address of the app: %d", answer.Status)
	}
	p.judge(home + "/board/nowhere")
	if title := eval[string](p, `document.querySelector("h1").textContent`); title != "No such board" {
		t.Errorf("an address of no board: %q", title)
	}
	p.do(chromedp.NavigateBack())
	p.await(`document.title === "Workshop · Boards"`)
}

// seeBoardByKeyboard: a card is made and moved without a mouse, what happens
// is said, and it is still there after a reload.
func seeBoardByKeyboard(t *testing.T, p *tab, port string) {
	home := "http://board.localhost" + port
	p.visit(home + "/")
	p.tabTo(`a[href="/board/workshop"]`)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.await(`document.querySelectorAll(".card").length === 4`)
	p.tabTo(`.lane.next input`)
	p.do(chromedp.KeyEvent("Weigh the brass"), chromedp.KeyEvent(kb.Enter))
	p.await(`document.getElementById("status").textContent === "Added to Next"`)
	if !eval[bool](p, `document.activeElement.matches(".lane.next input")`) {
		t.Error("the focus left the field after a card was added")
	}
	p.tabTo(`[aria-label='Move "Weigh the brass" on']`)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.await(`document.getElementById("status").textContent === "Moved to Now"`)
	if !eval[bool](p, `document.activeElement.closest(".card")?.innerText.includes("Weigh the brass") ?? false`) {
		t.Error("the focus did not stay with the card that moved")
	}
	p.do(chromedp.Reload())
	p.await(`[...document.querySelectorAll(".lane.now .card")].some(c => c.innerText.includes("Weigh the brass"))`)
	p.judge(home + "/board/workshop")
}

// seeSnake: an arrow key starts the game, a berry counts, and the best score
// outlives the page.
func seeSnake(t *testing.T, p *tab, port string) {
	// The first berry lies ahead of the snake, the next one does not.
	tell(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: `Math.random = () => 168.5 / 321`})
	home := "http://snake.localhost" + port + "/"
	p.visit(home)
	before := eval[string](p, `document.getElementById("canvas").toDataURL()`)
	p.do(chromedp.KeyEvent(kb.ArrowRight))
	p.await(`document.getElementById("cover").checkVisibility() === false`)
	p.await(`document.getElementById("score").textContent === "1"`)
	if eval[string](p, `document.getElementById("canvas").toDataURL()`) == before {
		t.Error("nothing moved")
	}
	p.await(`document.getElementById("cover").checkVisibility()`)
	if said := eval[string](p, `document.getElementById("message").textContent`); said != "1 berry, your best so far." {
		t.Errorf("the end of the game says %q", said)
	}
	p.do(chromedp.Reload())
	if best := eval[string](p, `document.getElementById("best").textContent`); best != "1" {
		t.Errorf("the best score after a reload is %q", best)
	}
	p.clean(home)
}

// seeErrors: the node's own pages help, also at night and on a telephone.
func seeErrors(t *testing.T, p *tab, port string) {
	for address, want := range map[string]int64{
		"http://foreign.example" + port + "/":           http.StatusMisdirectedRequest,
		"http://nobody.localhost" + port + "/":          http.StatusMisdirectedRequest,
		"http://snake.localhost" + port + "/no/such.js": http.StatusNotFound,
		"http://localhost" + port + "/nothing":          http.StatusNotFound,
	} {
		p.seeError(address, want)
	}
}

func (p *tab) seeError(address string, want int64) {
	p.t.Helper()
	answer := p.visit(address)
	if answer.Status != want {
		p.t.Errorf("%s: %d, want %d", address, answer.Status, want)
	}
	p.forget() // that it is an error is no surprise
	p.judge(address)
	if said := eval[string](p, `document.querySelector("main").innerText`); !strings.Contains(said, fmt.Sprint(want)) || len(said) < 30 {
		p.t.Errorf("%s says %q", address, said)
	}
}

// seeNothingYet: a node before its first release says so.
func seeNothingYet(t *testing.T, p *tab) {
	d := newDesk(t)
	port := d.serve()
	p.seeError("http://company.localhost"+port+"/", http.StatusServiceUnavailable)
}

// seeReload: a page follows the files without a hand on it, and stays as it was
// while the configuration is broken.
func seeReload(t *testing.T, browser context.Context) {
	d := newSiteDesk(t)
	node, port := d.dev()
	p := newTab(t, browser)
	home := "http://docs.localhost" + port + "/guide/scenes"
	p.visit(home)
	shows := func(text string) {
		t.Helper()
		p.await(`document.querySelector("h1")?.textContent === ` + fmt.Sprintf("%q", text))
	}
	shows("Scenes")

	d.edit("apps/docs/guide/scenes.html", "<h1>Scenes</h1>", "<h1>Moods</h1>")
	shows("Moods")
	eval[bool](p, `window.untouched = true`)

	// Nothing tells a page that nothing happened. But passes come one after the
	// other: what another app shows was saved last, so the node has judged both.
	d.edit("apps/docs/app.fazt.hcl", "content =", "contant =")
	node.await("keeps serving")
	d.edit("apps/docs/guide/scenes.html", "<h1>Moods</h1>", "<h1>Lost</h1>")
	d.edit("apps/snake/index.html", "<h1>Snake</h1>", "<h1>Serpent</h1>")
	other := newTab(t, browser)
	other.visit("http://snake.localhost" + port + "/")
	other.await(`document.querySelector("h1")?.textContent === "Serpent"`)
	if !eval[bool](p, `window.untouched && document.querySelector("h1").textContent === "Moods"`) {
		t.Error("the page changed although the configuration is broken")
	}
	if answer := other.visit(home); answer.Status != http.StatusOK {
		t.Errorf("while the configuration is broken: %d", answer.Status)
	}
	if title := eval[string](other, `document.querySelector("h1").textContent`); title != "Moods" {
		t.Errorf("while the configuration is broken the page says %q", title)
	}

	d.edit("apps/docs/guide/scenes.html", "<h1>Lost</h1>", "<h1>Scenes again</h1>")
	d.edit("apps/docs/app.fazt.hcl", "contant =", "content =")
	shows("Scenes again")
	node.await("mended")
	p.clean(home)
}

// codeOfGuests is the code of an app that answers its own page, and fails at /fail.
const codeOfGuests = `interface Guest { name: string }
const last = (guests: Guest[]) => guests.at(-1)!.name;
export default {
  fetch(request: Request): Response {
    console.log("asked for", new URL(request.url).pathname);
    if (request.url.endsWith("/fail")) return new Response(last([]));
    return new Response("<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>Guests</title><body><main><h1>Guests</h1></main>",
      { headers: { "content-type": "text/html", "content-security-policy": "default-src 'self'" } });
  },
};
`

// seeCode: a page that code makes follows the code; what it throws is shown with its
// source, and what cannot be bundled lies over the page until it is mended.
func seeCode(t *testing.T, browser context.Context) {
	d := newDesk(t)
	d.write("fazt.hcl", `app "guests" {
  content = "guests"
  runtime { entry = "main.ts" }
}
app "other" { content = "other" }
`)
	d.write("other/index.html", "other")
	d.write("guests/main.ts", strings.Replace(codeOfGuests, "<h1>Guests</h1>", "<h1>Guests</h1>\" + ) \"", 1))
	node, port := d.devOf("other")
	node.await("not served yet")
	home := "http://guests.localhost" + port + "/"
	p := newTab(t, browser)
	p.seeError(home, http.StatusServiceUnavailable)
	p.await(`document.getElementById("fazt-trouble").textContent.includes("guests/main.ts:7:")`)

	d.write("guests/main.ts", codeOfGuests)
	p.await(`document.querySelector("h1")?.textContent === "Guests"`)
	node.await("guests  asked for /")
	p.forget()
	p.judge(home)
	d.edit("guests/main.ts", "<h1>Guests</h1>", "<h1>Visitors</h1>")
	p.await(`document.querySelector("h1")?.textContent === "Visitors"`)

	const panel = `document.querySelector("fazt-trouble")`
	d.edit("guests/main.ts", "interface Guest", "interfac Guest")
	p.await(panel + `?.shadowRoot.textContent.includes("guests/main.ts:1:")`)
	for _, width := range []int64{320, 1280} {
		p.width(width)
		if wide := eval[int64](p, `document.documentElement.scrollWidth`); wide > width {
			t.Errorf("with the panel it is %d pixels wide on a screen of %d", wide, width)
		}
	}
	d.edit("guests/main.ts", "interfac Guest", "interface Guest")
	p.await(`document.querySelector("fazt-trouble") === null`)
	p.clean(home)

	p.seeError(home+"fail", http.StatusInternalServerError)
	if said := eval[string](p, `document.querySelector("pre").textContent`); !strings.Contains(said, "main.ts:2:") || !strings.Contains(said, "> 2 | const last") || !strings.Contains(said, "at fetch (main.ts:6:") {
		t.Errorf("the page of an exception says %q", said)
	}
	d.edit("guests/main.ts", "last([])", `"no guests"`)
	p.await(`document.body.textContent.includes("no guests")`)
}

// seeFollowed: a push to the repository is what a reload shows, with the commit
// in a header, and what did not change does not travel again.
func seeFollowed(t *testing.T, browser context.Context) {
	d := newSiteDesk(t)
	d.run(".", "git", "init", "-q", "--bare", "-b", "main", "origin.git")
	d.run("site", "git", "init", "-q", "-b", "main")
	first := d.push("Open")
	port := d.serve("--repo", d.path("origin.git"), "--node", "fra-1")
	d.run(".", "fazt", "sync", "--wait", "--state", d.path("state"))
	p := newTab(t, browser)
	home := "http://docs.localhost" + port
	t.Run("Push", func(t *testing.T) { p.t = t; p.seePush(d, home, first) })
	t.Run("Again", func(t *testing.T) { p.t = t; p.seeAgain(home) })
	p.t = t
}

func (p *tab) seePush(d *desk, home, first string) {
	answer := p.visit(home + "/")
	if got := headerOf(answer.Headers, "Fazt-Revision"); got != first {
		p.t.Errorf("Fazt-Revision is %q, want %q", got, first)
	}
	before := eval[string](p, `document.querySelector("h1").textContent`)
	d.edit("apps/docs/index.html", "<h1>"+before+"</h1>", "<h1>Light for everybody</h1>")
	second := d.push("Rename")
	d.run(".", "fazt", "sync", "--wait", "--state", d.path("state"))
	if now := eval[string](p, `document.querySelector("h1").textContent`); now != before {
		p.t.Errorf("a page in production reloaded by itself: %q", now)
	}
	p.forget()
	p.do(chromedp.Reload())
	if now := eval[string](p, `document.querySelector("h1").textContent`); now != "Light for everybody" {
		p.t.Errorf("after the push the page says %q", now)
	}
	seen := p.sent(home[strings.Index(home, "//"):] + "/")
	if len(seen) != 1 || headerOf(seen[0].header, "Fazt-Revision") != second {
		p.t.Errorf("after the push: %+v, want revision %s", seen, second)
	}
	p.clean(home)
}

// seeAgain: on a second visit the page is asked for with the tag it had and
// not sent again; files named by their content are not even asked for.
func (p *tab) seeAgain(home string) {
	for range 2 {
		p.visit("about:blank")
		p.forget()
		p.visit(home + "/guide/scenes")
	}
	pages := p.sent("/guide/scenes")
	if len(pages) != 1 || pages[0].ifNoneMatch == "" || pages[0].status != http.StatusNotModified {
		p.t.Errorf("the page on a second visit: %+v", pages)
	}
	for _, suffix := range []string{".css", ".js"} {
		files := p.sent(suffix)
		if len(files) == 0 || slices.ContainsFunc(files, func(w wire) bool { return !w.cached }) {
			p.t.Errorf("%s on a second visit: %+v", suffix, files)
		}
	}
	p.clean(home)
}

// seeUploads: what a stranger uploads runs nothing on the app's origin, whichever way
// a page is led to it: as a document, as a picture's source, as a script.
func seeUploads(t *testing.T, p *tab, port string) {
	p.visit("http://drop.localhost" + port + "/")
	eval[bool](p, uploadAndLook)
	p.await("!!window.seen")
	seen := eval[map[string]string](p, "window.seen")
	want := map[string]string{"html": "nothing ran", "svg": "nothing ran", "js": "refused"}
	for kind, what := range want {
		if seen[kind] != what {
			t.Errorf("an uploaded .%s: %q, want %q (%v)", kind, seen[kind], what, seen)
		}
	}
	p.forget() // what the browser said of the refusals
}

// uploadAndLook uploads a page, a picture and a script that all say that they ran, and
// opens each where it would.
const uploadAndLook = `(() => {
  const upload = async (name, type, text) => {
    const json = async (r) => { if (!r.ok) throw new Error(name + ": " + r.status); return r.json(); };
    const { id, upload } = await json(await fetch("/api/files", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ name, type, size: text.length }) }));
    const put = await fetch(upload, { method: "PUT", headers: { "content-type": type }, body: text });
    if (!put.ok) throw new Error(name + ": " + put.status);
    return (await json(await fetch("/api/files/" + id))).url;
  };
  const framed = (url) => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => setTimeout(done, 300);
    setTimeout(done, 3000); // a download loads nothing
    frame.src = url;
    document.body.append(frame);
  });
  const said = (kind) => window.ran?.[kind] ? "it ran at " + window.ran[kind] : "nothing ran";
  const script = (kind) => "(top.ran ??= {})." + kind + " = location.origin";
  (async () => {
    const seen = {};
    await framed(await upload("x.html", "text/html", "<script>" + script("html") + "</script>"));
    seen.html = said("html");
    await framed(await upload("x.svg", "image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"><script>' + script("svg") + "</script></svg>"));
    seen.svg = said("svg");
    const url = await upload("x.js", "text/javascript", "window.ran = { js: 1 }");
    seen.js = await new Promise((done) => {
      const s = document.createElement("script");
      s.onload = () => done("it ran");
      s.onerror = () => done("refused");
      s.src = url;
      document.body.append(s);
    });
    window.seen = seen;
  })().catch((e) => { window.seen = { error: String(e) }; });
  return true;
})()`
