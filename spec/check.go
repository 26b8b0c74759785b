package spec

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// checkBlock is the row of a condition on the whole configuration.
func checkBlock() Block {
	return Block{
		Name:    "check",
		Labels:  []string{"name"},
		Doc:     "A condition that the whole configuration must meet; a revision that does not is refused. In it `app` is every app of the node by its name, with the attributes name, address, content, hosts, spa, redirects, headers, enabled, protect and limits, in which sizes are bytes, times seconds and what is not set null.",
		Example: "check \"no_wildcards\" {\n  assert  = alltrue([for a in app : !contains(a.hosts, \"*.example.com\")])\n  message = \"wildcards are for previews only\"\n}",
		Since:   "0.1.0",
		Attributes: []Attribute{
			{Name: "assert", Type: TypeExpression, Required: true, Doc: "must be true", Since: "0.1.0"},
			{Name: "message", Type: TypeString, Required: true, Doc: "what a person reads when it is not", Since: "0.1.0"},
		},
	}
}

// judgeChecks evaluates every check block. Under another fault of the revision
// the collection of apps is not complete, and only their shape is judged.
func (l *load) judgeChecks() {
	complete := !l.report.failed()
	apps := sync.OnceValue(func() []Object { return l.known.Apps(l.result()) })
	for _, b := range l.shared.checks {
		l.check(b, apps, complete)
	}
}

// check evaluates one check block over the apps of the node.
func (l *load) check(b *block, apps func() []Object, complete bool) {
	l.at(Alone, rangeOf(b.name()))
	r := l.report.about("", b.written())
	defer l.keep(r)
	s := l.fullScope(l.shared.reader)
	defer func() { l.shared.namesApps = l.shared.namesApps || len(s.appRefs) > 0 }()
	d := l.shape(b, r)
	row, _ := l.lang.block("check")
	for _, a := range row.Attributes {
		d.evaluate(a, s, r)
	}
	assert := d.attrs["assert"]
	if assert == nil || !complete {
		return
	}
	if usesApps(assert.Expr) {
		l.shared.namesApps = true
		s = s.with("app", namesOf(apps()), appsRef(apps()))
	}
	v, ok := s.value(assert.Expr, r)
	if !ok {
		return
	}
	holds, ok := decodeBool(Attribute{Type: TypeBool}, v, d.spot("assert"), r)
	if !ok || holds.(bool) || r.failed() {
		return
	}
	r.error(codeCheck, assert.Expr.Range(), fmt.Sprintf("check %q failed: %s", b.label(), d.string("message")), "")
}

// usesApps tells whether an expression needs the collection of all apps.
func usesApps(expr hcl.Expression) bool {
	for _, t := range expr.Variables() {
		if t.RootName() == "app" {
			return true
		}
	}
	return false
}

// namesOf are the apps that a check can name.
func namesOf(apps []Object) names {
	n := names{what: "app", whole: true, places: map[string]hcl.Range{}}
	for _, o := range apps {
		n.places[o.Name] = hclRange(o.Range)
	}
	return n
}

// appsRef is the collection of all apps as a value, by name.
func appsRef(apps []Object) cty.Value {
	v := make(map[string]cty.Value, len(apps))
	for _, o := range apps {
		var a App
		if json.Unmarshal(o.Spec, &a) == nil {
			v[o.Name] = a.value(o)
		}
	}
	return cty.ObjectVal(v)
}

// value is one app as checks see it.
func (a App) value(o Object) cty.Value {
	redirects := make([]cty.Value, len(a.Redirects))
	for i, r := range a.Redirects {
		redirects[i] = cty.ObjectVal(map[string]cty.Value{
			"from": cty.StringVal(r.From), "to": cty.StringVal(r.To),
			"status": cty.NumberIntVal(int64(r.Status)), "force": cty.BoolVal(r.Force),
		})
	}
	headers := make([]cty.Value, len(a.Headers))
	for i, h := range a.Headers {
		set := map[string]cty.Value{}
		for name, value := range h.Set {
			set[name] = cty.StringVal(value)
		}
		headers[i] = cty.ObjectVal(map[string]cty.Value{"path": cty.StringVal(h.Path), "set": cty.ObjectVal(set)})
	}
	hosts := make([]cty.Value, len(a.Hosts))
	for i, h := range a.Hosts {
		hosts[i] = cty.StringVal(h)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(o.Name), "address": cty.StringVal(string(o.Addr)),
		"content": cty.StringVal(a.Content), "hosts": cty.TupleVal(hosts), "spa": cty.BoolVal(a.Spa),
		"redirects": cty.TupleVal(redirects), "headers": cty.TupleVal(headers), "enabled": cty.BoolVal(!a.Disabled),
		"protect": cty.BoolVal(a.Protect), "limits": a.Limits.value(), "access": accessValue(a.Access),
	})
}
