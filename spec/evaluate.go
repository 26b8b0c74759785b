package spec

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// load is one run of Evaluate.
type load struct {
	in       Job
	tree     Tree
	known    Known
	at       func(worker int, place Range)
	lang     Schema
	builtins map[string]function.Function
	sealed   cty.Type // of secrets
	files    []*file  // that are read, by path
	again    []string
	shared   shared
	units    []*Unit
	apps     func() appNames
	moved    []Moved   // by From
	removed  []Removed // by From
	partial  bool      // shared things are missing because their file or block could not be read
	report   reporter  // of the whole revision
}

// Alone is the worker of what is evaluated while no other worker is at work.
const Alone = -1

// Evaluate reads and evaluates the files of a job. It is pure and returns what
// it finds instead of failing. Hostile text can make it use memory and time
// without bound: run it where both are limited. at, where it is not nil, is told
// the place that a worker begins with, from several goroutines, and the zero
// place when it has nothing more to do: who ends the evaluation can say where.
func Evaluate(job Job, tree Tree, known Known, at func(worker int, place Range)) (p Partial) {
	if at == nil {
		at = func(int, Range) {}
	}
	l := &load{in: job, tree: tree, known: known, at: at, lang: Language(), builtins: tableOf(slices.Values(builtins())), sealed: sealedType()}
	maps.Copy(l.builtins, tableOf(slices.Values([]builtin{sealing(l.sealed)})))
	maps.Copy(l.builtins, tableOf(slices.Values(fileFunctions(nil))))
	l.report.source = l.source
	l.apps = sync.OnceValue(l.nameApps)
	defer func() {
		if p0 := recover(); p0 != nil {
			l.report.diags = append(l.report.diags, defect("", p0))
			p = l.result()
		}
	}()
	l.read(job.Files)
	l.partial = slices.ContainsFunc(l.report.diags, hidesNames)
	l.judgeSize()
	l.judgeBroken(l.files)
	l.evaluateShared()
	l.evaluateApps()
	l.judgeChecks()
	l.judgeMoves()
	return l.result()
}

// read adds files and parses them.
func (l *load) read(sources []Source) []*file {
	added := make([]*file, len(sources))
	for i, s := range sources {
		added[i] = &file{path: s.Path, id: s.ID, before: s.Before}
	}
	l.files = append(l.files, added...)
	sortBy(l.files, func(f *file) string { return f.path })
	l.each(added, func(_ int, f *file, r *reporter) { f.read(l.tree, l.lang, r) })
	return added
}

// hidesNames tells whether a finding means that something declared was not
// understood, so that references to it are not mistakes of their own.
func hidesNames(d Diagnostic) bool {
	return d.Code == codeBlock || d.Code == codeLabels || d.Code == codeStray
}

// each runs step for files on as many goroutines as there are processors and
// then keeps what they reported, in the order of the files. What panics is a
// defect of ours that one file has found; it refuses the revision.
func (l *load) each(files []*file, step func(worker int, f *file, r *reporter)) {
	reports := make([]*reporter, len(files))
	var next atomic.Int64
	var workers sync.WaitGroup
	for worker := range min(runtime.GOMAXPROCS(0), len(files)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				reports[i] = l.report.about("", "")
				guarded(files[i], reports[i], func(f *file, r *reporter) { step(worker, f, r) })
			}
			l.at(worker, Range{})
		})
	}
	workers.Wait()
	for _, r := range reports {
		l.keep(r)
	}
}

func guarded(f *file, r *reporter, step func(f *file, r *reporter)) {
	defer func() {
		if p := recover(); p != nil {
			r.diags = append(r.diags, defect(f.path, p))
		}
	}()
	step(f, r)
}

// defect is the diagnostic of a panic.
func defect(filename string, p any) Diagnostic {
	d := Diagnostic{Severity: Error, Code: codeLoader, Summary: fmt.Sprintf("the configuration could not be evaluated: %v", p), Detail: "this is a defect of fazt; please report it with the file"}
	if filename != "" {
		start := Pos{Line: 1, Column: 1}
		d.Range = &Range{Filename: filename, Start: start, End: start}
	}
	return d
}

// keep adds what a part reported to the whole.
func (l *load) keep(r *reporter) {
	l.report.diags = append(l.report.diags, r.diags...)
}

// source is the text of a configuration file, for snippets. What was dropped
// or never read is read again, which only faults cause.
func (l *load) source(name string) []byte {
	i := slices.IndexFunc(l.files, func(f *file) bool { return f.path == name })
	if i >= 0 && l.files[i].src != nil {
		return l.files[i].src
	}
	return textOf(l.tree, name)
}

// textOf is a configuration file's text, nil where it cannot be read.
func textOf(tree Tree, name string) []byte {
	src, err := ReadSource(tree, name)
	if err != nil {
		return nil
	}
	return src
}

// judgeSize reports a configuration that is too large in all.
func (l *load) judgeSize() {
	total := l.in.Held.Size
	for _, f := range l.files {
		total += len(f.src)
	}
	if total > maxAll {
		l.report.diags = append(l.report.diags, Diagnostic{
			Severity: Error, Code: codeTooMuch, Summary: fmt.Sprintf("the configuration is larger than %d MiB in all", maxAll>>20),
			Detail: "build repeated apps with for_each",
		})
	}
}

// judgeBroken stalls the apps of files that cannot be parsed, and refuses the
// revision where nobody can say which apps those are.
func (l *load) judgeBroken(files []*file) {
	for _, f := range files {
		if f.broken == nil {
			continue
		}
		if f.lost {
			l.partial = true
			l.report.diags = append(l.report.diags, f.broken...)
			continue
		}
		u := &Unit{File: f.path, ID: f.id, Size: len(f.src), Blocks: f.apps, Stalled: map[Addr]Diagnostics{}}
		for _, label := range f.holds {
			addr := appAddr(label, "")
			own := make(Diagnostics, len(f.broken))
			for i, d := range f.broken {
				own[i] = d
				own[i].Address = addr
			}
			u.Stalled[addr] = own
		}
		l.units = append(l.units, u)
	}
}

// evaluateApps makes a unit of every file that was read and holds apps. Held
// files whose units are void are read first, unless the revision is refused.
func (l *load) evaluateApps() {
	if !l.report.failed() {
		l.judgeBroken(l.read(l.void()))
	}
	found := make([]*Unit, len(l.files))
	index := map[*file]int{}
	for i, f := range l.files {
		index[f] = i
	}
	l.each(l.files, func(worker int, f *file, _ *reporter) {
		if f.broken != nil || len(f.apps) == 0 {
			return
		}
		only := f.onlyApps()
		found[index[f]] = l.unit(f, worker)
		f.blocks = nil // the syntax tree is many times larger than what came of it
		if only {
			f.src = nil
		}
	})
	for _, u := range found {
		if u != nil {
			l.units = append(l.units, u)
		}
	}
	sortBy(l.units, func(u *Unit) string { return u.File })
}

// void are the held files whose units do not hold any more: all if the shared
// things changed, else those that name an app which is gone.
func (l *load) void() []Source {
	if l.in.Held.Files == 0 {
		return nil
	}
	if l.in.Held.Shared != l.shared.digest {
		return l.known.Rest(nil)
	}
	declared := map[string]bool{}
	for _, f := range l.files {
		for _, b := range f.apps {
			declared[b.Addr.Name()] = true
		}
	}
	names := map[string]bool{}
	for app, files := range l.in.Held.Needs {
		for _, name := range files {
			if !declared[app] {
				names[name] = true
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	l.again = sortedKeys(names)
	return l.known.Rest(l.again)
}

// unit evaluates the apps of one file.
func (l *load) unit(f *file, worker int) *Unit {
	rd := l.newReader()
	s := l.fullScope(rd)
	u := &Unit{File: f.path, Shared: l.shared.digest, Size: len(f.src), Blocks: f.apps, Stalled: map[Addr]Diagnostics{}}
	if f.onlyApps() {
		u.ID = f.id
	}
	for _, b := range f.blocks {
		if b.Type == "app" {
			l.at(worker, rangeOf(b.name()))
			l.app(b, s, u)
		}
	}
	u.Reads, u.Apps = rd.reads, sortedKeys(s.appRefs)
	return u
}

// appNames are the apps that expressions can name.
type appNames struct {
	places map[string]hcl.Range // by label
	value  cty.Value            // of app: what each is called
}

// nameApps gathers every app block, also of files that are not read. Most loads
// change nothing that names another app and never ask for it.
func (l *load) nameApps() appNames {
	var blocks []AppBlock
	read := map[string]bool{}
	for _, f := range l.files {
		read[f.path] = true
		blocks = append(blocks, f.apps...)
	}
	if l.in.Held.Files > 0 {
		for _, b := range l.known.Blocks() {
			if !read[b.Range.Filename] {
				blocks = append(blocks, b)
			}
		}
	}
	sortBy(blocks, func(b AppBlock) string { return b.Range.Filename })
	n := appNames{places: make(map[string]hcl.Range, len(blocks))}
	v := make(map[string]cty.Value, len(blocks))
	for _, b := range blocks {
		name := b.Addr.Name()
		if _, twice := n.places[name]; twice {
			continue
		}
		n.places[name] = hclRange(b.Range)
		v[name] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(name), "address": cty.StringVal(string(appAddr(name, "")))})
	}
	n.value = cty.ObjectVal(v)
	return n
}

// result is what the run has found so far.
func (l *load) result() Partial {
	p := Partial{
		Diagnostics: l.report.diags, Shared: l.shared.digest, Reads: l.shared.reads(), Names: l.shared.namesApps,
		Held: l.shared.digest != "" && l.shared.digest == l.in.Held.Shared, Again: l.again,
	}
	p.Moved, p.Removed, p.Personas = l.moved, l.removed, l.shared.personas
	own := map[string]bool{}
	for _, u := range l.units {
		p.Units = append(p.Units, *u)
		own[u.File] = u.ID != ""
	}
	for _, f := range l.files {
		if !own[f.path] {
			p.Size += f.size
		}
	}
	if l.shared.own != nil && l.shared.edge.Addr != "" {
		p.Node = l.shared.own.Name
		p.Objects = append(p.Objects, l.shared.edge)
		if l.shared.limits != nil {
			p.Objects = append(p.Objects, *l.shared.limits)
		}
		p.Objects = append(p.Objects, l.nodeObject())
		p.Objects = append(p.Objects, l.shared.secrets...)
		p.Objects = append(p.Objects, l.shared.things...)
		sortBy(p.Objects, func(o Object) string { return string(o.Addr) })
	}
	return p
}
