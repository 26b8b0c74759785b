package spec_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/spec"
)

// apps is a repository of a shared file and n apps, each in its own file.
func apps(n int) map[string]string {
	files := map[string]string{"fazt.hcl": "variable \"domain\" { default = \"example.com\" }\nedge { domain = var.domain }\n"}
	for i := range n {
		name := fmt.Sprintf("app-%04d", i)
		files["apps/"+name+"/app.fazt.hcl"] = fmt.Sprintf("app %q {\n  content = \"apps/%s\"\n  hosts   = [\"%s.${var.domain}\"]\n}\n", name, name, name)
		files["apps/"+name+"/index.html"] = name
	}
	return files
}

func with(files map[string]string, name, text string) map[string]string {
	changed := maps.Clone(files)
	changed[name] = text
	return changed
}

// wire sends units the way they travel to and from the loader's child.
func wire(t *testing.T, units []spec.Unit) []spec.Unit {
	t.Helper()
	text, err := json.Marshal(units)
	if err != nil {
		t.Fatal(err)
	}
	var back []spec.Unit
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestOneChangedFileIsTheOnlyOneOpened(t *testing.T) {
	files := apps(1000)
	cold := spec.Load(spec.Input{Tree: repo(files)})
	if cold.Spec == nil || len(cold.Spec.Objects) != 1002 || cold.Evaluated != 1000 || cold.Files != 1001 {
		t.Fatalf("cold load: %v", cold.Diagnostics)
	}
	known := wire(t, cold.Units)

	same := repo(files)
	again := spec.Load(spec.Input{Tree: same, Known: known})
	if again.Evaluated != 0 || same.opened.Load() != 1 { // fazt.hcl
		t.Errorf("unchanged: %d evaluated, %d files opened", again.Evaluated, same.opened.Load())
	}
	if !reflect.DeepEqual(again.Spec, cold.Spec) {
		t.Error("an unchanged revision is not what it was")
	}

	one := repo(with(files, "apps/app-0500/app.fazt.hcl", "app \"app-0500\" {\n  content = \"apps/app-0500\"\n  spa = true\n}\n"))
	changed := spec.Load(spec.Input{Tree: one, Known: known})
	if changed.Evaluated != 1 || one.opened.Load() != 2 {
		t.Errorf("one changed: %d evaluated, %d files opened", changed.Evaluated, one.opened.Load())
	}
	if n := len(differing(cold.Spec, changed.Spec)); n != 1 {
		t.Errorf("%d objects differ", n)
	}
}

// A loader that remembers evaluates nothing where nothing of the configuration
// changed, opens no file and looks into no folder that is the same.
func TestWhatIsRememberedIsNotReadAgain(t *testing.T) {
	files := apps(100)
	files["note.txt"] = "one.example.com"
	files["fazt.hcl"] = "variable \"domain\" { default = \"example.com\" }\nedge { domain = file(\"note.txt\") }\n"
	var memory spec.Memory
	first := spec.Load(spec.Input{Tree: repo(files), Memory: &memory})
	for name, c := range map[string]struct {
		files     map[string]string
		evaluated int
		opened    int64
	}{
		"nothing":                        {files: files},
		"content":                        {files: with(files, "apps/app-0007/index.html", "new")},
		"what the shared things read":    {files: with(files, "note.txt", "two.example.com"), evaluated: 100, opened: 102},
		"a new shared file":              {files: with(files, "x.fazt.hcl", "locals { x = 1 }\n"), evaluated: 100, opened: 103},
		"an app":                         {files: with(files, "apps/app-0007/app.fazt.hcl", "app \"app-0007\" {\n  content = \"x\"\n}\n"), evaluated: 1, opened: 3},
		"an app and a file of that name": {files: with(with(files, "apps/app-0007/app.fazt.hcl", ""), "more.fazt.hcl", "app \"app-0007\" {\n  content = \"x\"\n}\n"), evaluated: 1, opened: 4},
	} {
		tree := repo(c.files)
		warm := spec.Load(spec.Input{Tree: tree, Known: first.Units, Memory: &memory})
		if warm.Evaluated != c.evaluated || tree.opened.Load() != c.opened {
			t.Errorf("%s: %d evaluated, %d files opened", name, warm.Evaluated, tree.opened.Load())
		}
		if cold := spec.Load(spec.Input{Tree: repo(c.files)}); !reflect.DeepEqual(cold.Spec, warm.Spec) {
			t.Errorf("%s: a load that remembers is not one that does not", name)
		}
		spec.Load(spec.Input{Tree: repo(files), Known: first.Units, Memory: &memory}) // back
	}
}

// What a load that changes nothing takes is a few allocations an app.
func TestAllocationsOfALoadThatChangesNothing(t *testing.T) {
	tree := pin(apps(500))
	var memory spec.Memory
	known := spec.Load(spec.Input{Tree: tree, Memory: &memory}).Units
	per := testing.AllocsPerRun(5, func() {
		spec.Load(spec.Input{Tree: tree, Known: known, Memory: &memory})
	}) / 500
	if per > 5 {
		t.Errorf("%.1f allocations an app", per)
	}
}

// differing are the addresses whose digests two specs disagree on.
func differing(a, b *spec.Spec) []spec.Addr {
	digests := map[spec.Addr]string{}
	for _, o := range a.Objects {
		digests[o.Addr] = o.Digest
	}
	var list []spec.Addr
	for _, o := range b.Objects {
		if digests[o.Addr] != o.Digest {
			list = append(list, o.Addr)
		}
		delete(digests, o.Addr)
	}
	return append(list, slices.Collect(maps.Keys(digests))...)
}

func TestUnitsAreReusedOnlyWhileTheirInputsAreTheSame(t *testing.T) {
	files := map[string]string{
		"fazt.hcl":       "variable \"v\" { default = \"x\" }\nlocals { note = trimspace(file(\"note.txt\")) }\nnode \"a\" {}\nnode \"b\" {}\nfunction \"read\" {\n  params = [p]\n  result = trimspace(file(p))\n}\n",
		"note.txt":       "one\n",
		"a.fazt.hcl":     "app \"a\" {\n  content = \"a\"\n  headers = [{ path = \"/\", set = { A = local.note } }]\n}\n",
		"b.fazt.hcl":     "app \"b\" {\n  content = \"b\"\n  headers = [{ path = \"/\", set = { B = read(\"b.txt\") } }]\n}\n",
		"c.fazt.hcl":     "app \"c\" {\n  content = \"c\"\n  headers = [{ path = \"/\", set = { C = join(\",\", fileset(\"set\", \"*\")) } }]\n}\n",
		"d.fazt.hcl":     "app \"d\" {\n  content = \"d\"\n  headers = [{ path = \"/\", set = { D = app.a.name } }]\n}\n",
		"b.txt":          "b",
		"set/1":          "",
		"elsewhere.html": "",
	}
	in := spec.Input{Tree: repo(files), Node: "a"}
	cold := spec.Load(in)
	if cold.Spec == nil || len(cold.Spec.Stalled) > 0 || len(cold.Units) != 4 {
		t.Fatal(cold.Diagnostics)
	}
	without := maps.Clone(files)
	delete(without, "a.fazt.hcl")
	for _, c := range []struct {
		name  string
		files map[string]string
		edit  func(*spec.Input)
		want  int
	}{
		{name: "nothing", files: files},
		{name: "a file nobody reads", files: with(files, "elsewhere.html", "new")},
		{name: "a file that a function reads", files: with(files, "b.txt", "c"), want: 1},
		{name: "a folder that is listed", files: with(files, "set/2", ""), want: 1},
		{name: "a file that shared things read", files: with(files, "note.txt", "two"), want: 4},
		{name: "the shared file", files: with(files, "fazt.hcl", files["fazt.hcl"]+"\n# more\n"), want: 4},
		{name: "another shared file", files: with(files, "x.fazt.hcl", "locals { y = 1 }\n"), want: 4},
		{name: "a file moved", files: with(without, "moved/a.fazt.hcl", files["a.fazt.hcl"]), want: 1},
		{name: "a named app gone", files: without, want: 1},
		{name: "a variable", files: files, edit: func(in *spec.Input) { in.Vars = map[string]string{"v": "y"} }, want: 4},
		{name: "the domain", files: files, edit: func(in *spec.Input) { in.Domain = "localhost.test" }, want: 4},
		{name: "the node", files: files, edit: func(in *spec.Input) { in.Node = "b" }, want: 4},
		{name: "all apps", files: files, edit: func(in *spec.Input) { in.AllApps = true }, want: 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := in
			in.Tree = repo(c.files)
			if c.edit != nil {
				c.edit(&in)
			}
			cold := spec.Load(in)
			in.Known = wire(t, spec.Load(spec.Input{Tree: repo(files), Node: "a"}).Units)
			warm := spec.Load(in)
			if warm.Evaluated != c.want {
				t.Errorf("%d files evaluated, want %d", warm.Evaluated, c.want)
			}
			if !reflect.DeepEqual(warm.Spec, cold.Spec) {
				t.Errorf("a warm load is not a cold one: %v", differing(cold.Spec, warm.Spec))
			}
		})
	}
}

func TestAStalledAppIsEvaluatedAgain(t *testing.T) {
	files := apps(3)
	files["apps/app-0001/app.fazt.hcl"] = "app \"app-0001\" { content = local.folder }\n"
	first := spec.Load(spec.Input{Tree: repo(files)})
	if first.Spec == nil || first.Spec.Stalled["app.app-0001"] == nil {
		t.Fatal(first.Diagnostics)
	}
	files["more.fazt.hcl"] = "locals { folder = \"x\" }\n"
	second := spec.Load(spec.Input{Tree: repo(files), Known: wire(t, first.Units)})
	if second.Spec == nil || len(second.Spec.Stalled) != 0 || len(second.Spec.Objects) != 5 {
		t.Fatal(findings(second))
	}
}

func TestAFaultyAppStallsAlone(t *testing.T) {
	files := apps(3)
	files["apps/app-0001/app.fazt.hcl"] += "app \"beside\" { content = \"x\" }\napp \"bad\" { spa = 1 }\n"
	out := spec.Load(spec.Input{Tree: repo(files)})
	if out.Spec == nil || len(out.Diagnostics) > 0 {
		t.Fatal(out.Diagnostics)
	}
	if got := slices.Collect(maps.Keys(out.Spec.Stalled)); !slices.Equal(got, []spec.Addr{"app.bad"}) {
		t.Errorf("stalled are %v", got)
	}
	for _, d := range out.Spec.Stalled["app.bad"] {
		if d.Address != "app.bad" || d.Snippet == nil || d.Snippet.Context != `app "bad"` {
			t.Errorf("the finding does not say whose it is: %+v", d)
		}
	}
	if len(out.Spec.Objects) != 6 {
		t.Errorf("%d objects are left", len(out.Spec.Objects))
	}
}

// A file that cannot be parsed stalls exactly the apps it holds, or refuses
// the revision. That an app of it looks removed is the one thing that must not
// happen.
func TestAnUnreadableFileNeverLooksLikeARemovedApp(t *testing.T) {
	const blog = "app \"blog\" {\n  content = \"blog\"\n}\n"
	long := strings.Repeat("# long\n", 160_000)
	for _, c := range []struct {
		name, before, after string // before "": the node has just started and knows nothing
		file                string
		want                []spec.Addr // nil: refused
	}{
		{name: "lost brace", before: blog, after: "app \"blog\" {\n  content = \"blog\"\n", want: []spec.Addr{"app.blog"}},
		{name: "lost brace, nothing known", after: "app \"blog\" {\n  content = \"blog\"\n", want: []spec.Addr{"app.blog"}},
		{name: "lost quote swallows the next app", after: "app \"blog\" {\n  content = \"blog\n}\napp \"shop\" {\n  content = \"shop\"\n}\n", want: []spec.Addr{"app.blog", "app.shop"}},
		{name: "lost quote of the label", after: "app \"blog {\n  content = \"blog\"\n}\n", want: []spec.Addr{"app.blog"}},
		{name: "single quotes", after: "app 'blog' {\n  content = 'blog'\n}\n", want: []spec.Addr{"app.blog"}},
		{name: "label changed as well", before: blog, after: "app \"weblog\" {\n  content = \n}\n", want: []spec.Addr{"app.blog", "app.weblog"}},
		{name: "label gone, but known", before: blog, after: "{{{{", want: []spec.Addr{"app.blog"}},
		{name: "label gone, nothing known", after: "{{{{"},
		{name: "misspelt block, nothing known", after: "ap \"blog\" {\n  content = \n}\napp \"shop\" {\n}\n"},
		{name: "shared block came", before: blog, after: blog + "locals {\n  a = \n}\n"},
		{name: "limits came, swallowed", before: blog, after: "app \"blog\" {\n  content = \"x\n}\n  limits {\n    body = \"2MiB\"\n  }\n"},
		{name: "limits of the app, broken", before: blog, after: "app \"blog\" {\n  content = \"x\n  limits {\n    body = \"2MiB\"\n  }\n}\n", want: []spec.Addr{"app.blog"}},
		{name: "shared block came, swallowed", before: blog, after: "app \"blog\" {\n  content = \"x\n}\n  edge {\n  }\n"},
		{name: "argument outside", after: "app \"blog\" {\n  content = \n}\nx = 1\n"},
		{name: "not UTF-8", before: blog, after: "app \"blog\" {\n  content = \"\xff\"\n}\n", want: []spec.Addr{"app.blog"}},
		{name: "not UTF-8, nothing known", after: "app \"blog\" {\n  content = \"\xff\"\n}\n", want: []spec.Addr{"app.blog"}},
		{name: "nested too deeply", before: blog, after: "app \"blog\" {\n  content = " + strings.Repeat("[", 62_000), want: []spec.Addr{"app.blog"}},
		{name: "too large", before: blog, after: blog + long, want: []spec.Addr{"app.blog"}},
		{name: "too large, nothing known", after: blog + long},
		{name: "JSON", file: "a.fazt.json", before: `{"app":{"blog":{"content":"blog"}}}`, after: `{"app":{"blog":{"content":}}}`, want: []spec.Addr{"app.blog"}},
		{name: "JSON, nothing known", file: "a.fazt.json", after: `{"app":{"blog":{"content":}}}`},
		{name: "JSON, shared block came", file: "a.fazt.json", before: `{"app":{"blog":{"content":"blog"}}}`, after: `{"edge":{},"app":{"blog":{"content":}}}`},
		{name: "instances", before: "app \"blog\" {\n  for_each = [\"a\"]\n  content = each.key\n}\n", after: "app \"blog\" {\n  for_each = [\"a\"\n", want: []spec.Addr{"app.blog"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := c.file
			if name == "" {
				name = "a.fazt.hcl"
			}
			files := map[string]string{"other.fazt.hcl": "app \"other\" { content = \"other\" }\n"}
			var known []spec.Unit
			if c.before != "" {
				known = wire(t, spec.Load(spec.Input{Tree: repo(with(files, name, c.before))}).Units)
			}
			// The second load has only the first broken one to learn from.
			for range 2 {
				out := spec.Load(spec.Input{Tree: repo(with(files, name, c.after)), Known: known})
				judgeStalled(t, out, c.want)
				known = wire(t, out.Units)
			}
		})
	}
}

func judgeStalled(t *testing.T, out spec.Output, want []spec.Addr) {
	t.Helper()
	if want == nil {
		if out.Spec != nil || !out.Diagnostics.HasErrors() {
			t.Fatalf("the revision is not refused: %v", findings(out))
		}
		return
	}
	if out.Spec == nil {
		t.Fatalf("the revision is refused: %v", out.Diagnostics)
	}
	if got := slices.Sorted(maps.Keys(out.Spec.Stalled)); !slices.Equal(got, want) {
		t.Errorf("stalled are %v, want %v", got, want)
	}
	if i := slices.IndexFunc(out.Spec.Objects, func(o spec.Object) bool { return o.Addr == "app.other" }); i < 0 {
		t.Error("the other app is not there")
	}
}

func TestARefusedRevisionKeepsWhatIsKnown(t *testing.T) {
	files := apps(3)
	known := spec.Load(spec.Input{Tree: repo(files)}).Units
	out := spec.Load(spec.Input{Tree: repo(with(files, "fazt.hcl", "edge {")), Known: known})
	if out.Spec != nil || !reflect.DeepEqual(out.Units, known) {
		t.Errorf("after a refused revision %d units are known: %v", len(out.Units), out.Diagnostics)
	}
}

// One run tells everything: faults of shared things and of apps.
func TestARefusedRevisionTellsTheFaultsOfAppsToo(t *testing.T) {
	files := apps(1)
	files["fazt.hcl"] += "locals { a = local.b }\n"
	files["x.fazt.hcl"] = "app \"x\" {\n  content = \"../x\"\n  hosts   = [local.a]\n}\n"
	out := spec.Load(spec.Input{Tree: repo(files)})
	if out.Spec != nil || len(out.Diagnostics) != 2 {
		t.Fatalf("want the reference and the content: %v", out.Diagnostics)
	}
}

// What a broken file declares is not reported as undeclared everywhere else.
func TestOneBrokenSharedFileIsOneError(t *testing.T) {
	for name, text := range map[string]string{
		"syntax":   "variable \"domain\" {\n  default = \"x\n}\n",
		"misspelt": "varible \"domain\" { default = \"x\" }\n",
		"label":    "variable { default = \"x\" }\n",
	} {
		out := spec.Load(spec.Input{Tree: repo(with(apps(20), "fazt.hcl", text)), Node: "a", Vars: map[string]string{"domain": "y"}})
		if out.Spec != nil || len(out.Diagnostics) != 1 {
			t.Errorf("%s: %v", name, out.Diagnostics)
		}
	}
}

func TestLimits(t *testing.T) {
	deep := strings.Repeat("d/", 32)
	known := spec.Load(spec.Input{Tree: repo(apps(1))}).Units
	known[0].Size = 64 << 20
	link := repo(apps(1))
	link.MapFS["link.fazt.hcl"] = &fstest.MapFile{Data: []byte("fazt.hcl"), Mode: fs.ModeSymlink}
	for name, c := range map[string]struct {
		in   spec.Input
		code string
	}{
		"depth":   {spec.Input{Tree: repo(with(apps(1), deep+"fazt.hcl", ""))}, "F3003"},
		"all":     {spec.Input{Tree: repo(apps(1)), Known: known}, "F3001"},
		"symlink": {spec.Input{Tree: link}, "F1005"},
	} {
		out := spec.Load(c.in)
		if out.Spec != nil || len(out.Diagnostics) == 0 || out.Diagnostics[0].Code != c.code {
			t.Errorf("%s: %v", name, out.Diagnostics)
		}
	}
	if out := spec.Load(spec.Input{Tree: repo(with(apps(1), strings.TrimSuffix(deep, "d/")+"x.txt", ""))}); out.Spec == nil {
		t.Errorf("32 folders deep is allowed: %v", out.Diagnostics)
	}
}

func TestConfigFiles(t *testing.T) {
	files := map[string]string{}
	want := []string{"a.fazt.hcl", "apps/b/c.fazt.json", "apps/b/fazt.hcl", "fazt.hcl"}
	for _, name := range append(slices.Clone(want), "node_modules/fazt.hcl", "x/vendor/fazt.hcl", ".git/fazt.hcl", "_site/fazt.hcl",
		"fazt.json", "x.hcl", "fazt.hcl.bak", "FAZT.HCL", "xfazt.hcl", "apps/b/index.html") {
		files[name] = ""
	}
	tree := repo(files)
	got, diags := spec.ConfigFiles(tree)
	if len(diags) > 0 || !slices.Equal(got, want) {
		t.Errorf("found %v, %v", got, diags)
	}
	if n := tree.opened.Load(); n != 0 {
		t.Errorf("%d files were opened to list them", n)
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		addr, other spec.Addr
		covers      bool
	}{
		{"app.site", "app.site", true},
		{"app.site", `app.site["docs"]`, true},
		{"app.site", "app.site.sql.DB", true},
		{`app.site["docs"]`, `app.site["docs"].sql.DB`, true},
		{"app.site", "app.site-docs", false},
		{`app.site["docs"]`, "app.site", false},
		{"app.site", "app.sit", false},
	} {
		if got := c.addr.Covers(c.other); got != c.covers {
			t.Errorf("%s covers %s: %v", c.addr, c.other, got)
		}
	}
	for addr, want := range map[spec.Addr]string{"edge": "edge", "node.fra-1": "fra-1", "app.blog": "blog", `app.site["docs"]`: "site-docs"} {
		if got := addr.Name(); got != want {
			t.Errorf("%s is called %q", addr, got)
		}
	}
}

func TestVersionConstraints(t *testing.T) {
	for constraint, ok := range map[string]bool{
		">= 0.6": true, "0.6.0": true, "= 0.6": true, "~> 0.1": true, "~> 0.6": true, "~> 0.6.0": true, ">= 0.1, < 0.7": true, "!= 0.5": true,
		"> 0.6": false, "~> 0.5.0": false, "~> 0.7": false, "~> 1.0": false, "< 0.6": false, ">= 0.1, != 0.6.0": false, "<= 0.5.9": false,
	} {
		out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": fmt.Sprintf("fazt { version = %q }", constraint)})})
		if accepted := out.Spec != nil; accepted != ok {
			t.Errorf("%q is accepted: %v, %v", constraint, accepted, out.Diagnostics)
		}
	}
	for _, constraint := range []string{"", "=> 0.1", "1.2.3.4", "0.x", ">=", ",", "-1"} {
		out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": fmt.Sprintf("fazt { version = %q }", constraint)})})
		if out.Spec != nil {
			t.Errorf("%q is accepted", constraint)
		}
	}
}
