package spec

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

func accessBlock() Block {
	return Block{
		Name: "access", Since: "0.5.0",
		Doc: "Who may pass the app's gate, on some of its paths. Of several blocks the first whose path matches decides. " +
			"An app without any is public; in one that has some, a path that no block is for is open to the owner, and to whom a grant gives it, alone.",
		Example: "access {\n  path  = \"/public/*\"\n  allow = [\"anyone\"]\n}",
		Attributes: []Attribute{
			{Name: "path", Type: TypeString, Default: `"/*"`, Doc: "`\"/path\"`, or `\"/path/*\"` for all below it and itself", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "allow", Type: TypeStrings, Required: true, Doc: "who passes: `\"anyone\"`, `\"signed-in\"`, roles such as role.editor, groups, addresses and domains as in members; an empty list is the owner alone", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
		},
	}
}

// access reads an app's access blocks in their order.
func (l *load) access(app *decoded, r *reporter) []Access {
	var list []Access
	var before []*decoded
	for _, d := range app.blocks {
		if d.block.Type != "access" {
			continue
		}
		a := Access{Path: d.string("path"), Allow: l.subjects(d, "allow", guests(), r)}
		if _, given := d.values["path"]; given {
			if fault := gatePathFault(a.Path); fault != "" {
				r.error(codeValue, d.at("path"), fmt.Sprintf("%s is not a path: %s", quoted(a.Path), fault), `write it as "/drafts/*" or "/me"`)
			}
		}
		drop(&a.Path, "/*")
		for i, earlier := range list {
			if earlier.hides(a) {
				r.warn(codeNeverReached, d.block.Place, fmt.Sprintf("this access block is never reached: %q was there before", shownPath(earlier.Path)), "the first block whose path matches decides; move it up, or remove it",
					declaredAt("this one wins", before[i].block.Place)...)
				break
			}
		}
		list, before = append(list, a), append(before, d)
	}
	return list
}

// hides tells whether no request is left for a later block.
func (a Access) hides(later Access) bool {
	deep, ok := strings.CutSuffix(shownPath(a.Path), "*")
	other := strings.TrimSuffix(shownPath(later.Path), "*")
	return a.Path == later.Path || ok && (strings.HasPrefix(other, deep) || other+"/" == deep)
}

func shownPath(path string) string {
	if path == "" {
		return "/*"
	}
	return path
}

// accessValue are access blocks as checks see them.
func accessValue(list []Access) cty.Value {
	values := make([]cty.Value, len(list))
	for i, a := range list {
		values[i] = cty.ObjectVal(map[string]cty.Value{"path": cty.StringVal(shownPath(a.Path)), "allow": textList(a.Allow)})
	}
	return cty.TupleVal(values)
}
