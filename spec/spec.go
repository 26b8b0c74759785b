// Package spec turns the configuration of a repository into the desired state
// of one node: HCL in, plain Go values or diagnostics out. The loader
// calls Prepare, its bounded child Evaluate; the command line asks for Language,
// Format and Explain, and everybody shares the model in model.go. It reads nothing but the tree it is
// given, knows no clock, no network and no machine, and refuses to know how a
// state is reached or served. No type of the parser leaves it.
//
// # How a load works
//
// All configuration files of a tree form one configuration; a block's label is
// its identity, its place means nothing. A load has two halves. The Assembly
// keeps what earlier loads found and runs where that is; Evaluate reads
// configuration and runs where memory and time are limited. What passes
// between them, Job and Partial, grows with what changed. Load is both in one
// process.
//
//  1. Prepare finds the files and matches them with earlier units. A unit is
//     held if its file and every file it read are unchanged; all others are
//     in the Job, to be read.
//  2. Evaluate reads them in parallel: precheck refuses what would exhaust the
//     parser, the parser makes a syntax tree, readBody takes it apart by the
//     schema table.
//  3. It evaluates what all apps share: fazt, variables, locals and nodes in
//     the order of their references, functions, the edge, the limits. If that is not what
//     the held units were evaluated under, it asks for their files too.
//  4. It evaluates apps, file by file and in parallel, each file into a Unit,
//     and drops the syntax tree; then the check blocks.
//  5. Assembly.Output puts held and new units together, judges the whole (names
//     and hosts used twice) and puts objects, sorted by address, into a Spec.
//
// Each step collects all the faults it can find before the next is left out.
//
// # Whose fault it is
//
// A fault inside an app block stalls that app: it is listed in Spec.Stalled and
// keeps whatever the node serves for it, while the others move on. A fault in
// anything shared refuses the revision: Output.Spec is nil. A file that cannot
// be parsed stalls the apps it holds, if its text, what could be parsed and the
// last load leave no doubt which ones they are and that it holds nothing else;
// in doubt the revision is refused, since an app that cannot be read must never
// look like one that was removed.
package spec

import "slices"

// LanguageVersion is the version of the language that this package speaks;
// fazt { version = … } is judged against it.
const LanguageVersion = "0.6.0"

// Input is what one load needs.
type Input struct {
	Tree    Tree              // the revision's files
	Node    string            // name of the node; empty: the only node block, or "local" without labels if there is none
	AllApps bool              // take every app whatever its where, and the first of several nodes
	Domain  string            // overrides edge.domain where not empty
	Vars    map[string]string // variables by name, as written on a command line
	Known   []Unit            // what an earlier load for this node returned
	Memory  *Memory           // what the loader keeps between loads; nil keeps nothing
}

// Output is what one load found.
type Output struct {
	Spec        *Spec       // nil when Diagnostics has errors
	Diagnostics Diagnostics // of the whole revision, sorted: errors that refuse it (then also those of single apps), and all warnings
	Units       []Unit      // by file, for the next load; those of Input where the revision is refused
	Evaluated   int         // files with apps that were evaluated, not taken from Known
	Files       int         // configuration files seen
}

// Findings is everything that was found, for a person: that of the revision and
// that of stalled apps, sorted. What one place causes in several apps, such as
// the instances of a for_each or the apps of an unreadable file, is there once.
func (o Output) Findings() Diagnostics {
	all := slices.Clone(o.Diagnostics)
	if o.Spec != nil {
		for _, addr := range sortedKeys(o.Spec.Stalled) {
			all = append(all, o.Spec.Stalled[addr]...)
		}
	}
	return all.distinct().Sort()
}

// Load evaluates a revision for one node in this process. It is pure and
// returns what it finds instead of failing. Hostile text can make it use memory
// and time without bound: where that matters, run Evaluate in a child that is
// bounded.
func Load(in Input) Output {
	a := Prepare(in)
	if out, done := a.Done(); done {
		return out
	}
	return a.Output(Evaluate(a.Job(), in.Tree, a, nil))
}
