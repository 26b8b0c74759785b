package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// judgeGrants reports grants on what no app has: a key of a for_each, or a part
// such as a store. Apps that are stalled or on other nodes are not judged, as
// nobody here knows them.
func (w *whole) judgeGrants(shared []Object) Diagnostics {
	r := w.report.about("", "")
	for _, o := range shared {
		var role Role
		if o.Kind != KindRole || json.Unmarshal(o.Spec, &role) != nil {
			continue
		}
		r.addr = o.Addr
		for i, g := range role.Grants {
			for _, on := range g.On {
				if summary, help := w.grantFault(on); summary != "" {
					r.error(codeReference, hclRange(o.At[NthBlock("grant", i)+".on"]), summary, help)
				}
			}
		}
	}
	return r.diags
}

// grantFault says what is wrong with a resource in canonical form.
func (w *whole) grantFault(on string) (summary, help string) {
	m := resourceForm.FindStringSubmatch(on)
	if m == nil {
		return "", "" // the node
	}
	app, part := appAddr(m[1], m[2]), m[3]
	if w.isStalled(app) {
		return "", ""
	}
	found, elsewhere := w.below(app)
	switch {
	case elsewhere || len(found) == 0 && m[2] == "":
		return "", ""
	case len(found) == 0:
		return fmt.Sprintf("%s is not an app of this configuration", app), fmt.Sprintf("%s is no key of that app's for_each", quoted(m[2]))
	case part == "":
		return "", ""
	}
	var parts []string
	for _, o := range found {
		parts = append(parts, partNames(o)...)
	}
	if slices.Contains(parts, part) {
		return "", ""
	}
	return fmt.Sprintf("%s has no %s", app, part), didYouMean(part, parts, "it has")
}

// below are the apps that an address stands for, and whether one of them is on
// another node.
func (w *whole) below(app Addr) (found []Object, elsewhere bool) {
	for _, u := range w.units {
		for _, o := range u.Objects {
			if o.Addr == app || app.Covers(o.Addr) {
				found = append(found, o)
			}
		}
		elsewhere = elsewhere || slices.ContainsFunc(u.Elsewhere, func(a Addr) bool { return a == app || app.Covers(a) })
	}
	return found, elsewhere
}

// partNames are the parts of an app that have a name: docs.PAGES.
func partNames(o Object) []string {
	var a App
	if json.Unmarshal(o.Spec, &a) != nil {
		return nil
	}
	var names []string
	for _, p := range a.Parts() {
		if p.Name != "" {
			names = append(names, strings.TrimPrefix(string(p.Addr(o.Addr)), string(o.Addr)+"."))
		}
	}
	return names
}
