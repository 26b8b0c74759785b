package spec_test

import (
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// What a finding tells beyond its summary: the likely word, what is allowed
// and the second place.
func TestFindingsHelp(t *testing.T) {
	const shared = "variable \"domain\" { default = \"example.com\" }\nlocals { base = 1 }\nnode \"fra-1\" { labels = { env = \"prod\" } }\n" // lines 1 to 3
	app := func(line string) string { return "app \"blog\" {\n  content = \"blog\"\n  " + line + "\n}\n" }
	for _, c := range []struct {
		name, text, code, help, related string
	}{
		{"argument", app("visibilty = 1"), "F1203", "arguments: content, hosts, spa,", ""},
		{"near argument", app("host = []"), "F1203", `did you mean "hosts"?`, ""},
		{"near block", "ap \"x\" {}", "F1101", `did you mean "app"?`, ""},
		{"near key", app(`redirects = [{ from = "/a", to = "/b", stats = 301 }]`), "F1203", `did you mean "status"?`, ""},
		{"number", app(`redirects = [{ from = "/a", to = "/b", status = 404 }]`), "F1206", "allowed: 200, 301, 302, 303, 307, 308", ""},
		{"enum", "edge { tls = { mode = \"of\" } }", "F1206", `did you mean "off"?`, ""},
		{"all of an enum", "edge { tls = { mode = \"on\" } }", "F1206", "allowed: acme, internal, files, off", ""},
		{"size", "limits { body = \"10M\" }", "F1205", "allowed: 1KiB to 1GiB", ""},
		{"bounds", app("limits { wall = \"2h\" }"), "F1206", "allowed: 100ms to 1h", ""},
		{"near argument of a block inside", app("limits { storrage = \"1GiB\" }"), "F1203", `did you mean "storage"?`, ""},
		{"near block inside", app("limit { storage = \"1GiB\" }"), "F1101", `did you mean "limits"?`, ""},
		{"near block as argument", app("limit = { storage = \"1GiB\" }"), "F1203", "did you mean the block limits { … }?", ""},
		{"block as argument", app("limits = { storage = \"1GiB\" }"), "F1203", "without an equals sign", ""},
		{"twice inside", app("limits {}\n  limits {}"), "F1105", "keep one of them", "x.fazt.hcl:3: first declared here"},
		{"variable", app("hosts = [var.domian]"), "F1301", "did you mean var.domain?", "fazt.hcl:1: var.domain is declared here"},
		{"local", app("hosts = [local.bse]"), "F1301", "did you mean local.base?", "fazt.hcl:2: local.base is declared here"},
		{"label", app("where = node.labels.envi == 1"), "F1301", "did you mean node.labels.env?", "fazt.hcl:3: node.labels.env is declared here"},
		{"node", app("where = node.fra-2.name == 1"), "F1301", "did you mean node.fra-1?", "fazt.hcl:3: node.fra-1 is declared here"},
		{"app", app("hosts = [app.blg.name]"), "F1301", "did you mean app.blog?", "x.fazt.hcl:1: app.blog is declared here"},
		{"bare name", app("hosts = [domain]"), "F1301", "did you mean var.domain?; text needs quotes", ""},
		{"function", app("hosts = [lowr(1)]"), "F1304", `did you mean "lower"?`, ""},
		{"far function", app("hosts = [zzzqqq(1)]"), "F1304", "fazt docs reference/language lists them", ""},
		{"near type", "variable \"v\" { type = nmber }", "F1205", `did you mean "number"?`, ""},
		{"far type", "variable \"v\" { type = list(zzz) }", "F1205", "types: string, number, bool", ""},
		{"near attribute of an app", app("hosts = [app.blog.nmae]"), "F1301", "did you mean app.blog.name?", ""},
		{"attribute of an app", app("hosts = [app.blog.zzz]"), "F1301", "app.blog has name, address", ""},
		{"attribute in a check", app("") + "check \"c\" {\n  assert = app.blog.zzz\n  message = \"\"\n}", "F1301", "app.blog has name, address, content, hosts", ""},
		{"type", app("spa = \"yes\""), "F1205", "serve index.html", ""},
		{"escape", app("hosts = [file(\"../x\")]"), "F1306", "stay inside it", ""},
		{"missing file", app("hosts = [file(\"x\")]"), "F1305", `there is no "x" in the tree`, ""},
		{"twice", "edge {}\nedge {}", "F1105", "keep one of them", "x.fazt.hcl:1: first declared here"},
		{"host", app("") + "app \"b\" {\n  content = \"b\"\n  hosts = [\"blog.localhost\"]\n}", "F1401", "a host belongs to one app", "x.fazt.hcl:7: app.b: also claimed here"},
		{"cycle", "locals {\n  a = local.b\n  b = local.a\n}", "F1302", "write one of them without naming local.a", "x.fazt.hcl:3: local.b is defined here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": shared, "x.fazt.hcl": c.text})})
			found := out.Findings()
			if len(found) == 0 {
				t.Fatal("nothing was found")
			}
			d := found[0]
			if d.Code != c.code || !strings.Contains(d.Detail, c.help) {
				t.Errorf("%s %s\nhelp %q, want %q", d.Code, d.Summary, d.Detail, c.help)
			}
			related := ""
			for _, r := range d.Related {
				related = r.Range.Filename + ":" + string(rune('0'+r.Range.Start.Line)) + ": " + r.Message
			}
			if related != c.related {
				t.Errorf("related %q, want %q", related, c.related)
			}
		})
	}
}

// The range of a finding is the innermost place that is certainly meant.
func TestFindingsPointAtTheValue(t *testing.T) {
	for text, marked := range map[string]string{
		"content = \"x\"\n  hosts = [\"a.com\", 7 == 8, [1]]":                                            "[1]",
		"content = \"x\"\n  redirects = [{ from = \"/a\", to = \"/b\", status = \"x\" }]":                `"x"`,
		"content = \"x\"\n  redirects = [for s in [\"x\"] : { from = \"/a\", to = \"/b\", status = s }]": `[for s in ["x"] : { from = "/a", to = "/b", status = s }]`,
		"content = \"x\"\n  headers = [{ path = \"/\", set = { \"Content-Length\" = 1 } }]":              `"Content-Length"`,
		"content = \"x\"\n  hosts = [\"fine.com\", \"..\"]":                                              `".."`,
		"content = upper(\"../x\")":      `upper("../x")`,
		"contant = 1\n  content = \"x\"": "contant",
	} {
		out := spec.Load(spec.Input{Tree: repo(map[string]string{"x.fazt.hcl": "app \"a\" {\n  " + text + "\n}\n"})})
		found := out.Findings()
		if len(found) != 1 || found[0].Snippet == nil {
			t.Errorf("%s: %v", text, found)
			continue
		}
		if s := found[0].Snippet; s.Code[s.Start:s.End] != marked {
			t.Errorf("%s: marks %q, want %q", text, s.Code[s.Start:s.End], marked)
		}
	}
}
