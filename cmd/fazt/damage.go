package main

import (
	"github.com/fazt-sh/fazt/platform/op"
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
		w.Printf("\n! %s is recorded and not served: its record, its files or its data are damaged\n  hint: %s\n", addr, back)
	}
	for _, d := range o.Damaged {
		w.Printf("\n! %q of %s is damaged on this node's disk and not served\n  hint: %s\n", d.Path, d.Addr, back)
	}
}
