package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// scope is what an expression may name, with values. A scope is made for each
// file and used by one goroutine; the values in it are shared.
type scope struct {
	ctx     *hcl.EvalContext
	names   map[string]names // root name → what is declared below it
	calls   map[string]function.Function
	own     map[string]hcl.Range // functions of the author, broken ones too
	poison  bool                 // a shared fault was reported: unknown values are its echo
	partial bool                 // some shared things could not be read: nothing is undeclared for certain
	appRefs map[string]bool      // the apps that were named
	apps    func() names         // makes all apps known, which most files never ask for; nil: app is something else here
}

// names are the declared things below one root name, with their places.
type names struct {
	what   string               // in messages: variable, local, app
	places map[string]hcl.Range // nil: any name may follow
	whole  bool                 // the root alone is a value too
}

// with returns a scope that knows one more root.
func (s *scope) with(root string, n names, v cty.Value) *scope {
	inner := *s
	inner.ctx = s.ctx.NewChild()
	inner.ctx.Variables = map[string]cty.Value{root: v}
	inner.names = maps.Clone(s.names)
	inner.names[root] = n
	if root == "app" {
		inner.apps = nil
	}
	return &inner
}

// value evaluates an expression. False means that a fault was reported here or
// earlier. The value is wholly known.
func (s *scope) value(expr hcl.Expression, r *reporter) (cty.Value, bool) {
	if !s.judge(expr, r) {
		return cty.DynamicVal, false
	}
	v, diags := expr.Value(s.ctx)
	if diags.HasErrors() {
		s.explain(diags, r)
		return cty.DynamicVal, false
	}
	if !v.IsWhollyKnown() {
		if !s.poison {
			r.error(codeExpression, expr.Range(), "the value of this expression is not known", "it depends on something that cannot be evaluated")
		}
		return cty.DynamicVal, false
	}
	return v, true
}

// judge reports references and functions that do not exist, before the
// expression is evaluated.
func (s *scope) judge(expr hcl.Expression, r *reporter) bool {
	ok := true
	for _, t := range expr.Variables() {
		ok = s.reference(t, r) && ok
	}
	for _, call := range callsIn(expr) {
		if _, known := s.calls[call.Name]; !known {
			ok = false
			s.unknownFunction(call.Name, call.NameRange, r)
		}
	}
	return ok
}

func (s *scope) unknownFunction(name string, at hcl.Range, r *reporter) {
	if _, declared := s.own[name]; declared || s.partial {
		return // what is wrong with it was said where it stands
	}
	help := "fazt docs reference/language lists them"
	if near := nearest(name, sortedKeys(s.calls)); near != "" {
		help = fmt.Sprintf("did you mean %q?", near)
	}
	r.error(codeFunction, at, fmt.Sprintf("unknown function %q", name), help)
}

// callsIn lists the function calls of an expression in the native form; the
// JSON form hides them until it is evaluated.
func callsIn(expr hcl.Expression) []*hclsyntax.FunctionCallExpr {
	native, ok := expr.(hclsyntax.Node)
	if !ok {
		return nil
	}
	var calls []*hclsyntax.FunctionCallExpr
	hclsyntax.VisitAll(native, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			calls = append(calls, call)
		}
		return nil
	})
	return calls
}

// reference checks that what a traversal names is declared.
func (s *scope) reference(t hcl.Traversal, r *reporter) bool {
	root := t.RootName()
	known, ok := s.names[root]
	if !ok {
		return s.unknownRoot(root, t.SourceRange(), r)
	}
	step := stepName(t, 1)
	if root == "app" && s.apps != nil && step != "" {
		known = s.apps()
	}
	if step == "" {
		if len(t) == 1 && !known.whole {
			r.error(codeReference, t.SourceRange(), fmt.Sprintf("%q needs a name after it", root), "write "+root+".NAME")
			return false
		}
		return true
	}
	if _, declared := known.places[step]; !declared && known.places != nil {
		return s.undeclared(root, step, known, t.SourceRange(), r)
	}
	if root == "app" && s.appRefs != nil {
		s.appRefs[step] = true
	}
	if root == "app" && known.what == "app" {
		return s.appAttribute(t, step, known.whole, r)
	}
	if root == "secret" && len(t) > 2 {
		r.error(codeSealed, t.SourceRange(), fmt.Sprintf("nothing can be read of secret.%s", step), "name it as a whole: secret."+step)
		return false
	}
	if root == "node" && step == "labels" {
		return s.label(t, r)
	}
	return true
}

// app reads the address of an app that must be there. Whether a key of for_each
// is, and on which node, is judged when all apps are known.
func (s *scope) app(expr hcl.Expression, name string, r *reporter) (Addr, bool) {
	addr, ok := addressOf(expr)
	if !ok {
		r.error(codeAddress, expr.Range(), fmt.Sprintf("%q must be the address of an app", name), `write app.search, or app.site["docs"] for one key of for_each`)
		return "", false
	}
	label, known := labelOf(addr), s.apps()
	if _, declared := known.places[label]; !declared {
		return "", s.undeclared("app", label, known, expr.Range(), r)
	}
	s.appRefs[label] = true
	return addr, true
}

// appAttribute checks the name after app.NAME: outside of a check an app is
// known by what it is called.
func (s *scope) appAttribute(t hcl.Traversal, app string, inCheck bool, r *reporter) bool {
	there := []string{"name", "address"}
	if inCheck {
		there = append(there, "content", "hosts", "spa", "redirects", "headers", "enabled", "protect", "limits", "access")
	}
	name := stepName(t, 2)
	if name == "" || slices.Contains(there, name) {
		return true
	}
	help := fmt.Sprintf("app.%s has %s", app, strings.Join(there, ", "))
	if near := nearest(name, there); near != "" {
		help = fmt.Sprintf("did you mean app.%s.%s?", app, near)
	} else if !inCheck {
		help += "; its other attributes are known in a check only"
	}
	r.error(codeReference, t.SourceRange(), fmt.Sprintf("app.%s has no %q", app, name), help)
	return false
}

// label checks the name after node.labels: a label that no node declares is a
// mistake, one that only other nodes declare is null.
func (s *scope) label(t hcl.Traversal, r *reporter) bool {
	name := stepName(t, 2)
	labels := s.names["node.labels"]
	if _, declared := labels.places[name]; name == "" || declared || labels.places == nil {
		return true
	}
	return s.undeclared("node.labels", name, labels, t.SourceRange(), r)
}

func (s *scope) unknownRoot(root string, at hcl.Range, r *reporter) bool {
	switch root {
	case "each":
		r.error(codeReference, at, `"each" has a value only in an app with for_each`, "add for_each = toset([…]) to the app")
		return false
	case credentialRoot:
		r.error(codeReference, at, `"credential" has a value only in tls of edge`, "a credential is a file of the node: it goes where a credential is asked for and nowhere else")
		return false
	case "secret":
		r.error(codeReference, at, `"secret" has a value only in an app`, secretHelp)
		return false
	}
	help := didYouMean(root, s.roots(), "an expression can name")
	if _, isVar := s.names["var"].places[root]; isVar {
		help = fmt.Sprintf("did you mean var.%s?", root)
	} else if _, isLocal := s.names["local"].places[root]; isLocal {
		help = fmt.Sprintf("did you mean local.%s?", root)
	}
	r.error(codeReference, at, fmt.Sprintf("nothing is called %q here", root), help+"; text needs quotes")
	return false
}

// undeclared reports a reference to nothing, with the nearest thing declared
// and its place.
func (s *scope) undeclared(root, name string, known names, at hcl.Range, r *reporter) bool {
	if s.partial && root != "each" {
		return false
	}
	declared := sortedKeys(known.places)
	help := didYouMean(name, declared, "declared")
	var related []Related
	if near := nearest(name, declared); near != "" {
		help = fmt.Sprintf("did you mean %s.%s?", root, near)
		related = declaredAt(root+"."+near+" is declared here", known.places[near])
	}
	if help == "" {
		help = fmt.Sprintf("no %s is declared", known.what)
	}
	summary := fmt.Sprintf("%s %q is not declared", known.what, name)
	if root == "each" {
		summary = fmt.Sprintf("each has no %q", name)
	}
	r.error(codeReference, at, summary, help, related...)
	return false
}

// roots are the root names that can be written.
func (s *scope) roots() []string {
	return slices.DeleteFunc(sortedKeys(s.names), func(n string) bool { return n == "node.labels" })
}

// stepName is the name at a step of a traversal, whether written .name or
// ["name"]; empty where there is none.
func stepName(t hcl.Traversal, i int) string {
	if i >= len(t) {
		return ""
	}
	switch step := t[i].(type) {
	case hcl.TraverseAttr:
		return step.Name
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString()
		}
	}
	return ""
}

// explain reports what evaluation found. Several findings at one place have
// one cause.
func (s *scope) explain(diags hcl.Diagnostics, r *reporter) {
	seen := map[hcl.Pos]bool{}
	for _, d := range diags {
		at := subject(d)
		if d.Severity != hcl.DiagError || seen[at.Start] {
			continue
		}
		seen[at.Start] = true
		call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
		unknown, isUnknown := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d)
		switch {
		case touchesSecret(d):
			r.error(codeSealed, at, "a secret cannot be put into text, nor be worked with", "seal the whole text, such as all of a header, and name it as a whole: secret.NAME")
		case isUnknown && d.Summary == "Call to unknown function":
			s.unknownFunction(unknown.CalledFunctionName(), at, r)
		case ok && call.FunctionCallError() != nil:
			err := call.FunctionCallError()
			code := codeCall
			if err.Error() == errEscape.Error() { // an argument's error hides what it wraps
				code = codeEscape
			}
			r.error(code, at, fmt.Sprintf("function %q failed", call.CalledFunctionName()), sentence(err.Error()))
		case ok && call.CalledFunctionName() != "" || strings.HasSuffix(d.Summary, "function arguments"):
			r.error(codeCall, at, sentence(d.Summary), sentence(d.Detail))
		case strings.Contains(d.Detail, errZero.Error()):
			r.error(codeExpression, at, errZero.Error(), "see to it that what is behind the / or the % is never zero")
		default:
			r.error(codeExpression, at, sentence(d.Summary), sentence(d.Detail))
		}
	}
}

// references are what expressions can name, for the reference page.
func references() []ReferenceSchema {
	return []ReferenceSchema{
		{"var.NAME", "a variable"},
		{"local.NAME", "a value of locals"},
		{"node.name", "the name of the node that reads this"},
		{"node.labels.KEY", "a label of the node that reads this; null where only other nodes have it"},
		{"node.NAME.labels.KEY", "a label of the node of that name"},
		{"app.NAME", "another app: app.NAME.name and app.NAME.address; in a check, app is every app of the node"},
		{"credential.NAME", "in tls of edge: a file that the node was given by `--credential NAME=PATH`; the name as text means the same"},
		{"secret.NAME", "in env and in headers of egress, in oauth and in mail: a secret"},
		{"group.NAME, role.NAME", "in lists of people: a group, a role"},
		{"each.key, each.value", "in an app with for_each: the element that this instance is for"},
	}
}
