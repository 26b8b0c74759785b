package rewrite_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/platform/fault"
	"pgregory.net/rapid"
)

// parse compiles a _redirects file that has no problem.
func parse(t testing.TB, src string) *rewrite.Table {
	t.Helper()
	rules, problems := rewrite.ParseRedirects([]byte(src))
	if len(problems) > 0 {
		t.Fatalf("%q: %v", src, problems)
	}
	table, err := rewrite.Compile(rules, nil)
	if err != nil {
		t.Fatalf("%q: %v", src, err)
	}
	return table
}

// What the file says on the left, asked for on the right.
func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		rules, request, want string
		exists               bool
	}{
		{"/old /new", "/old", "301 /new", false},
		{"/old /new", "/old/", "301 /new", false},
		{"/old/ /new/ 302", "/old", "302 /new/", false},
		{"/old /new", "/other", "", false},
		{"/old /new", "/old", "", true},
		{"/old /new 301!", "/old", "301 /new", true},
		{"/old /new 308  # moved for good", "/old", "308 /new", false},
		{"# nothing\n\n   \n/a /b", "/a", "301 /b", false},
		{"/a /b\r\n/c /d\r\n", "/c", "301 /d", false},
		{"\ufeff/a /b", "/a", "301 /b", false},
		{"/a /b#part", "/a", "301 /b#part", false},
		{"/a /b", "/a?x=1&y=%20", "301 /b?x=1&y=%20", false},
		{"/a /b?z=0#part", "/a?x=1", "301 /b?z=0&x=1#part", false},
		{"/docs/* /manual/:splat", "/docs/a/b", "301 /manual/a/b", false},
		{"/docs/* /manual/:splat", "/docs/a/", "301 /manual/a/", false},
		{"/docs/* /manual/:splat", "/docs", "301 /manual/", false},
		{"/docs/* /manual/:splat", "/docsa", "", false},
		{"/docs* /manual:splat", "/docs-1", "301 /manual-1", false},
		{"/*.php /:splat", "/a/b.php", "301 /a/b", false},
		{"/*.php /:splat", "/a/b", "", false},
		{"/blog/:year/:slug /:slug-:year", "/blog/2026/hello", "301 /hello-2026", false},
		{"/blog/:year/:slug /:slug-:year", "/blog/2026/hello/", "301 /hello-2026", false},
		{"/blog/:year/:slug /:slug", "/blog/2026", "", false},
		{"/blog/:year/:slug /:slug", "/blog/2026/a/b", "", false},
		{"/u/:id/* https://example.com/:id/:splat?from=:id 302", "/u/7/a b", "302 https://example.com/7/a%20b?from=7", false},
		{"/go https://example.com", "/go", "301 https://example.com/", false},
		{"/go https://example.com:8443/x", "/go?q=1", "301 https://example.com:8443/x?q=1", false},
		{"/store id=:id /item/:id", "/store?id=7", "301 /item/7", false},
		{"/store id=:id /item/:id", "/store?b=1&id=7&c=2", "301 /item/7?b=1&c=2", false},
		{"/store id=:id /item/:id", "/store?id=a%2Fb", "301 /item/a%2Fb", false},
		{"/store id=:id /item/:id", "/store", "", false},
		{"/store kind=shoe /shoes", "/store?kind=shoe", "301 /shoes", false},
		{"/store kind=shoe /shoes", "/store?kind=hat", "", false},
		{"/app/* /app/index.html 200", "/app/inbox", "200 in place /app/index.html", false},
		{"/app/* /app/index.html 200", "/app/inbox", "", true},
		{"/* /missing.html 404", "/x", "404 in place /missing.html", false},
		{"/api/* /v2/:splat 200!", "/api/a b", "200 in place /v2/a b", true},
		{"/caf%C3%A9 /coffee", "/café", "301 /coffee", false},
		{"/café /kaffee", "/café", "301 /kaffee", false},
		{"/tea /thé", "/tea", "301 /th%C3%A9", false},
		{"/wiki/Talk%3AHome /talk", "/wiki/Talk:Home", "301 /talk", false},
		{"/a/b /one\n/a/* /two", "/a/b", "301 /one", false},
		{"/a/* /two\n/a/b /one", "/a/b", "301 /two", false},
		{"/a/* /two\n/a/b /one!x", "/c", "", false},
		{"/a /one\n/a /two", "/a", "301 /one", false},
		{"/a /one\n/a /two 302!", "/a", "302 /two", true},
	} {
		path, query, _ := strings.Cut(c.request, "?")
		got := ""
		if m, ok := parse(t, c.rules).Redirect(path, query, c.exists); ok {
			got = fmt.Sprint(m.Status, " ", m.Location)
			if m.Location == "" {
				got = fmt.Sprint(m.Status, " in place ", m.Path)
			}
		}
		if got != c.want {
			t.Errorf("%q: %s = %q, want %q", c.rules, c.request, got, c.want)
		}
	}
}

// Each refusal names the line and what is wrong with it.
func TestRedirectProblems(t *testing.T) {
	for line, want := range map[string]string{
		"/a":                                    `"/a" has no target`,
		"/a b":                                  `"b" is neither`,
		"a /b":                                  `must begin with a slash`,
		"/a ftp://x/y":                          `neither a query parameter`,
		"https://old.example/* /b":              `names a host`,
		"//old.example/* /b":                    `names a host`,
		"/a //evil.example":                     `leaves the host`,
		`/a /\evil.example`:                     `backslash`,
		`/a\b /c`:                               `backslash`,
		"/a /b 418":                             `status 418`,
		"/a /b maybe":                           `"maybe" is not a status`,
		"/a /b 302 Country=de":                  `condition "Country=" is not supported`,
		"/a /b 200 Language=en,fr":              `condition "Language=" is not supported`,
		"/a /b Role=admin":                      `condition "Role=" is not supported`,
		"/a /b 302 Cookie=beta":                 `condition "Cookie=" is not supported`,
		"/a https://example.com 200":            `cannot be proxied`,
		"/*/* /b":                               `more than one splat`,
		"/:a/:a /b":                             `there twice`,
		"/:splat /b":                            `":splat"`,
		"/x:id /b":                              `whole part of the path`,
		"/:a-b /c":                              `whole part of the path`,
		"/a /:b":                                `":b" is not a name of this rule`,
		"/a /b?c=:d":                            `":d" is not a name`,
		"/* https://:splat/":                    `no plain host`,
		"/* https://:splat.evil/":               `no plain host`,
		"/a https://u:p@host/":                  `no plain host`,
		"/a?b=1 /c":                             `matched by name=value`,
		"/a%zz /b":                              `not escaped correctly`,
		"/a /b%zz":                              `not escaped correctly`,
		"/a /a":                                 `leads to itself`,
		"/a/ /a 302":                            `leads to itself`,
		"/a /b\xff":                             `not UTF-8`,
		"/" + strings.Repeat("a", 2000) + " /b": `more than 2000 bytes`,
		"/:a/:b/:c/:d/:e/:f/:g/:h/:i /x":        `more than 8`,
		"/:a/:b/:c/:d/:e/:f/:g/:h/* j=:j /x":    `more than 8`,
	} {
		rules, problems := rewrite.ParseRedirects([]byte("/fine /here\n" + line + "\n"))
		if len(problems) != 1 || problems[0].Line != 2 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%q: %v, want %q", line, problems, want)
		}
		if len(rules) != 1 {
			t.Errorf("%q: %d rules are left, want the fine one", line, len(rules))
		}
	}
}

func TestLoopsAreRefused(t *testing.T) {
	for _, src := range []string{
		"/a /b 301!\n/b /a 301!",
		"/* /x/:splat 302!",
		"/a/* /b/:splat 301!\n/b/* /a/:splat 301!",
		"/a id=:id /a?id=:id 301!\n/a /a?id=1 301!",
	} {
		rules, problems := rewrite.ParseRedirects([]byte(src))
		_, err := rewrite.Compile(rules, nil)
		if fault.KindOf(err) != fault.Invalid && len(problems) == 0 {
			t.Errorf("%q: %v", src, err)
		}
		if err != nil && !strings.Contains(err.Error(), "_redirects:") {
			t.Errorf("%q: no place in %q", src, err)
		}
	}
}

// Whether redirects that give way to files go round depends on the files.
func TestLoopsThatDependOnFiles(t *testing.T) {
	table := parse(t, "/* /home 302")
	with := func(files ...string) func(string) (bool, string) {
		return func(path string) (bool, string) {
			for _, f := range files {
				if f == path {
					return true, ""
				}
			}
			return false, ""
		}
	}
	if err := table.CheckLoops(with("/home")); err != nil {
		t.Error("the target is a file:", err)
	}
	if err := table.CheckLoops(with("/other")); fault.KindOf(err) != fault.Invalid {
		t.Error("the target is no file:", err)
	}
	forced := parse(t, "/x /x.html 301!")
	clean := func(path string) (bool, string) {
		if path == "/x.html" {
			return true, "/x"
		}
		return path == "/x", ""
	}
	if err := forced.CheckLoops(clean); fault.KindOf(err) != fault.Invalid {
		t.Error("the server's own redirect closes the circle:", err)
	}
	var none *rewrite.Table
	if err := none.CheckLoops(clean); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	var fixed, dynamic strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&fixed, "/a%d /b\n", i)
	}
	for i := range 501 {
		fmt.Fprintf(&dynamic, "/a%d/* /b\n", i)
	}
	for _, src := range []string{fixed.String(), dynamic.String()} {
		rules, problems := rewrite.ParseRedirects([]byte(src))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if _, err := rewrite.Compile(rules, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%d rules: %v", len(rules), err)
		}
		if _, err := rewrite.Compile(rules[:len(rules)-1], nil); err != nil {
			t.Error(err)
		}
	}
	if _, problems := rewrite.ParseRedirects(make([]byte, 1<<20+1)); len(problems) != 1 {
		t.Error(problems)
	}
	if _, problems := rewrite.ParseRedirects([]byte(strings.Repeat("x\n", 1000))); len(problems) != 100 {
		t.Errorf("%d problems", len(problems))
	}
}

// A declared redirect is judged like one in a file.
func TestCompileRefuses(t *testing.T) {
	_, err := rewrite.Compile([]rewrite.Redirect{{From: "/a", To: "//evil", Status: 301}}, nil)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `redirect "/a"`) {
		t.Error(err)
	}
	_, err = rewrite.Compile(nil, []rewrite.Header{{Path: "/*", Set: map[string]string{"Fazt-Revision": "x"}}})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `headers of "/*"`) {
		t.Error(err)
	}
}

// ruleGen draws redirects over a tiny alphabet, so that they meet.
func ruleGen() *rapid.Generator[rewrite.Redirect] {
	return rapid.Custom(func(t *rapid.T) rewrite.Redirect {
		froms := []string{"/", "/a", "/a/", "/b", "/a/b", "/a/*", "/*", "/:x", "/:x/b", "/a/:y", "/b*", "/*b", "/:x/*", "/b/a"}
		r := rewrite.Redirect{
			From:   rapid.SampledFrom(froms).Draw(t, "from"),
			To:     rapid.SampledFrom([]string{"/to", "/to?q=1", "https://example.com/z"}).Draw(t, "to"),
			Status: rapid.SampledFrom([]int{200, 301, 302, 404}).Draw(t, "status"),
			Force:  rapid.Bool().Draw(t, "force"),
		}
		if r.Status == 200 || r.Status == 404 {
			r.To = "/page"
		}
		if rapid.IntRange(0, 4).Draw(t, "query") == 0 {
			r.Query = []rewrite.Param{{Name: "q", Value: "1"}}
		}
		return r
	})
}

// The order of declaration decides, whatever the table does to be fast: its
// answer is that of the first rule which alone has one.
func TestFirstMatchWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// An answer for /to keeps every set of rules out of a circle: a rule
		// that another one shields would otherwise lead in one by itself.
		end := rewrite.Redirect{From: "/to", To: "/page", Status: 200, Force: true}
		rules := rapid.SliceOfN(ruleGen(), 1, 8).Draw(t, "rules")
		table, err := rewrite.Compile(append([]rewrite.Redirect{end}, rules...), nil)
		if err != nil {
			t.Fatal(err)
		}
		path := rapid.SampledFrom([]string{"/", "/a", "/a/", "/b", "/a/b", "/b/a", "/ab", "/b/b", "/a/b/c", "/c"}).Draw(t, "path")
		query := rapid.SampledFrom([]string{"", "q=1", "q=2", "x=1&q=1"}).Draw(t, "query")
		exists := rapid.Bool().Draw(t, "exists")
		var want rewrite.Match
		found := false
		for _, r := range rules {
			alone, err := rewrite.Compile([]rewrite.Redirect{end, r}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want, found = alone.Redirect(path, query, exists); found {
				break
			}
		}
		got, ok := table.Redirect(path, query, exists)
		if ok != found || got != want {
			t.Fatalf("%s?%s = %v, %v, want %v, %v", path, query, got, ok, want, found)
		}
	})
}

// evil are paths that try to leave the host or the header.
var evil = []string{"//evil.test", `/\evil.test`, "/%09/evil.test", "///evil.test", "/x//evil.test", `/x/\evil.test`, "/x/\t/evil.test",
	"/x/\r\nSet-Cookie: a=b", "/x/@evil.test", "/x/.evil.test", "/x/https://evil.test", "/x/%2f%2fevil.test", "/x/..//evil.test", "/x/:80",
	"/x/?a", "/x/#a", "/x/\x00", "/x/\x7f", "/x/ü", "/x//", "/x/"}

// No request can choose the host it is sent to, nor write a second header.
func TestRedirectsStayOnTheirHost(t *testing.T) {
	site, _ := url.Parse("https://site.example/somewhere")
	for _, rules := range []string{"/* /:splat 302", "/x/* /:splat 302", "/x/* /y:splat 302", "/:a/* /:splat/:a 302", "/x/:a /:a 302",
		"/:a/:b /:b/:a 302", "/x* /:splat 302"} {
		src, problems := rewrite.ParseRedirects([]byte(rules))
		table, err := rewrite.Compile(src, nil)
		if len(problems) > 0 || err != nil {
			t.Fatal(problems, err)
		}
		rapid.Check(t, func(t *rapid.T) {
			path := rapid.OneOf(rapid.SampledFrom(evil), rapid.StringMatching(`/x/[/\\.:@%?#a\t\n ]{0,8}`)).Draw(t, "path")
			query := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[/\\.:@%?#a&=\t\n ]{0,8}`)).Draw(t, "query")
			m, ok := table.Redirect(path, query, false)
			if !ok {
				return
			}
			if strings.ContainsFunc(m.Location, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
				t.Fatalf("raw bytes in %q", m.Location)
			}
			u, err := site.Parse(m.Location)
			if err != nil && strings.Contains(query, "%") {
				return // the request's own query is not escaped correctly
			}
			if err != nil || u.Host != site.Host || u.Scheme != site.Scheme || strings.HasPrefix(m.Location, "//") {
				t.Fatalf("%q + %q leads to %q (%v)", path, query, m.Location, err)
			}
		})
	}
}

// A request that no rule matches costs no allocation.
func TestNoMatchAllocatesNothing(t *testing.T) {
	table := parse(t, "/a /b\n/c/* /d/:splat\n/e/:f /g/:f\n/h i=:i /j/:i\n/k/*.html /l")
	headers, err := rewrite.Compile(nil, []rewrite.Header{{Path: "/x/*", Set: map[string]string{"A": "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, path := range []string{"/", "/about", "/e/", "/k/x.css", "/h"} {
			if _, ok := table.Redirect(path, "q=1", false); ok {
				t.Error("matched", path)
			}
			if headers.Fields(path) != nil {
				t.Error("headers on", path)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseRedirects(f *testing.F) {
	f.Add("/a /b 301!\n/c/* https://x.example/:splat\n/d id=:id /e/:id 200 Country=x # y")
	f.Fuzz(func(t *testing.T, src string) {
		rules, problems := rewrite.ParseRedirects([]byte(src))
		for _, p := range problems {
			if p.Line < 1 || p.Message == "" {
				t.Errorf("problem %+v", p)
			}
		}
		for _, r := range rules {
			if _, err := rewrite.Compile([]rewrite.Redirect{r}, nil); err != nil && !strings.Contains(err.Error(), "circle") {
				t.Errorf("parsed but not compiled: %v", err)
			}
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("/a/:b/* /c/:b?d=:splat#:b", "/a//evil", "x=%zz")
	f.Fuzz(func(t *testing.T, src, path, query string) {
		rules, _ := rewrite.ParseRedirects([]byte(src))
		table, err := rewrite.Compile(rules, nil)
		if err != nil {
			return
		}
		for _, exists := range []bool{false, true} {
			m, ok := table.Redirect(path, query, exists)
			if !ok {
				continue
			}
			if strings.ContainsAny(m.Location, "\r\n\\ ") || strings.HasPrefix(m.Location, "//") {
				t.Errorf("location %q", m.Location)
			}
			if m.Location == "" && !strings.HasPrefix(m.Path, "/") {
				t.Errorf("path %q", m.Path)
			}
		}
	})
}

// A path that the most patterns an app may have do not match.
func BenchmarkNoMatch(b *testing.B) {
	var src strings.Builder
	for i := range 500 {
		fmt.Fprintf(&src, "/section-%d/:id/* /new/:id/:splat\n", i)
	}
	table := parse(b, src.String())
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := table.Redirect("/section-x/some/page", "", false); ok {
			b.Fatal("matched")
		}
	}
}
