package spec

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// Memory is what a loader keeps between loads besides units: where the
// configuration files of a tree are, by the ids of its folders, and what the
// shared things came to. With it a load looks at what changed, and evaluates
// nothing where nothing of the configuration did. The zero value knows nothing.
// Several goroutines may use one; it is never needed for a right answer.
type Memory struct {
	root    atomic.Pointer[folder]
	settled atomic.Pointer[outcome]
}

// maxRemembered bounds the folders that a Memory holds. Those over it are
// looked into each time.
const maxRemembered = 100_000

// folder is what a search found in one folder. It never changes.
type folder struct {
	id      string
	files   []Source           // its configuration files and those below it
	entries int                // files and folders, here and below
	folders int                // that are remembered, here and below
	below   map[string]*folder // by name
}

// folderNamed is a folder below f, nil where none is known.
func (f *folder) folderNamed(name string) *folder {
	if f == nil {
		return nil
	}
	return f.below[name]
}

// find is ConfigFiles with the files' ids.
func (m *Memory) find(tree Tree) ([]Source, Diagnostics) {
	w := walker{tree: tree, remember: m != nil}
	var before *folder
	if m != nil {
		before = m.root.Load()
	}
	root, ok := w.folder(".", 1, before)
	if !ok {
		return nil, w.diags
	}
	if m != nil && len(w.diags) == 0 {
		m.root.Store(root)
	}
	byPath := func(a, b Source) int { return strings.Compare(a.Path, b.Path) }
	files := root.files
	if !slices.IsSortedFunc(files, byPath) {
		files = slices.Clone(files)
		slices.SortFunc(files, byPath)
	}
	return files, w.diags
}

// look takes a folder from an earlier search if it is the same.
func (w *walker) look(name string, before *folder) (id string, same bool) {
	if !w.remember {
		return "", false
	}
	id = idOf(w.tree, name)
	if id == "" || before == nil || before.id != id {
		return id, false
	}
	w.entries += before.entries
	w.folders += before.folders
	return id, true
}

// add counts a folder to the one that it is in.
func (w *walker) add(f *folder, name string, below *folder) {
	f.files = append(f.files, below.files...)
	f.entries += below.entries
	if w.remember && below.id != "" && w.folders < maxRemembered {
		w.folders++
		f.folders += 1 + below.folders
		if f.below == nil {
			f.below = map[string]*folder{}
		}
		f.below[name] = below
	}
}

// outcome is what came of the files that every load evaluates: those that hold
// something shared.
type outcome struct {
	job     Job               // without held units; the files are the shared ones
	reads   map[string]string // what they read
	size    int               // bytes of the files
	partial Partial           // with the units of the shared files
}

// remember keeps what an accepted revision's shared files came to, if it
// depends on nothing else.
func (m *Memory) remember(job Job, p Partial) {
	if m == nil || p.Names || len(p.Again) > 0 {
		return
	}
	s := &outcome{job: job, reads: maps.Clone(p.Reads), size: p.Size, partial: p}
	s.job.Files, s.job.Held, s.partial.Units = nil, Held{}, nil
	own := map[string]bool{}
	for _, u := range p.Units {
		switch {
		case u.ID != "":
			own[u.File] = true
		case len(u.Stalled) > 0 || len(u.Apps) > 0:
			return
		default:
			maps.Copy(s.reads, u.Reads)
			s.partial.Units = append(s.partial.Units, u)
		}
	}
	for _, f := range job.Files {
		if f.ID == "" {
			return
		}
		if !own[f.Path] {
			s.job.Files = append(s.job.Files, Source{Path: f.Path, ID: f.ID})
		}
	}
	m.settled.Store(s)
}

// recall is what a job will come to, if it has nothing to read but shared
// files that came to something before.
func (m *Memory) recall(job Job, tree Tree) (Partial, bool) {
	if m == nil {
		return Partial{}, false
	}
	s := m.settled.Load()
	if s == nil || len(job.Held.Needs) > 0 || s.size+job.Held.Size > maxAll ||
		job.Held.Files > 0 && job.Held.Shared != s.partial.Shared ||
		job.Node != s.job.Node || job.AllApps != s.job.AllApps || job.Domain != s.job.Domain || !maps.Equal(job.Vars, s.job.Vars) ||
		!slices.EqualFunc(job.Files, s.job.Files, func(a, b Source) bool { return a.Path == b.Path && a.ID == b.ID }) ||
		!unchanged(tree, s.reads) {
		return Partial{}, false
	}
	p := s.partial
	p.Held = true
	return p, true
}

// unchanged tells whether what was read is still what it was.
func unchanged(tree Tree, reads map[string]string) bool {
	for name, id := range reads {
		if idOf(tree, name) != id {
			return false
		}
	}
	return true
}
