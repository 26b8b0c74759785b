package spec

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// resource is what something may be done to, as it is written: a reference or a
// text.
type resource struct {
	text string
	at   hcl.Range
}

// NodeResource stands for the node and everything on it.
const NodeResource = "node"

// resources reads a list of resources. References to apps and to parts of
// them are read, not evaluated, since a part of an app is no value.
func (s *scope) resources(expr hcl.Expression, p *spot, row Attribute, r *reporter) ([]resource, bool) {
	list, diags := hcl.ExprList(expr)
	if diags.HasErrors() {
		return s.resourceTexts(expr, p, row, r)
	}
	found, ok := make([]resource, 0, len(list)), true
	for i, e := range list {
		if text, is := partOf(e); is {
			found = append(found, resource{text, e.Range()})
			continue
		}
		v, good := s.value(e, r)
		if good {
			v, good = resourceText(v, p.index(i), row, r)
		}
		if ok = ok && good; good {
			found = append(found, resource{v.AsString(), e.Range()})
		}
	}
	return found, ok || len(found) > 0 // what is understood is judged too
}

// resourceTexts evaluates a list that is not written out.
func (s *scope) resourceTexts(expr hcl.Expression, p *spot, row Attribute, r *reporter) ([]resource, bool) {
	v, ok := s.value(expr, r)
	if !ok {
		return nil, false
	}
	if !isList(v) {
		return nil, refuse(row, v, p, r)
	}
	var found []resource
	for i, e := range v.AsValueSlice() {
		text, good := resourceText(e, p.index(i), row, r)
		if ok = ok && good; good {
			found = append(found, resource{text.AsString(), p.index(i).at()})
		}
	}
	return found, ok
}

// resourceText takes a text, and an app as its address.
func resourceText(v cty.Value, p *spot, row Attribute, r *reporter) (cty.Value, bool) {
	if v.Type().IsObjectType() && v.Type().HasAttribute("address") && !v.IsNull() {
		v = v.GetAttr("address")
	}
	if v.Type() != cty.String || v.IsNull() {
		return v, refuse(row, v, p, r)
	}
	return v, true
}

// partOf reads app.NAME, app.NAME["KEY"] and what is below them as an address.
func partOf(expr hcl.Expression) (string, bool) {
	t, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() || t.RootName() != "app" || len(t) < 2 {
		return "", false
	}
	addr := "app"
	for i := range t[1:] {
		name := stepName(t, i+1)
		if _, dot := t[i+1].(hcl.TraverseAttr); dot {
			addr += "." + name
			continue
		}
		if name == "" {
			return "", false
		}
		addr += `["` + name + `"]`
	}
	return addr, true
}

// resourceForm takes the address of an app, of a part of one, or of paths of one,
// apart: name, key, part and path.
var resourceForm = regexp.MustCompile(`^app\.([a-z0-9-]+)(?:\["([a-z0-9-]+)"\])?(?:\.([a-z]+(?:\.[A-Za-z0-9_$-]+|\["[^"]+"\]))|(/.*))?$`)

// resources are the canonical forms of an argument that lists them: sorted, each
// once.
func (l *load) resources(d *decoded, name string, r *reporter) []string {
	list, given := d.values[name].([]resource)
	if given && len(list) == 0 {
		r.error(codeValue, d.at(name), fmt.Sprintf("%q is empty", d.prefix+name), "write on = [app.notes]")
	}
	var found []string
	for _, one := range list {
		text, fault := l.resource(one.text)
		if fault != nil {
			r.error(fault.code, one.at, fault.summary, fault.detail, fault.related...)
			continue
		}
		found = append(found, text)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// resource is the canonical form of one. Whether the key and the part are there
// is judged when all apps are known.
func (l *load) resource(text string) (string, *wrong) {
	if text == NodeResource {
		return text, nil
	}
	m := resourceForm.FindStringSubmatch(text)
	if m == nil || !validName(m[1]) {
		return "", &wrong{code: codeValue, summary: fmt.Sprintf("%s is nothing that a grant can be on", quoted(text)), detail: `write app.notes, "app.notes/drafts/*", app.notes.docs.PAGES or "node"`}
	}
	l.shared.namesApps = true
	if fault := l.unknownApp(m[1]); fault != nil {
		return "", fault
	}
	app, below := string(appAddr(m[1], m[2])), m[4]
	switch {
	case m[3] != "":
		return app + "." + m[3], nil
	case below == "" || below == "/*":
		return app, nil
	}
	if fault := gatePathFault(below); fault != "" {
		return "", &wrong{code: codeValue, summary: fmt.Sprintf("%s is not a path: %s", quoted(below), fault), detail: `write it as "app.notes/drafts/*" or "app.notes/me"`}
	}
	return app + below, nil
}

// unknownApp is why an app cannot be named: no block declares it.
func (l *load) unknownApp(name string) *wrong {
	known := l.apps().places
	if _, declared := known[name]; declared || l.partial {
		return nil
	}
	w := &wrong{code: codeReference, summary: fmt.Sprintf("app %q is not declared", name), detail: "no app is declared"}
	if names := sortedKeys(known); len(names) > 0 {
		w.detail = didYouMean(name, names, "declared")
		if near := nearest(name, names); near != "" {
			w.detail = fmt.Sprintf("did you mean app.%s?", near)
			w.related = declaredAt("app."+near+" is declared here", known[near])
		}
	}
	return w
}

// gatePathFault says what is wrong with a path of an app that may end in /*. What
// a gate compares is a decoded, clean path, so nothing else can be meant.
func gatePathFault(pattern string) string {
	if fault := patternFault(pattern); fault != "" {
		return fault
	}
	if strings.ContainsAny(pattern, `%\:`) {
		return "it is written without % and \\, as a path is after decoding"
	}
	if deep := strings.TrimSuffix(pattern, "*"); path.Clean(deep) == "/" && deep != "/" {
		return "it has an empty part"
	}
	return ""
}
