package plan_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func contentOf(files map[string]string) *spec.Content {
	c := &spec.Content{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		c.Files = append(c.Files, spec.File{Path: path, ID: hash(files[path])[:40], Size: int64(len(files[path]))})
		c.Tree = hash(c.Tree + path + files[path])[:40]
	}
	return c
}

var addresses = []spec.Addr{
	"app.a", "app.b", "app.c", "app.d", "app.site-z", `app.site["x"]`, `app.site["y"]`, "edge", "node.one", "secret.one", "secret.two",
}

// drawProgram adds what an app that runs code has.
func drawProgram(t *rapid.T, label string, body map[string]any) {
	body["runtime"] = spec.Runtime{Entry: "api/main.ts", Memory: rapid.SampledFrom([]int64{0, 1 << 24, 32 << 20}).Draw(t, label+" memory")}
	set := func(name string, values ...any) {
		if v := rapid.SampledFrom(values).Draw(t, label+" "+name); v != nil {
			body[name] = v
		}
	}
	secret := func(name, envelope string) spec.EnvValue { return spec.EnvValue{Secret: name, Envelope: envelope} }
	set("env", nil, map[string]any{"A": "x"}, map[string]any{"A": secret("one", "1")}, map[string]any{"A": secret("one", "2"), "B": secret("two", "1")}, map[string]any{"A": secret("two", "1")})
	set("sql", nil, spec.SQL{Name: "DB"}, spec.SQL{Name: "DB", Durability: "normal", Migrations: "sql"}, spec.SQL{Name: "OTHER", Migrations: "sql"})
	set("kv", nil, []spec.KV{{Name: "C"}}, []spec.KV{{Name: "C"}, {Name: "K"}})
	set("docs", nil, []spec.Docs{{Name: "D"}}, []spec.Docs{{Name: "D", Indexes: []spec.Index{{Name: "i", On: []string{"a"}}}}},
		[]spec.Docs{{Name: "D", Indexes: []spec.Index{{Name: "i", On: []string{"a"}, Unique: true}, {Name: "j", On: []string{"a", "b"}}}}})
	set("egress", nil, []spec.Egress{{Host: "a.example", Header: map[string]spec.EnvValue{"A": secret("two", "1")}}}, []spec.Egress{{Host: "a.example", Ports: []int{443, 8443}}})
}

// drawObjects makes a list in which every host has one owner. Which of the
// addresses hold data is a fact of the address, as it is of a block type.
func drawObjects(t *rapid.T, label string) []spec.Object {
	hosts := rapid.Permutation([]string{"a", "b", "c", "d", "x", "y", "z", "e", "n", "s", "t"}).Draw(t, label+" hosts")
	var list []spec.Object
	for i, addr := range addresses {
		if !rapid.Bool().Draw(t, label+" has") {
			continue
		}
		o := spec.Object{Addr: addr, HoldsData: addr == "app.d", Kind: spec.KindApp}
		if addr == "edge" || addr == "node.one" || strings.HasPrefix(string(addr), "secret.") {
			o.Kind = spec.Kind(strings.SplitN(string(addr), ".", 2)[0])
		}
		body := map[string]any{"n": rapid.IntRange(0, 2).Draw(t, label+" n")}
		if o.Kind == spec.KindApp {
			body["hosts"] = []string{hosts[i]}
			if rapid.IntRange(0, 3).Draw(t, label+" protect") == 0 {
				body["protect"] = true
			}
			if how := rapid.SampledFrom([]string{"", "", "delete", "forget"}).Draw(t, label+" on remove"); how != "" {
				body["on_remove"] = how
			}
			body["redirects"] = rapid.SliceOfN(rapid.MapOfN(rapid.SampledFrom([]string{"from", "to"}),
				rapid.SampledFrom([]string{"/1", "/2"}), 1, 2), 0, 3).Draw(t, label+" redirects")
			o.Content = contentOf(rapid.MapOf(rapid.SampledFrom([]string{"a.html", "b.css", "c/d.js", "e"}),
				rapid.SampledFrom([]string{"one", "two!"})).Draw(t, label+" files"))
			if rapid.IntRange(0, 2).Draw(t, label+" runs") == 0 {
				drawProgram(t, label, body)
				o.Content.Sources = contentOf(rapid.MapOf(rapid.SampledFrom([]string{"api/main.ts", "node_modules", "sql/1.sql", "sql/2.sql"}),
					rapid.SampledFrom([]string{"one", "two!"})).Draw(t, label+" sources")).Files
			}
		}
		if o.Kind == spec.KindSecret {
			body = map[string]any{"envelope": rapid.SampledFrom([]string{"sealed", "sealed again"}).Draw(t, label+" envelope")}
		}
		o.Spec, _ = json.Marshal(body)
		o.Digest = hash(string(o.Kind) + string(o.Spec))
		fixed := rapid.SampledFrom([]string{"p", "p", "p", "q"}).Draw(t, label+" fixed")
		o.Immutable = hash(fixed)
		if fixed == "q" { // what cannot change in place is part of the whole
			o.Digest = hash(o.Digest + fixed)
		}
		o.Range = spec.Range{Filename: "fazt.hcl", Start: spec.Pos{Line: i + 1, Column: 1}}
		list = append(list, o)
	}
	return list
}

func drawInput(t *rapid.T) plan.Input {
	in := plan.Input{
		Actual: drawObjects(t, "actual"), Desired: drawObjects(t, "desired"), Revision: strings.Repeat("a", 40),
		Node: "one", Engine: "test", Generation: 7, Stalled: map[spec.Addr]spec.Diagnostics{},
	}
	for i := range in.Actual {
		in.Actual[i].Unmanaged = in.Actual[i].Kind == spec.KindApp && rapid.IntRange(0, 4).Draw(t, "unmanaged") == 0
	}
	in.AllowPrune = 100
	in.Kept = map[spec.Addr]plan.Keep{}
	for _, addr := range rapid.SliceOfNDistinct(rapid.SampledFrom([]spec.Addr{"app.a", "app.c", `app.site["y"]`}), 0, 2, rapid.ID[spec.Addr]).Draw(t, "kept") {
		in.Kept[addr] = plan.Keep{Kind: "rollback", Actor: "local:0"}
	}
	in.Moved = rapid.SampledFrom([][]spec.Moved{nil, nil, {{From: "app.a", To: "app.b"}}, {{From: "app.a", To: "app.b"}, {From: "app.b", To: "app.c"}},
		{{From: "app.site", To: "app.docs"}}, {{From: "app.d", To: `app.site["x"]`}}}).Draw(t, "moved")
	in.Removed = rapid.SampledFrom([][]spec.Removed{nil, {{From: "app.a", OnRemove: spec.Forget}}, {{From: "app.site", OnRemove: spec.Delete}}}).Draw(t, "removed")
	if rapid.Bool().Draw(t, "trash") {
		for _, o := range drawObjects(t, "parked") {
			if o.Kind == spec.KindApp {
				in.Parked = append(in.Parked, o)
			}
		}
	}
	stalled := rapid.SliceOfDistinct(rapid.SampledFrom([]spec.Addr{"app.a", "app.b", "app.d", "app.site", `app.site["x"]`}),
		rapid.ID[spec.Addr]).Draw(t, "stalled")
	if rapid.Bool().Draw(t, "any stalled") {
		for _, addr := range stalled {
			in.Stalled[addr] = spec.Diagnostics{{Severity: spec.Error, Code: "F1301", Summary: "no", Address: addr}}
			if rapid.Bool().Draw(t, "unknown") { // else it could not be staged
				in.Unknown = append(in.Unknown, addr)
			}
		}
	}
	return in
}

// carryOut does what the open changes of a plan say, as a node would.
func carryOut(in plan.Input, p plan.Plan) []spec.Object {
	now := map[spec.Addr]spec.Object{}
	for _, o := range in.Actual {
		now[o.Addr] = o
	}
	want := map[spec.Addr]spec.Object{}
	for _, o := range in.Desired {
		want[o.Addr] = o
	}
	for _, c := range p.Changes {
		switch {
		case !c.Open():
		case c.Action == plan.Delete || c.Action == plan.Park:
			delete(now, c.Addr)
		case c.Action == plan.Forget:
			o := now[c.Addr]
			o.Unmanaged = true
			now[c.Addr] = o
		default:
			delete(now, c.From)
			now[c.Addr] = want[c.Addr]
		}
	}
	var list []spec.Object
	for _, addr := range slices.Sorted(maps.Keys(now)) {
		list = append(list, now[addr])
	}
	return list
}

func equal(a, b []spec.Object) bool {
	return slices.EqualFunc(a, b, func(a, b spec.Object) bool {
		return a.Addr == b.Addr && plan.Same(a, b) && a.Unmanaged == b.Unmanaged
	})
}

func TestCarryingOutAPlanYieldsTheDesiredObjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		got := carryOut(in, plan.Diff(in))
		if want := plan.Wanted(in); !equal(got, want) {
			t.Fatalf("got %v, want %v", addrs(got), addrs(want))
		}
		again := in
		again.Actual = got
		if p := plan.Diff(again); !p.Empty() {
			t.Fatalf("carried out twice, changes something: %+v", p.Changes)
		}
		free := len(in.Stalled)+len(in.Kept) == 0 && !slices.ContainsFunc(in.Actual, func(o spec.Object) bool {
			return o.Unmanaged || bytes.Contains(o.Spec, []byte(`"protect"`)) || bytes.Contains(o.Spec, []byte(`"forget"`))
		})
		if free && in.Removed == nil && !equal(got, in.Desired) {
			t.Fatalf("nothing is kept back, and yet %v is not %v", addrs(got), addrs(in.Desired))
		}
	})
}

func TestEqualListsHaveNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawObjects(t, "list")
		p := plan.Diff(plan.Input{Actual: list, Desired: list})
		if len(p.Changes) != 0 || p.Counts.Unchanged != len(list) {
			t.Fatalf("%d changes, %d of %d unchanged", len(p.Changes), p.Counts.Unchanged, len(list))
		}
	})
}

func TestOneChangeAnAddressInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := plan.Diff(drawInput(t)).Changes
		for i := 1; i < len(changes); i++ {
			if changes[i-1].Addr >= changes[i].Addr {
				t.Fatalf("%s before %s", changes[i-1].Addr, changes[i].Addr)
			}
		}
	})
}

func TestOrderOfInputDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		other := in
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		other.Actual, other.Desired = slices.Clone(in.Actual), slices.Clone(in.Desired)
		random.Shuffle(len(other.Actual), func(i, j int) {
			other.Actual[i], other.Actual[j] = other.Actual[j], other.Actual[i]
		})
		random.Shuffle(len(other.Desired), func(i, j int) {
			other.Desired[i], other.Desired[j] = other.Desired[j], other.Desired[i]
		})
		one, two := encode(t, plan.Diff(in)), encode(t, plan.Diff(other))
		if !bytes.Equal(one, two) {
			t.Fatalf("%s\n%s", one, two)
		}
	})
}

// What is protected, or no block's any more, goes only by way of a move or a
// block that takes it back.
func TestProtectionOutlivesItsBlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		after := index(plan.Wanted(in))
		moved := map[spec.Addr]bool{}
		for _, c := range plan.Diff(in).Changes {
			moved[c.From] = c.Open()
		}
		for _, o := range in.Actual {
			if _, there := after[o.Addr]; there || moved[o.Addr] {
				continue
			}
			if o.Unmanaged || bytes.Contains(o.Spec, []byte(`"protect":true`)) {
				t.Fatalf("%s is gone: %s", o.Addr, o.Spec)
			}
		}
	})
}

// An app goes the way its block, or what stands in its place, says; where none
// says anything it is parked.
func TestTheWayAnAppGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		before := index(in.Actual)
		removed := map[spec.Addr]spec.OnRemove{}
		for _, r := range in.Removed {
			removed[r.From] = r.OnRemove
		}
		for _, c := range plan.Diff(in).Changes {
			o, was := before[c.Addr]
			if !was || o.Kind != spec.KindApp || c.Action != plan.Delete && c.Action != plan.Park && c.Action != plan.Forget {
				continue
			}
			var app spec.App
			if err := json.Unmarshal(o.Spec, &app); err != nil {
				t.Fatal(err)
			}
			how := app.OnRemove
			for _, addr := range []spec.Addr{c.Addr, spec.Addr(strings.Split(string(c.Addr), "[")[0])} {
				if r, says := removed[addr]; says {
					how = r
				}
			}
			want := map[spec.OnRemove]plan.Action{"": plan.Park, spec.Delete: plan.Delete, spec.Forget: plan.Forget}[how]
			if c.Action != want {
				t.Fatalf("%s of %s, which says %q", c.Action, c.Addr, how)
			}
		}
	})
}

// Names and contents tell what differs from what is the same.
func TestVersionsTellWhatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, o := range drawObjects(t, "one") {
			for _, other := range drawObjects(t, "two") {
				if same := plan.Same(o, other); same != (plan.Version(o) == plan.Version(other)) {
					t.Fatalf("%s and %s are the same: %t, versions %s and %s", o.Addr, other.Addr, same, plan.Version(o), plan.Version(other))
				}
			}
		}
	})
}

// A saved plan fits as long as what it touches is as it was.
func TestASavedPlanFitsWhatItTouches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		saved := plan.Save(in, plan.Diff(in), "tree", "node", "")
		if err := saved.Check(); err != nil {
			t.Fatal(err)
		}
		later := in
		later.Generation += 3
		later.Actual = append(slices.Clone(in.Actual), spec.Object{Addr: "node.zz", Kind: spec.KindNode, Spec: []byte("{}")})
		later.Desired = append(slices.Clone(in.Desired), spec.Object{Addr: "node.zz", Kind: spec.KindNode, Spec: []byte("{}")})
		if d := plan.Compare(saved, plan.Save(later, plan.Diff(later), "tree", "node", "")); !d.Fits() {
			t.Fatalf("something else came, and it does not fit: %+v", d)
		}
		open := slices.DeleteFunc(slices.Clone(saved.Plan.Changes), func(c plan.Change) bool { return !c.Open() || c.Action == plan.Create })
		if len(open) == 0 {
			return
		}
		target := rapid.SampledFrom(open).Draw(t, "touched")
		later.Actual = slices.Clone(in.Actual)
		for i := range later.Actual {
			if o := &later.Actual[i]; o.Addr == target.Addr || o.Addr == target.From {
				o.Digest = hash("another")
				o.Spec = append(append([]byte{}, o.Spec[:len(o.Spec)-1]...), `,"zz":1}`...)
				if d := plan.Compare(saved, plan.Save(later, plan.Diff(later), "tree", "node", "")); d.Fits() {
					t.Fatalf("%s is another by now, and it fits", o.Addr)
				}
				return
			}
		}
	})
}

// Whoever edits a saved plan is found out.
func TestAnEditedPlanIsRefused(t *testing.T) {
	saved := plan.Save(plan.Input{Desired: manyApps(2, "x")}, plan.Diff(plan.Input{Desired: manyApps(2, "x")}), "tree", "node", "")
	saved.Plan.Changes = saved.Plan.Changes[:1]
	if err := saved.Check(); err == nil {
		t.Error("a change was taken out, and nobody noticed")
	}
	if err := (plan.Saved{}).Check(); err == nil {
		t.Error("an empty file passes")
	}
}

// TestNothingIsRemovedByWhatCannotBeRead: while an app is unknown no other one
// that a block declared goes, and each that would says for whom it waits.
func TestNothingIsRemovedByWhatCannotBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		p := plan.Diff(in)
		for _, c := range p.Changes {
			ends := c.Action == plan.Park || c.Action == plan.Delete || c.Action == plan.Forget
			if c.Kind == spec.KindApp && ends && c.Open() && len(in.Unknown) > 0 {
				t.Fatalf("%s would %s while %v is unknown", c.Addr, c.Action, in.Unknown)
			}
			if waits := len(c.Waits) > 0; waits && (len(in.Unknown) == 0 || !ends || c.Open()) {
				t.Fatalf("%s waits: %+v", c.Addr, c)
			}
		}
	})
}

func TestTheStalledStayAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		after := carryOut(in, plan.Diff(in))
		for addr := range in.Stalled {
			of := func(list []spec.Object) []spec.Object {
				return slices.DeleteFunc(slices.Clone(list), func(o spec.Object) bool {
					return o.Addr != addr && !strings.HasPrefix(string(o.Addr), string(addr)+"[")
				})
			}
			if !equal(of(in.Actual), of(after)) {
				t.Fatalf("%s stalled and was touched", addr)
			}
		}
	})
}

func TestAHostHasOneOwner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		owner := map[string]spec.Addr{}
		for _, o := range plan.Wanted(in) {
			var app spec.App
			if o.Kind != spec.KindApp {
				continue
			}
			if err := json.Unmarshal(o.Spec, &app); err != nil {
				t.Fatal(err)
			}
			for _, host := range app.Hosts {
				if other, taken := owner[host]; taken {
					t.Fatalf("%s has %s and %s", host, other, o.Addr)
				}
				owner[host] = o.Addr
			}
		}
	})
}

// A secret goes when nothing needs it, and not before: not while an app that
// stays as it is uses it.
func TestSecretsStayWithTheirApps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		before, after := index(in.Actual), index(plan.Wanted(in))
		for _, o := range after {
			var app spec.App
			if was, kept := before[o.Addr]; o.Kind != spec.KindApp || !kept || !plan.Same(was, o) || json.Unmarshal(o.Spec, &app) != nil {
				continue
			}
			desired, wanted := index(in.Desired)[o.Addr]
			if wanted && plan.Same(desired, o) {
				continue // then the revision answers for what it needs
			}
			for _, name := range app.Secrets() {
				addr := spec.Addr("secret." + name)
				_, had := before[addr]
				if _, has := after[addr]; had && !has {
					t.Fatalf("%s stays as it is and loses %s", o.Addr, addr)
				}
			}
		}
	})
}

// What is secret is in no view of a plan: not the envelope, and of a text that
// becomes a secret not the text.
func TestPlansShowNoSecrets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plan.Diff(drawInput(t))
		if document := encode(t, p); bytes.Contains(document, []byte("sealed")) {
			t.Fatalf("an envelope is in the plan: %s", document)
		}
		for _, c := range p.Changes {
			for _, f := range c.Fields {
				if f.Sensitive && (len(f.Before) != 66 || len(f.After) != 66) {
					t.Fatalf("%s of %s is no digest: %s, %s", f.Path, c.Addr, f.Before, f.After)
				}
			}
		}
	})
}

func TestFieldsAndFilesSayWhatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		before, after := index(in.Actual), index(in.Desired)
		for _, c := range plan.Diff(in).Changes {
			was, want := before[c.Addr], after[c.Addr]
			if c.Action != plan.Update && c.Action != plan.Replace || c.Held {
				continue
			}
			if same := bytes.Equal(was.Spec, want.Spec); same && len(c.Fields) > 0 || !same && len(c.Fields)+len(c.Bindings) == 0 {
				t.Fatalf("%s: specs equal is %t, fields %v, bindings %v", c.Addr, same, c.Fields, c.Bindings)
			}
			touched := 0
			if c.Files != nil {
				touched = c.Files.Added.Count + c.Files.Changed.Count + c.Files.Removed.Count
			}
			if c.Sources != nil {
				touched += c.Sources.Added.Count + c.Sources.Changed.Count + c.Sources.Removed.Count
			}
			if n := filesApart(was, want); touched != n {
				t.Fatalf("%s: %d files in the plan, %d in fact", c.Addr, touched, n)
			}
		}
	})
}

// TestTextAndJSONAgree counts the signs a person sees and compares them with
// the sums a machine reads, both taken from the decoded document.
func TestTextAndJSONAgree(t *testing.T) {
	head := regexp.MustCompile(`(?m)^  (\+|~|-|-\+|\.|x|>|<|<\+) [a-z]`)
	rapid.Check(t, func(t *rapid.T) {
		original := plan.Diff(drawInput(t))
		document := encode(t, original)
		var p plan.Plan
		if err := json.Unmarshal(document, &p); err != nil {
			t.Fatal(err)
		}
		if again := encode(t, p); !bytes.Equal(document, again) {
			t.Fatalf("decoding loses something:\n%s\n%s", document, again)
		}
		var text, same bytes.Buffer
		_ = p.WriteText(&text, plan.TextOptions{Full: true})
		_ = original.WriteText(&same, plan.TextOptions{Full: true})
		if text.String() != same.String() {
			t.Fatalf("the text of a decoded plan differs:\n%s\n%s", &same, &text)
		}
		signs := map[string]int{}
		for _, m := range head.FindAllStringSubmatch(text.String(), -1) {
			signs[m[1]]++
		}
		n := p.Counts
		want := map[string]int{"+": n.Create, "~": n.Update, "-": n.Delete, "-+": n.Replace, ".": n.Park, ">": n.Move, "<": n.Forget, "<+": n.Adopt, "x": n.Blocked + n.Held}
		for sign, count := range want {
			if signs[sign] != count {
				t.Fatalf("%d × %q in the text, %d counted:\n%s", signs[sign], sign, count, &text)
			}
		}
		if len(p.Changes)+len(p.Stalled) > 0 && !strings.Contains(text.String(), strconv.Itoa(n.Create)+" to create, ") {
			t.Fatalf("no sums:\n%s", &text)
		}
	})
}

// TestThePlanIDIsOfTheDocument lets anybody check an id: sha256 of the compact
// document with sorted keys, without the id and without why it is refused.
func TestThePlanIDIsOfTheDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plan.Diff(drawInput(t))
		var tree map[string]any
		if err := json.Unmarshal(encode(t, p), &tree); err != nil {
			t.Fatal(err)
		}
		delete(tree, "plan_id")
		delete(tree, "refused")
		text, _ := json.Marshal(tree)
		if want := "p-" + hash(string(text))[:12]; p.ID != want {
			t.Fatalf("%s, want %s", p.ID, want)
		}
	})
}

func encode(t *rapid.T, p plan.Plan) []byte {
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func index(list []spec.Object) map[spec.Addr]spec.Object {
	m := map[spec.Addr]spec.Object{}
	for _, o := range list {
		m[o.Addr] = o
	}
	return m
}

// filesApart counts the paths that are not equal on both sides.
func filesApart(a, b spec.Object) int {
	ids := map[string]string{}
	for _, o := range []spec.Object{a, b} {
		if o.Content == nil {
			continue
		}
		for _, f := range append(slices.Clip(o.Content.Files), o.Content.Sources...) {
			ids[f.Path] += f.ID
		}
	}
	n := 0
	for _, id := range ids {
		if len(id) != 80 || id[:40] != id[40:] {
			n++
		}
	}
	return n
}

func addrs(list []spec.Object) string {
	var b strings.Builder
	for _, o := range list {
		fmt.Fprintf(&b, "%s(%.6s) ", o.Addr, o.Digest)
	}
	return b.String()
}
