package main

import (
	"cmp"

	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// writeDamage says what the node has lost on its own disk, and who brings it
// back.
func (o statusOut) writeDamage(w *op.Screen) {
	back := "the node fetches it again from its repository"
	if o.Source == "" {
		back = "apply it again: fazt apply DIR"
	}
	for _, file := range o.Aside {
		w.Printf("\n! the node's record was damaged or gone: history, holds, trash and people are lost\n  file: %s\n", file)
		if o.Source == "" {
			w.Printf("  hint: apply the sites again: fazt apply DIR; move that file elsewhere or delete it, and this line goes\n")
		} else {
			w.Printf("  hint: the repository brings the sites back, with their data; move that file elsewhere or delete it, and this line goes\n")
		}
	}
	for _, addr := range o.Lost {
		o.writeLost(w, addr, back)
	}
	for _, d := range o.Damaged {
		w.Printf("\n! %q of %s is damaged on this node's disk and not served\n  hint: %s\n", d.Path, d.Addr, back)
	}
}

// writeLost says why an app of the record is not served, and how it comes back. What no
// block declares comes from nowhere else, so that the cause is to be mended.
func (o statusOut) writeLost(w *op.Screen, addr spec.Addr, back string) {
	why := o.LostWhy[addr]
	if why == nil {
		why = &reconcile.Problem{Message: "its record, its files or its data are damaged"}
	}
	if o.unavailable(addr) {
		back = "its data is kept; mend that and start the node again, or declare the app"
	}
	w.Printf("\n! %s is recorded and not served: it cannot be loaded: %s\n  hint: %s\n", addr, withCode(why.Message, why.Code), cmp.Or(why.Hint, back))
}

// unavailable reports whether no block declares an app that cannot be loaded.
func (o statusOut) unavailable(addr spec.Addr) bool {
	for _, a := range o.Apps {
		if a.Addr == addr {
			return a.State == reconcile.AppUnavailable
		}
	}
	return false
}
