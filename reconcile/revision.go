package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// loaded is what a revision asks for, as far as it could be read. The loop
// keeps the followed one, so that a poll without a new revision reads nothing.
type loaded struct {
	revision    string
	spec        *spec.Spec // nil where the revision is refused as a whole
	err         error      // why it could not be evaluated at all
	diagnostics spec.Diagnostics
	units       []spec.Unit
	desired     []spec.Object // by address; apps have their contents once read
	stalled     map[spec.Addr]spec.Diagnostics
	faults      map[spec.Addr]error // apps among stalled that could not be staged
}

// evaluate has a revision loaded. Only what changed since the last revision is
// read.
func (l *Loop) evaluate(ctx context.Context, art source.Artifact) (*loaded, error) {
	in := spec.Input{
		Tree: art.Tree, Node: l.config.Node, AllApps: l.config.AllApps, Domain: l.config.Domain, Vars: l.config.Vars,
	}
	if known := l.units.Load(); known != nil {
		in.Known = *known
	}
	out, err := l.config.Loader.Load(ctx, in)
	if err != nil {
		return nil, err
	}
	r := &loaded{revision: art.Revision, spec: out.Spec, diagnostics: out.Diagnostics, units: out.Units}
	if out.Spec != nil {
		r.desired = slices.Clone(out.Spec.Objects)
		r.stalled = map[spec.Addr]spec.Diagnostics{}
		maps.Copy(r.stalled, out.Spec.Stalled)
		r.faults = map[spec.Addr]error{}
	}
	return r, nil
}

// refusal is the error of a revision that is refused as a whole.
func (r *loaded) refusal() error {
	if r.err != nil {
		return r.err
	}
	first := "the configuration is not valid"
	errs := spec.Diagnostics(slices.DeleteFunc(slices.Clone(r.diagnostics), func(d spec.Diagnostic) bool {
		return d.Severity != spec.Error
	}))
	if len(errs) == 0 {
		return fault.New(fault.Invalid, "%s", first)
	}
	e := fault.New(fault.Invalid, "%s: %s", first, errs[0].Summary).WithCode(errs[0].Code)
	return e.WithHint("fix it and push again; what is served stays as it is")
}

// readContents reads the manifests that are not read yet. An app whose content
// has a fault stalls; it is read again the next time, as the fault may be the
// disk's.
func (l *Loop) readContents(r *loaded, tree spec.Tree, actual []spec.Object) {
	unread := func(o spec.Object) bool {
		return o.Kind == spec.KindApp && o.Content == nil && r.spec.Stalled[o.Addr] == nil
	}
	if !slices.ContainsFunc(r.desired, unread) {
		return
	}
	was := byAddr(actual)
	for i := range r.desired {
		o := &r.desired[i]
		if !unread(*o) {
			continue
		}
		before, _ := was.get(o.Addr)
		content, diagnostics := spec.ReadContent(tree, *o, before.Content)
		if !hasErrors(diagnostics) && content != nil {
			diagnostics = append(diagnostics, l.judge(tree, *o, content, before)...)
		}
		if hasErrors(diagnostics) || content == nil {
			r.stalled[o.Addr] = diagnostics
			continue
		}
		delete(r.stalled, o.Addr)
		o.Content = content
		r.diagnostics = append(slices.Clip(r.diagnostics), diagnostics...)
	}
}

// judge asks whether the target will take an app. What it serves already it took.
func (l *Loop) judge(tree spec.Tree, o spec.Object, content *spec.Content, now spec.Object) spec.Diagnostics {
	if l.config.Judge == nil || content == now.Content && o.Digest == now.Digest {
		return nil
	}
	o.Content = content
	return l.config.Judge(tree, o)
}

// unknown lists the apps of which nothing is known but that they are there. One
// that only could not be staged is known.
func (r *loaded) unknown() (list []spec.Addr) {
	for _, addr := range keysOf(r.stalled) {
		if r.faults[addr] == nil {
			list = append(list, addr)
		}
	}
	return list
}

// without returns what is stalled if the apps that could not be staged are
// among it. What cannot be staged however often it is tried stalls for good.
func (r *loaded) without(faults []AppFault) map[spec.Addr]spec.Diagnostics {
	stalled := maps.Clone(r.stalled)
	for _, f := range faults {
		stalled[f.Addr] = r.finding(f)
		if !fault.KindOf(f.Err).Retry() {
			r.stalled[f.Addr], r.faults[f.Addr] = stalled[f.Addr], f.Err
		}
	}
	return stalled
}

// finding is a fault of staging as a diagnostic of the app's block.
func (r *loaded) finding(f AppFault) spec.Diagnostics {
	if found := placed(f.Err); found != nil {
		return found
	}
	d := spec.Diagnostic{
		Severity: spec.Error, Code: problemOf(f.Err).Code, Summary: fault.Message(f.Err), Detail: fault.HintOf(f.Err),
		Address: f.Addr,
	}
	if i, ok := slices.BinarySearchFunc(r.desired, f.Addr, compareAddr); ok && r.desired[i].Range.Filename != "" {
		place := r.desired[i].Range
		d.Range = &place
	}
	return spec.Diagnostics{d}
}

// released gives each object the node should have the revision of its release:
// what does not change keeps its own, and its blobs.
func (p *pass) released(want []spec.Object) []spec.Object {
	was := byAddr(p.actual)
	objects := slices.Clone(want)
	for i := range objects {
		o := &objects[i]
		now, exists := was.get(o.Addr)
		switch {
		case exists && plan.Same(now, *o):
			o.Revision = now.Revision
			if o.Content != nil && now.Content != nil {
				content := *now.Content // its blobs and its program
				content.Tree = o.Content.Tree
				o.Content = &content
			}
		case p.adjust == nil:
			o.Revision = p.art.Revision
		}
	}
	return objects
}

// opener reads the files of a manifest out of a revision. A file that is not
// there as the manifest has it, as those of an app that stays on an old
// release may be, is refused: other bytes must never come under its name.
func opener(tree spec.Tree) func(spec.Object, string) (io.ReadCloser, error) {
	return func(app spec.Object, name string) (io.ReadCloser, error) {
		var a spec.App
		if err := json.Unmarshal(app.Spec, &a); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "read the object %s", app.Addr)
		}
		full := path.Join(a.Content, name)
		id, err := tree.ID(full)
		if err != nil {
			return nil, fault.Wrap(fault.KindOf(err), err, "open %q of %s", full, app.Addr)
		}
		if id != fileID(app.Content, name) && !inPackages(tree, a.Content, app.Content, name) {
			return nil, fault.New(fault.Internal, "%q of %s is not as the release has it", full, app.Addr)
		}
		return tree.Open(full)
	}
}

// fileID finds a file in a manifest.
func fileID(c *spec.Content, name string) string {
	if c == nil {
		return ""
	}
	for _, list := range [][]spec.File{c.Files, c.Sources} {
		i, ok := slices.BinarySearchFunc(list, name, func(f spec.File, name string) int { return strings.Compare(f.Path, name) })
		if ok {
			return list[i].ID
		}
	}
	return ""
}

// inPackages reports whether a file is in a folder of packages that is as the
// release has it: such a folder is one entry of the sources.
func inPackages(tree spec.Tree, folder string, c *spec.Content, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if want := fileID(c, dir); want != "" {
			id, err := tree.ID(path.Join(folder, dir))
			return err == nil && id == want
		}
	}
	return false
}

// index finds the objects of a list by address. Lists are in order, and mostly
// they are asked in order too, so it looks where it looked last and searches
// otherwise: for 10,000 apps each map of them took as long as the whole plan.
type index struct {
	list []spec.Object // by address
	next int           // after the object that was found last
}

// byAddr indexes objects.
func byAddr(objects []spec.Object) *index {
	compare := func(a, b spec.Object) int { return strings.Compare(string(a.Addr), string(b.Addr)) }
	if !slices.IsSortedFunc(objects, compare) {
		objects = slices.Clone(objects)
		slices.SortFunc(objects, compare)
	}
	return &index{list: objects}
}

// get returns an object, and a blank one where it is not there.
func (x *index) get(addr spec.Addr) (o spec.Object, there bool) {
	i := x.next
	if i >= len(x.list) || x.list[i].Addr != addr {
		if i, there = slices.BinarySearchFunc(x.list, addr, compareAddr); !there {
			return o, false
		}
	}
	x.next = i + 1
	return x.list[i], true
}

// has reports whether an object is there.
func (x *index) has(addr spec.Addr) bool {
	_, there := x.get(addr)
	return there
}

// sameObjects reports whether two lists by address are the same releases.
func sameObjects(a, b []spec.Object) bool {
	return slices.EqualFunc(a, b, func(a, b spec.Object) bool { return a.Addr == b.Addr && plan.Same(a, b) })
}

func compareAddr(o spec.Object, addr spec.Addr) int {
	return strings.Compare(string(o.Addr), string(addr))
}

// keysOf returns the addresses of a map in order.
func keysOf[V any](m map[spec.Addr]V) []spec.Addr { return slices.Sorted(maps.Keys(m)) }

// disabled reports whether an app is switched off. Most specs do not have the
// word, and are not decoded.
func disabled(o spec.Object) bool {
	var app spec.App
	return bytes.Contains(o.Spec, []byte(`"disabled"`)) && json.Unmarshal(o.Spec, &app) == nil && app.Disabled
}

// hasErrors reports whether a finding is more than a warning.
func hasErrors(list spec.Diagnostics) bool {
	return slices.ContainsFunc(list, func(d spec.Diagnostic) bool { return d.Severity == spec.Error })
}
