package spec_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/spec"
)

// blocks draws the blocks of a valid configuration, in no order.
func blocks(t *rapid.T) []string {
	list := []string{
		"edge {\n  domain = var.domain\n  tls = { mode = \"files\", files = [{ cert = credential.a, key = \"b\" }] }\n}\n",
		"limits {\n  body = \"2MiB\"\n  idle_timeout = 75\n}\n",
		"variable \"domain\" {\n  default = \"Example.com\"\n}\n",
		"locals {\n  a = \"${local.b}-x\"\n}\n",
		"locals {\n  b = upper(\"y\")\n}\n",
		"node \"one\" {\n  labels = { env = \"prod\", region = local.b }\n}\n",
		"secret \"s\" {\n  value = age(\"YWdlLWVuY3J5cHRpb24ub3JnL3YxCg==\")\n}\n",
		"mail {\n  from = \"a@example.com\"\n  smtp = \"smtps://smtp.example.com\"\n  user = \"a\"\n  password = secret.s\n}\n",
		"login {\n  signup = \"members\"\n  absolute = \"30d\"\n  second_factor = [role.owner, role.r]\n}\n",
		"oauth \"o\" {\n  issuer = \"https://id.example.com\"\n  client_id = local.a\n  client_secret = secret.s\n  allow_domains = [var.domain]\n}\n",
		"group \"g\" {\n  members = [\"B@Example.com\", \"a@example.com\"]\n}\n",
		"role \"r\" {\n  members = [group.g, \"domain:example.org\"]\n  grant {\n    actions = [\"write\", \"read\"]\n    on = [app.target, \"app.target/x/*\"]\n  }\n}\n",
		"node \"two\" {\n  labels = { env = \"test\" }\n}\n",
		"check \"hosts\" {\n  assert  = alltrue([for a in app : length(a.hosts) > 0])\n  message = \"no\"\n}\n",
	}
	list = append(list, "app \"target\" {\n  content = \"target\"\n}\n")
	for i := range rapid.IntRange(0, 6).Draw(t, "apps") {
		list = append(list, appText(t, i))
	}
	return list
}

func appText(t *rapid.T, i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "app \"a%d\" {\n  content = \"apps/a%d\"\n", i, i)
	for _, line := range []string{
		"  spa = true\n", "  enabled = false\n", "  for_each = toset([\"x\", \"y\"])\n", "  where = node.labels.env == \"prod\"\n",
		"  redirects = [{ from = \"/a/*\", to = \"/b/:splat\" }, { from = \"/c\", to = \"https://example.com\" }]\n",
		"  headers = [{ path = \"/*\", set = { x-b = local.a, A = \"<&>\" } }]\n",
		"  access {\n    path = \"/public/*\"\n    allow = [\"anyone\"]\n  }\n  access { allow = [role.r, group.g] }\n",
		"  limits {\n    storage = \"1GiB\"\n    requests_per_second = 0.5\n  }\n",
		"  runtime {\n    entry = \"m.js\"\n    cpu = \"1s\"\n  }\n  env = { A = secret.s, B = local.a }\n  sql \"DB\" {}\n  docs \"D\" {\n    index \"i\" { on = [\"a\"] }\n  }\n" +
			"  service \"S\" { app = app.target }\n  cron \"c\" { at = \"0 7 * * mon\" }\n  queue \"Q\" { retries = 0 }\n",
	} {
		if rapid.Bool().Draw(t, "line") {
			b.WriteString(line)
		}
	}
	return b.String() + "}\n"
}

// scatter puts blocks into files by chance.
func scatter(t *rapid.T, blocks []string) map[string]string {
	files := map[string]string{}
	names := []string{"fazt.hcl", "a.fazt.hcl", "apps/b/c.fazt.hcl", "z/y/x/fazt.hcl"}
	for _, i := range rapid.Permutation(indices(len(blocks))).Draw(t, "order") {
		files[rapid.SampledFrom(names).Draw(t, "file")] += blocks[i]
	}
	return files
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// meaning is what a spec says, without the places.
func meaning(s *spec.Spec) string {
	if s == nil {
		return "refused"
	}
	var b strings.Builder
	for _, o := range s.Objects {
		fmt.Fprintln(&b, o.Addr, o.Kind, o.Name, string(o.Spec), o.Digest, o.Immutable, o.HoldsData)
	}
	fmt.Fprintln(&b, s.Node, s.Elsewhere, slices.Sorted(maps.Keys(s.Stalled)))
	return b.String()
}

func TestWhereABlockStandsMeansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := blocks(t)
		in := spec.Input{Tree: repo(scatter(t, list)), Node: "one"}
		first := spec.Load(in)
		if first.Spec == nil || len(first.Spec.Stalled) > 0 {
			t.Fatal(findings(first))
		}
		in.Tree = repo(scatter(t, list))
		if a, b := meaning(first.Spec), meaning(spec.Load(in).Spec); a != b {
			t.Fatalf("got\n%s\nand, arranged differently,\n%s", a, b)
		}
	})
}

// The canonical form is a fixed point: decoding it and encoding it again
// changes no byte, and its digest is of nothing else.
func TestCanonicalFormIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := spec.Load(spec.Input{Tree: repo(scatter(t, blocks(t))), Node: "one"})
		digests := map[string]string{}
		for _, o := range out.Spec.Objects {
			var tree any
			if err := json.Unmarshal(o.Spec, &tree); err != nil {
				t.Fatal(err)
			}
			if again := sortedJSON(tree); again != string(o.Spec) {
				t.Fatalf("%s is not canonical: %s", o.Addr, again)
			}
			key := string(o.Kind) + string(o.Spec)
			if known, ok := digests[key]; ok && known != o.Digest {
				t.Fatalf("%s: equal forms have different digests", o.Addr)
			}
			digests[key] = o.Digest
		}
	})
}

func sortedJSON(tree any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(tree)
	return strings.TrimSuffix(b.String(), "\n")
}

// A load that takes what it can from the one before says what a load that
// knows nothing says, whatever was edited, broken or repaired in between. Only
// of a file that is broken it may know more.
func TestWarmLoadsSayWhatColdOnesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := scatter(t, blocks(t))
		var known []spec.Unit
		var memory spec.Memory
		for range rapid.IntRange(1, 5).Draw(t, "edits") {
			in := spec.Input{Tree: repo(files), Node: "one"}
			cold := spec.Load(in)
			in.Known = known
			if rapid.Bool().Draw(t, "remembers") {
				in.Memory = &memory
			}
			warm := spec.Load(in)
			if a, b := meaning(cold.Spec), meaning(warm.Spec); a != b {
				t.Fatalf("cold\n%s\nwarm\n%s\n%v\n%v", a, b, cold.Diagnostics, warm.Diagnostics)
			}
			if !reflect.DeepEqual(said(cold.Diagnostics), said(warm.Diagnostics)) && cold.Spec != nil {
				t.Fatalf("cold says %v, warm says %v", cold.Diagnostics, warm.Diagnostics)
			}
			apart := divided(t, in)
			apart.Evaluated = warm.Evaluated // none where it remembers all
			if a, b := sortedJSON(apart), sortedJSON(warm); a != b {
				t.Fatalf("in two halves\n%s\nin one process\n%s", a, b)
			}
			known = warm.Units
			edit(t, files)
		}
	})
}

// divided is a load whose halves are apart: all that passes between them is
// text.
func divided(t *rapid.T, in spec.Input) spec.Output {
	in.Memory = nil
	a := spec.Prepare(in)
	if out, done := a.Done(); done {
		return out
	}
	var job spec.Job
	var p spec.Partial
	travel(t, a.Job(), &job)
	travel(t, spec.Evaluate(job, in.Tree, apart{t, a}, nil), &p)
	return a.Output(p)
}

// apart answers an evaluation's questions over a distance.
type apart struct {
	t    *rapid.T
	here *spec.Assembly
}

func (a apart) Rest(names []string) (list []spec.Source) {
	travel(a.t, a.here.Rest(names), &list)
	return list
}

func (a apart) Blocks() (list []spec.AppBlock) {
	travel(a.t, a.here.Blocks(), &list)
	return list
}

func (a apart) Apps(p spec.Partial) (list []spec.Object) {
	var there spec.Partial
	travel(a.t, p, &there)
	travel(a.t, a.here.Apps(there), &list)
	return list
}

// travel sends a value as text that keeps canonical forms as they are.
func travel(t *rapid.T, from, to any) {
	if err := json.Unmarshal([]byte(sortedJSON(from)), to); err != nil {
		t.Fatal(err)
	}
}

// edit changes one file in a way that people do, or not at all.
func edit(t *rapid.T, files map[string]string) {
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(files))).Draw(t, "edited")
	kind := rapid.SampledFrom([]string{"nothing", "nothing", "nothing", "append", "domain", "fault", "break", "repair", "move", "remove", "app", "reader", "read", "namer", "named", "hosts"}).Draw(t, "edit")
	switch kind {
	case "append":
		files[name] += "# a comment\n"
	case "domain":
		files[name] = strings.Replace(files[name], "Example.com", "example.org", 1)
	case "fault":
		files[name] = strings.Replace(files[name], "apps/a", "../a", 1)
	case "break":
		files[name] += "app \"half\" {\n  content = \n}\n"
	case "repair":
		files[name] = strings.ReplaceAll(files[name], "app \"half\" {\n  content = \n}\n", "")
	case "move":
		files["moved/"+name], files[name] = files[name], ""
	case "remove":
		if strings.HasPrefix(name, "moved/") || name == "named.fazt.hcl" {
			delete(files, name)
		}
	case "app":
		files[name] += "app \"new-" + rapid.StringMatching(`[a-z]{8}`).Draw(t, "name") + "\" {\n  content = \"new\"\n}\n"
	case "reader":
		files["note.txt"] = "one"
		files["reader.fazt.hcl"] = "app \"reader\" {\n  content = file(\"note.txt\")\n}\n"
	case "read":
		files["note.txt"] = rapid.SampledFrom([]string{"one", "two", "../x"}).Draw(t, "text")
	case "namer":
		files["namer.fazt.hcl"] = "app \"namer\" {\n  content = app.named.name\n}\n"
	case "named":
		files["named.fazt.hcl"] = "app \"named\" {\n  content = \"named\"\n}\n"
	case "hosts":
		files["hosts-"+rapid.SampledFrom([]string{"1", "2"}).Draw(t, "which")+".fazt.hcl"] = "app \"" +
			rapid.SampledFrom([]string{"h1", "h2", "h3"}).Draw(t, "label") + "\" {\n  content = \"h\"\n  hosts = [\"one.example.com\"]\n}\n"
	}
}

// Evaluation is hermetic: the same input twice is the same output, byte for
// byte, places and findings included.
func TestLoadingIsDeterministic(t *testing.T) {
	for _, folder := range []string{"valid", "errors", "warnings"} {
		for _, f := range fixtures(t, folder) {
			first, _ := json.Marshal(spec.Load(f.input))
			second, _ := json.Marshal(spec.Load(f.input))
			if string(first) != string(second) {
				t.Errorf("%s: two loads differ", f.path)
			}
		}
	}
}
