package spec

import (
	"slices"
	"strings"
)

// Assembly is one load on the side that keeps what earlier loads found: it says
// what is to be evaluated, answers what the evaluation asks, and puts the
// output together. It reads the tree and parses nothing of it. It is used by
// one goroutine at a time.
type Assembly struct {
	in    Input
	diags Diagnostics // why there is nothing to evaluate
	files int
	job   Job
	held  []*Unit // by file
}

var _ Known = (*Assembly)(nil)

// Prepare finds the configuration files and matches them with the units of
// earlier loads.
func Prepare(in Input) *Assembly {
	a := &Assembly{in: in, job: Job{Node: in.Node, AllApps: in.AllApps, Domain: in.Domain, Vars: in.Vars}}
	files, diags := in.Memory.find(in.Tree)
	a.diags, a.files = diags, len(files)
	if len(files) == 0 && !diags.HasErrors() {
		a.diags = append(a.diags, Diagnostic{
			Severity: Error, Code: codeNoFiles, Summary: "there is no configuration in this tree",
			Detail: "add a fazt.hcl, or a file whose name ends in .fazt.hcl",
		})
	}
	if !a.diags.HasErrors() {
		a.match(files)
	}
	return a
}

// match sorts the files into those that are held and those to be read.
func (a *Assembly) match(files []Source) {
	byFile := func(a, b Unit) int { return strings.Compare(a.File, b.File) }
	known := a.in.Known
	if !slices.IsSortedFunc(known, byFile) {
		known = slices.Clone(known)
		slices.SortFunc(known, byFile)
	}
	for _, f := range files {
		for len(known) > 0 && known[0].File < f.Path {
			known = known[1:]
		}
		if len(known) == 0 || known[0].File != f.Path {
			a.job.Files = append(a.job.Files, f)
			continue
		}
		if u := &known[0]; !a.hold(u, f.ID) {
			f.Before = u.labels()
			a.job.Files = append(a.job.Files, f)
		}
	}
	a.job.Held.Needs = a.needs()
}

// hold takes a unit if its file and everything that it read are unchanged, and
// if it was evaluated under the same shared things as the others.
func (a *Assembly) hold(u *Unit, id string) bool {
	held := &a.job.Held
	if u.ID == "" || u.ID != id || len(u.Stalled) > 0 || held.Files > 0 && held.Shared != u.Shared || !unchanged(a.in.Tree, u.Reads) {
		return false
	}
	held.Shared = u.Shared
	held.Files++
	held.Size += u.Size
	a.held = append(a.held, u.withUses())
	return true
}

// needs are the apps that held units name and that no held file declares.
func (a *Assembly) needs() map[string][]string {
	var declared map[string]bool
	var needs map[string][]string
	for _, u := range a.held {
		if len(u.Apps) > 0 && declared == nil {
			declared = a.declared()
		}
		for _, name := range u.Apps {
			if declared[name] {
				continue
			}
			if needs == nil {
				needs = map[string][]string{}
			}
			needs[name] = append(needs[name], u.File)
		}
	}
	return needs
}

func (a *Assembly) declared() map[string]bool {
	labels := map[string]bool{}
	for _, b := range a.Blocks() {
		labels[b.Addr.Name()] = true
	}
	return labels
}

// Done returns the output of a load that needs no evaluation: the tree cannot
// be searched or holds no configuration, or nothing of it changed.
func (a *Assembly) Done() (Output, bool) {
	if a.diags.HasErrors() {
		return Output{Diagnostics: a.diags.distinct().Sort(), Units: a.in.Known, Files: a.files}, true
	}
	p, same := a.in.Memory.recall(a.job, a.in.Tree)
	if !same {
		return Output{}, false
	}
	out := a.Output(p)
	out.Evaluated = 0
	return out, true
}

// Job is what Evaluate is to be told.
func (a *Assembly) Job() Job { return a.job }

// Size is how many bytes of configuration the evaluation may have to read
// besides the files of its job.
func (a *Assembly) Size() int { return a.job.Held.Size }

// Rest implements Known.
func (a *Assembly) Rest(names []string) []Source {
	var list []Source
	for _, u := range a.held {
		if names == nil || slices.Contains(names, u.File) {
			list = append(list, Source{Path: u.File, ID: u.ID})
		}
	}
	return list
}

// Blocks implements Known.
func (a *Assembly) Blocks() []AppBlock {
	var list []AppBlock
	for _, u := range a.held {
		list = append(list, u.Blocks...)
	}
	return list
}

// Apps implements Known.
func (a *Assembly) Apps(p Partial) []Object {
	w := a.whole(p)
	w.judge()
	list := w.objects()
	for i, o := range list {
		list[i] = Object{Addr: o.Addr, Kind: o.Kind, Name: o.Name, Spec: o.Spec, Range: o.Range}
	}
	return list
}

// whole is what was held and what was found, together.
func (a *Assembly) whole(p Partial) *whole {
	w := &whole{allApps: a.in.AllApps, shared: p.Objects, report: reporter{source: func(name string) []byte { return textOf(a.in.Tree, name) }}}
	held := a.held
	if !p.Held {
		held = nil
	}
	w.units = make([]*Unit, 0, len(held)+len(p.Units))
	fresh := p.Units
	for _, u := range held {
		for len(fresh) > 0 && fresh[0].File <= u.File {
			w.units, fresh = append(w.units, fresh[0].withUses()), fresh[1:]
		}
		if !slices.Contains(p.Again, u.File) {
			w.units = append(w.units, u)
		}
	}
	for len(fresh) > 0 {
		w.units, fresh = append(w.units, fresh[0].withUses()), fresh[1:]
	}
	return w
}

// Output puts together what was held and what an evaluation found.
func (a *Assembly) Output(p Partial) (out Output) {
	w := a.whole(p)
	defer func() {
		if v := recover(); v != nil {
			p.Diagnostics = append(slices.Clip(p.Diagnostics), defect("", v))
			out = a.refused(p, w)
		}
		out.Files, out.Evaluated = a.files, len(p.Units)
	}()
	if p.Diagnostics.HasErrors() || p.Node == "" {
		return a.refused(p, w)
	}
	w.judge()
	if faults := w.judgeGrants(p.Objects); len(faults) > 0 {
		p.Diagnostics = append(slices.Clip(p.Diagnostics), faults...)
		return a.refused(p, w)
	}
	out = w.accepted(p)
	a.in.Memory.remember(a.job, p)
	return out
}

// refused is the output of a revision that nothing comes of. It still tells
// the faults of single apps, so that one run shows everything.
func (a *Assembly) refused(p Partial, w *whole) Output {
	diags := slices.Clone(p.Diagnostics)
	for _, u := range w.units {
		for _, addr := range sortedKeys(u.Stalled) {
			diags = append(diags, u.Stalled[addr]...)
		}
		diags = append(diags, u.Warnings...)
	}
	if !diags.HasErrors() {
		diags = append(diags, defect("", "it was refused without a reason"))
	}
	return Output{Diagnostics: diags.distinct().Sort(), Units: a.in.Known}
}
