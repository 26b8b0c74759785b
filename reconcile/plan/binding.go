package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// Binding is the difference of one thing that an app's code has or may reach:
// a store, a database, a queue, a schedule, a service, a host. It is a part of
// its app and changes with it.
type Binding struct {
	Addr       spec.Addr   `json:"addr"`                 // app.notes.sql.DB
	Kind       string      `json:"kind"`                 // the type of its block: sql
	Action     Action      `json:"action"`               // Create, Update or Delete
	Fields     []Field     `json:"fields"`               // by path below the binding: "quota", "index.by_mail.on"
	Data       string      `json:"data,omitempty"`       // what becomes of what it holds, a sentence for people
	Migrations *Migrations `json:"migrations,omitempty"` // of a database, where its files differ
}

// Migrations are names of a database's files, in order.
type Migrations struct {
	Pending []string `json:"pending"`           // new ones: they run when the app is staged
	Changed []string `json:"changed,omitempty"` // other ones than those that ran
	Removed []string `json:"removed,omitempty"`
	Drops   []string `json:"drops,omitempty"` // of the new ones, those that take tables or columns away
}

// sealedValue is a secret where it is used, or, without a name, its envelope. It
// is compared and shown as a whole.
type sealedValue struct {
	Envelope string `json:"envelope"` // digest
	Secret   string `json:"secret,omitempty"`
}

// program reads an app that runs code; nil for everything else. Most apps run
// none, and are not decoded.
func program(o spec.Object) *spec.App {
	var app spec.App
	if o.Kind != spec.KindApp || !bytes.Contains(o.Spec, []byte(`"runtime":`)) || json.Unmarshal(o.Spec, &app) != nil || app.Runtime == nil {
		return nil
	}
	return &app
}

// programNames are the keys of an app's canonical form that have to do with its
// code.
func programNames() []string {
	return []string{"runtime", "env", "health", "kv", "sql", "docs", "blobs", "queue", "cron", "service", "egress"}
}

// programAttributes puts what an app says of its code, but for its bindings, in
// the place of its canonical form.
func programAttributes(attrs map[string]any, app *spec.App) {
	for _, name := range programNames() {
		delete(attrs, name)
	}
	for key, v := range settings(app.Env) {
		attrs["env."+key] = v
	}
	for _, p := range app.Parts() {
		if !isBinding(p) {
			spread(attrs, p.Kind, p.Args)
		}
	}
}

func isBinding(p spec.Part) bool { return p.Kind != "runtime" && p.Kind != "health" }

// settings are texts as they are and secrets as wholes.
func settings(values map[string]spec.EnvValue) map[string]any {
	out := map[string]any{}
	for key, v := range values {
		out[key] = v.Text
		if v.Secret != "" {
			out[key] = sealedValue{Secret: v.Secret, Envelope: v.Envelope}
		}
	}
	return out
}

// arguments are those of a part and of what stands inside it: index.by_mail.on.
func arguments(p spec.Part) map[string]any {
	out := map[string]any{}
	for name, v := range p.Args {
		if values, ok := v.(map[string]spec.EnvValue); ok {
			spread(out, name, settings(values)) // or a secret in it would not be told by its name
			continue
		}
		out[name] = v
	}
	for _, inner := range p.Parts {
		spread(out, inner.Kind+"."+inner.Name, arguments(inner))
	}
	return out
}

// bindings are the parts of an app that the plan tells one by one, by address.
func bindings(app *spec.App, of spec.Addr) map[spec.Addr]spec.Part {
	list := map[spec.Addr]spec.Part{}
	if app == nil {
		return list
	}
	for _, p := range app.Parts() {
		if isBinding(p) {
			list[p.Addr(of)] = p
		}
	}
	return list
}

// compareBindings says what becomes of each of an app's bindings. An object
// without an address is none.
func (c *Change) compareBindings(was, want spec.Object) {
	before, after := program(was), program(want)
	if before == nil && after == nil {
		return
	}
	b := binder{change: c, before: before, after: after, files: pending(was, want, before, after)}
	old, current := bindings(before, c.Addr), bindings(after, c.Addr)
	fullOld, fullNew := bindings(filled(before), c.Addr), bindings(filled(after), c.Addr)
	for addr, p := range current {
		if _, both := old[addr]; !both {
			b.add(addr, Create, p, fields(nil, arguments(p)))
			continue
		}
		if list := fields(arguments(fullOld[addr]), arguments(fullNew[addr])); len(list) > 0 || p.Kind == "sql" && b.files != nil {
			b.add(addr, Update, p, list)
		}
	}
	for addr, p := range old {
		if _, both := current[addr]; !both {
			b.add(addr, Delete, p, fields(arguments(p), nil))
		}
	}
	slices.SortFunc(c.Bindings, func(a, b Binding) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
}

func filled(app *spec.App) *spec.App {
	if app == nil {
		return nil
	}
	all := app.Filled()
	return &all
}

// binder says what becomes of bindings.
type binder struct {
	change        *Change
	before, after *spec.App
	files         *Migrations
}

func (b binder) add(addr spec.Addr, action Action, p spec.Part, list []Field) {
	binding := Binding{Addr: addr, Kind: p.Kind, Action: action, Fields: list, Data: b.data(p, action, list)}
	if p.Kind == "sql" && action != Delete {
		binding.Migrations = b.files
	}
	b.change.Bindings = append(b.change.Bindings, binding)
}

// data is what becomes of what a binding holds, empty where it holds nothing or
// nothing becomes of it.
func (b binder) data(p spec.Part, action Action, list []Field) string {
	if !slices.Contains([]string{"kv", "sql", "docs", "blobs", "queue"}, p.Kind) {
		return ""
	}
	renamed := p.Kind == "sql" && b.before != nil && b.after != nil && b.before.SQL != nil && b.after.SQL != nil
	switch {
	case action == Update:
		return updated(p.Kind, list)
	case action == Create && b.change.Action == Create:
		return "new, empty"
	case action == Create && renamed:
		return "the app's tables under another name"
	case action == Create:
		return "new, empty unless the app had it before"
	case b.change.Action == Park:
		return "goes to the trash with the app"
	case b.change.Action == Delete:
		return "is set aside for 30 days"
	default:
		return "no longer bound; its data stays with the app"
	}
}

// updated is what new settings do to what is there.
func updated(kind string, list []Field) string {
	var said []string
	say := func(s string) {
		if !slices.Contains(said, s) {
			said = append(said, s)
		}
	}
	for _, f := range list {
		switch name := strings.Split(f.Path, "."); {
		case kind == "docs" && name[0] == "index":
			say(indexed(name[1], name[2], f))
		case kind == "blobs" && f.Path == "quota" && shrunk(f):
			say("what is there stays; nothing is added above the new quota")
		case f.Path == "durability" && word(f.After) == spec.DurabilityNormal:
			say("when the power fails the last moments of all the app's data may be missing")
		case f.Path == "durability":
			say("what is answered is on the disk from then on")
		}
	}
	return strings.Join(said, "; ")
}

// indexed is what becomes of an index; on is always there, unique where it is
// true.
func indexed(name, argument string, f Field) string {
	switch {
	case argument == "unique" && string(f.After) == "true":
		return name + " is unique: while documents are equal in it the app is not staged"
	case argument == "unique":
		return name + " is no longer unique"
	case len(f.Before) == 0:
		return name + " is built of what is there"
	case len(f.After) == 0:
		return name + " is dropped, no document is"
	default:
		return name + " is built anew"
	}
}

func shrunk(f Field) bool {
	before, bounded := amount(f.Before)
	after, is := amount(f.After)
	return is && (!bounded || after < before)
}

// pending compares the migrations of an app by their names in their folder; nil
// where they are the same.
func pending(was, want spec.Object, before, after *spec.App) *Migrations {
	m := Migrations{Pending: []string{}}
	old, current := migrationFiles(was, before), migrationFiles(want, after)
	for name, f := range current {
		switch known, both := old[name]; {
		case !both:
			m.Pending = append(m.Pending, name)
			if f.Drops {
				m.Drops = append(m.Drops, name)
			}
		case known.ID != f.ID:
			m.Changed = append(m.Changed, name)
		}
	}
	for name := range old {
		if _, both := current[name]; !both {
			m.Removed = append(m.Removed, name)
		}
	}
	if len(m.Pending)+len(m.Changed)+len(m.Removed) == 0 {
		return nil
	}
	for _, list := range [][]string{m.Pending, m.Changed, m.Removed, m.Drops} {
		slices.Sort(list)
	}
	return &m
}

func migrationFiles(o spec.Object, app *spec.App) map[string]spec.File {
	files := map[string]spec.File{}
	if app == nil || app.SQL == nil || app.SQL.Migrations == "" {
		return files
	}
	for _, f := range sources(o) {
		if path.Dir(f.Path) == app.SQL.Migrations && path.Ext(f.Path) == ".sql" {
			files[path.Base(f.Path)] = f
		}
	}
	return files
}

// secretField is the difference of two values of which one is a secret. Its
// digests tell it from others and nothing else.
func secretField(name string, was, want any) Field {
	f := Field{Path: name, Before: raw(was), After: raw(want)}
	before, ok1 := was.(sealedValue)
	after, ok2 := want.(sealedValue)
	switch {
	case was == nil || want == nil:
	case ok1 && ok2 && before.Secret == after.Secret:
		f.Ciphertext = true
	default:
		f.Sensitive, f.Before, f.After = true, digestOf(was), digestOf(want)
	}
	return f
}

func digestOf(v any) json.RawMessage {
	sum := sha256.Sum256(raw(v))
	return raw(hex.EncodeToString(sum[:]))
}
