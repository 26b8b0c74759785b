package spec

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// whole is every app of a revision, judged together.
type whole struct {
	allApps bool
	shared  []Object // all that is no app
	units   []*Unit  // by file, with what their apps use
	stalled map[Addr]Diagnostics
	yielded map[Addr]bool // apps of other nodes that are left out although every app is taken
	report  reporter
}

// judge judges what only all apps together can get wrong, and so finds every
// app that is stalled, for its own faults or for these.
func (w *whole) judge() {
	w.stalled = map[Addr]Diagnostics{}
	w.yield()
	for _, u := range w.units {
		maps.Copy(w.stalled, u.Stalled)
	}
	w.judgeClaims(w.labels, codeNameTwice, `app %s is declared twice`, "give one of them another name", "also declared here")
	w.judgeClaims(w.names, codeNameTwice, "two apps are called %s", "rename one of them or its key", "called the same")
	w.judgeClaims(w.hosts, codeHostTwice, "host %s is claimed twice", "a host belongs to one app; remove it from the other", "also claimed here")
	w.judgeConsole(w.shared)
	w.judgeServices()
}

// claim is one app's claim of something that belongs to one app only.
type claim struct {
	unit *Unit
	addr Addr
	at   func() Range
}

// judgeClaims stalls every app whose claim another one makes too, each with
// the places of the others: nobody can say who is right.
func (w *whole) judgeClaims(all iter.Seq2[string, claim], code, summary, help, also string) {
	claims := contested(all, len(w.units))
	for _, what := range sortedKeys(claims) {
		for i, c := range claims[what] {
			var related []Related
			for j, other := range claims[what] {
				if j > i && other.addr == c.addr {
					related = nil // one app, declared twice: said once, at the later place
					break
				}
				if i != j {
					related = append(related, Related{Message: fmt.Sprintf("%s: %s", other.addr, also), Range: other.at()})
				}
			}
			if len(related) > 0 {
				r := w.report.about(c.addr, "")
				r.error(code, hclRange(c.at()), fmt.Sprintf(summary, quoted(what)), help, related...)
				w.stalled[c.addr] = append(slices.Clip(w.stalled[c.addr]), r.diags...)
			}
		}
	}
}

// contested are the claims that were made more than once, which are few of
// many.
func contested(all iter.Seq2[string, claim], size int) map[string][]claim {
	seen := make(map[string]bool, size)
	twice := map[string][]claim{}
	for what := range all {
		if seen[what] {
			twice[what] = nil
		}
		seen[what] = true
	}
	if len(twice) == 0 {
		return nil
	}
	for what, c := range all {
		if _, is := twice[what]; is {
			twice[what] = append(twice[what], c)
		}
	}
	return twice
}

// labels are the labels of app blocks.
func (w *whole) labels(yield func(string, claim) bool) {
	for _, u := range w.units {
		for i := range u.Blocks {
			b := &u.Blocks[i]
			if !yield(b.Addr.Name(), claim{u, b.Addr, func() Range { return b.Range }}) {
				return
			}
		}
	}
}

// names are the names of apps, of other nodes too: app "site-docs" and app
// "site" with the key docs are called the same.
func (w *whole) names(yield func(string, claim) bool) {
	for addr, u := range w.addrs() {
		if !w.isStalled(addr) && !yield(addr.Name(), claim{u, addr, func() Range { return u.blockRange(addr) }}) {
			return
		}
	}
}

// addrs are the addresses of apps, each once.
func (w *whole) addrs() iter.Seq2[Addr, *Unit] {
	return func(yield func(Addr, *Unit) bool) {
		for _, u := range w.units {
			for i := range u.Objects {
				if !yield(u.Objects[i].Addr, u) {
					return
				}
			}
			if w.allApps {
				continue // those of other nodes are among the objects
			}
			for _, addr := range u.Elsewhere {
				if !yield(addr, u) {
					return
				}
			}
		}
	}
}

// hosts are the hosts of apps that this node serves.
func (w *whole) hosts(yield func(string, claim) bool) {
	for u, i := range w.taken() {
		o := &u.Objects[i]
		for _, host := range u.uses[i].hosts {
			at := func() Range {
				if at, declared := o.At[hostPlace(host)]; declared {
					return at
				}
				return o.Range
			}
			if !yield(host, claim{u, o.Addr, at}) {
				return
			}
		}
	}
}

// yield leaves out, where every app is taken, those that only other nodes take
// and that claim a host of one that is there: on their own nodes they do not
// meet.
func (w *whole) yield() {
	if !w.allApps {
		return
	}
	foreign := map[Addr]bool{}
	for _, u := range w.units {
		for _, addr := range u.Elsewhere {
			foreign[addr] = true
		}
	}
	if len(foreign) == 0 {
		return
	}
	claimed := map[string]bool{}
	claim := func(own bool, hosts []string) (free bool) {
		if !own && slices.ContainsFunc(hosts, func(h string) bool { return claimed[h] }) {
			return false
		}
		for _, h := range hosts {
			claimed[h] = true
		}
		return true
	}
	w.yielded = map[Addr]bool{}
	for _, own := range []bool{true, false} {
		for _, u := range w.units {
			for i, o := range u.Objects {
				if foreign[o.Addr] != own && !claim(own, u.uses[i].hosts) {
					w.yielded[o.Addr] = true
				}
			}
		}
	}
}

// isStalled tells whether an app is stalled, itself or with its whole block.
func (w *whole) isStalled(addr Addr) bool {
	if len(w.stalled) == 0 {
		return false
	}
	if _, own := w.stalled[addr]; own {
		return true
	}
	block, _, _ := strings.Cut(string(addr), "[")
	_, whole := w.stalled[Addr(block)]
	return whole
}

// taken are the apps that can be applied, in the order of files: each a unit
// and an index into its objects.
func (w *whole) taken() iter.Seq2[*Unit, int] {
	return func(yield func(*Unit, int) bool) {
		for _, u := range w.units {
			for i := range u.Objects {
				addr := u.Objects[i].Addr
				if !w.isStalled(addr) && !w.yielded[addr] && !yield(u, i) {
					return
				}
			}
		}
	}
}

// objects are the apps that can be applied, by address.
func (w *whole) objects() []Object {
	list := make([]*Object, 0, len(w.units))
	for u, i := range w.taken() {
		list = append(list, &u.Objects[i])
	}
	byAddr := func(a, b *Object) int { return cmp.Compare(a.Addr, b.Addr) }
	if !slices.IsSortedFunc(list, byAddr) {
		slices.SortStableFunc(list, byAddr)
	}
	objects := make([]Object, len(list), len(list)+3)
	for i, o := range list {
		objects[i] = *o
	}
	return objects
}

// accepted is the output of a revision that can be applied.
func (w *whole) accepted(p Partial) Output {
	s := &Spec{Node: p.Node, Stalled: w.stalled, Moved: p.Moved, Removed: p.Removed, Personas: p.Personas, Warnings: slices.Clone(p.Diagnostics)}
	s.Objects = append(w.objects(), w.needed(p.Objects, &s.Warnings)...) // everything else sorts after app
	out := Output{Spec: s, Units: make([]Unit, 0, len(w.units))}
	for _, u := range w.units {
		s.Elsewhere = append(s.Elsewhere, u.Elsewhere...)
		s.Warnings = append(s.Warnings, u.Warnings...)
		if u.ID != "" {
			out.Units = append(out.Units, *u)
		}
	}
	slices.Sort(s.Elsewhere)
	s.Warnings = s.Warnings.Sort()
	out.Diagnostics = s.Warnings
	return out
}
