package plan

import (
	"fmt"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// What may go at once without anybody's word: the larger of these.
const (
	pruneApps  = 5
	pruneShare = 10 // percent of the apps that blocks declare
)

// refusal is why nobody can have meant the plan, nil where somebody can. A node
// that serves apps must be left with one, and not lose too many of them at once.
func (d *differ) refusal(changes []Change) *Refusal {
	managed, asked := d.managed()
	if managed > 0 && asked == 0 {
		return &Refusal{
			Code:    RefusedEmpty,
			Message: fmt.Sprintf("the revision leaves no app on this node, which serves %d", managed),
			Hint:    "if that is meant, keep the last app with enabled = false; else look at where, and at the branch",
		}
	}
	gone := removals(changes)
	allowed := max(pruneApps, managed*pruneShare/100, d.in.AllowPrune)
	if len(gone) <= allowed {
		return nil
	}
	return &Refusal{
		Code: RefusedPrune,
		Message: fmt.Sprintf("the revision removes %d of %d apps, more than %d at once: %s",
			len(gone), managed, allowed, firstOf(gone)),
		Hint: "if that is meant: " + wayThrough(d.in.Revision, len(gone)),
	}
}

// wayThrough is how a plan passes the budget: a commit is approved, a folder is
// applied with a number.
func wayThrough(revision string, gone int) string {
	if strings.HasPrefix(revision, "dir:") {
		return fmt.Sprintf("apply it with --allow-prune %d; where a repository is followed, push it and approve its commit", gone)
	}
	return "fazt approve " + shortRevision(revision)
}

// managed counts the apps that blocks declared until now, and those that a
// block asks for, or may ask for, from now on.
func (d *differ) managed() (had, asked int) {
	for was, want := range d.pairs() {
		if was != nil && was.Kind == spec.KindApp && !was.Unmanaged {
			had++
		}
		switch {
		case want != nil && want.Kind == spec.KindApp && (d.remains(was, want) || !d.stays(want.Addr) && d.blocked[want.Addr] == nil):
			asked++
		case want == nil && was.Kind == spec.KindApp && (d.stays(was.Addr) || d.waits(*was)):
			asked++
		}
	}
	return had, asked
}

// removals lists the apps that no block declares any more and that really go
// or are left to themselves.
func removals(changes []Change) (list []spec.Addr) {
	for _, c := range changes {
		if c.Kind == spec.KindApp && c.Open() && (c.Action == Delete || c.Action == Park || c.Action == Forget) {
			list = append(list, c.Addr)
		}
	}
	return list
}

// firstOf names a few addresses.
func firstOf(list []spec.Addr) string {
	names := make([]string, len(list))
	for i, addr := range list {
		names[i] = string(addr)
	}
	return someOf(names)
}

// someOf names the first of many.
func someOf(names []string) string {
	text := strings.Join(names[:min(namesShown, len(names))], ", ")
	if more := len(names) - namesShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// resemble marks new apps that look like one that goes in the same plan: most
// likely a block was renamed and nobody said so.
func resemble(changes []Change, actual, desired []spec.Object) {
	gone := map[string]spec.Addr{}
	for _, c := range changes {
		if c.Kind == spec.KindApp && (c.Action == Park || c.Action == Delete) {
			gone[likeness(*find(actual, c.Addr))] = c.Addr
		}
	}
	delete(gone, "")
	if len(gone) == 0 {
		return
	}
	for i := range changes {
		if c := &changes[i]; c.Kind == spec.KindApp && c.Action == Create {
			c.Resembles = gone[likeness(*find(desired, c.Addr))]
		}
	}
}

// likeness is what two apps have in common of which one is the other renamed:
// their files. Two that have none have nothing in common.
func likeness(o spec.Object) string {
	if len(manifest(o)) == 0 {
		return ""
	}
	o.Digest, o.Immutable = "", ""
	return Version(o)
}
