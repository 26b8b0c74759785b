package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// whom says which subjects may stand in a list.
type whom struct {
	people, groups, roles bool
	everybody             bool // anyone, signed-in
}

// Who may be a member, pass a gate, and be asked for more than one proof. A role
// is no member: what it grants would go to people whom its own block does not name.
func members() whom { return whom{people: true, groups: true} }
func holders() whom { return whom{roles: true} }
func guests() whom  { return whom{people: true, groups: true, roles: true, everybody: true} }

// namePeople makes groups and roles known by name. What they are as values are
// their subjects: nobody needs to know who belongs to them.
func (l *load) namePeople(groups, roles []*block) {
	l.declare("group", "group", groups)
	l.declare("role", "role", roles)
	if l.shared.names["role"].places[RoleOwner] == (hcl.Range{}) {
		l.shared.names["role"].places[RoleOwner] = hcl.Range{} // is there undeclared
	}
	for _, root := range peopleRoots() {
		subjects := map[string]cty.Value{}
		for name := range l.shared.names[root].places {
			subjects[name] = cty.StringVal(root + ":" + name)
		}
		l.shared.people[root] = cty.ObjectVal(subjects)
	}
}

// peopleRoots are the root names of what people belong to.
func peopleRoots() []string { return []string{"group", "role"} }

// subjects is an argument that lists people, in canonical form: sorted, each once.
func (l *load) subjects(d *decoded, name string, may whom, r *reporter) []string {
	list, _ := d.values[name].([]string)
	found := make([]string, 0, len(list))
	for i, text := range list {
		subject, fault := l.subject(text, may)
		if fault != nil {
			r.error(fault.code, d.spot(name).index(i).at(), fault.summary, fault.detail, fault.related...)
			continue
		}
		found = append(found, subject)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// wrong is why a text is not what was asked for.
type wrong struct {
	code, summary, detail string
	related               []Related
}

// subject is the canonical form of one.
func (l *load) subject(text string, may whom) (string, *wrong) {
	kind, name, _ := strings.Cut(text, ":")
	switch {
	case text == SubjectAnyone || text == SubjectSignedIn:
		if may.everybody {
			return text, nil
		}
		return "", &wrong{code: codeValue, summary: fmt.Sprintf("%q cannot stand here", text), detail: "it belongs into allow of access"}
	case kind == "group" && may.groups, kind == "role" && may.roles:
		return text, l.unknownPeople(kind, name)
	case kind == "role" && may.groups:
		return "", &wrong{code: codeValue, summary: fmt.Sprintf("%s cannot be a member", quoted(text)), detail: "put its members into a group, and name that in both"}
	case !may.people:
		return "", &wrong{code: codeValue, summary: fmt.Sprintf("%s is not a role", quoted(text)), detail: "write role.owner, or another role that is declared"}
	case kind == "domain":
		host, err := ParseHost(name)
		if err != nil {
			return "", &wrong{code: codeHost, summary: fmt.Sprintf("%s is not a domain: %s", quoted(name), sentence(err.Error())), detail: `write it as "domain:example.com"`}
		}
		return "domain:" + host, nil
	case strings.Contains(text, "@"):
		if email, ok := parseEmail(text); ok {
			return email, nil
		}
		return "", &wrong{code: codeValue, summary: fmt.Sprintf("%s is not an e-mail address", quoted(text)), detail: `write it as "ana@example.com"`}
	}
	return "", &wrong{code: codeValue, summary: fmt.Sprintf("%s is nobody whom a rule can name", quoted(text)), detail: subjectHelp(text, may)}
}

func subjectHelp(text string, may whom) string {
	forms := []string{`"ana@example.com"`, `"domain:example.com"`, "group.NAME"}
	if may.everybody {
		forms = append(forms, "role.NAME", `"anyone"`, `"signed-in"`)
		if near := nearest(text, []string{SubjectAnyone, SubjectSignedIn}); near != "" {
			return fmt.Sprintf("did you mean %q?", near)
		}
	}
	return "write " + strings.Join(forms, ", ")
}

// unknownPeople is why a group or a role cannot be named: it is not declared.
func (l *load) unknownPeople(kind, name string) *wrong {
	known := l.shared.names[kind].places
	if _, declared := known[name]; declared || l.partial {
		return nil
	}
	w := &wrong{code: codeReference, summary: fmt.Sprintf("%s %q is not declared", kind, name)}
	names := sortedKeys(known)
	if near := nearest(name, names); near != "" {
		w.detail = fmt.Sprintf("did you mean %s.%s?", kind, near)
		w.related = declaredAt(kind+"."+near+" is declared here", known[near])
		return w
	}
	w.detail = cmp.Or(didYouMean(name, names, "declared"), fmt.Sprintf("no %s is declared", kind))
	return w
}

// parseEmail is the canonical form of an address, by which people are known: two
// spellings of one are the same person.
func parseEmail(text string) (string, bool) {
	if !isEmail(text) || len(text) > maxEmail {
		return "", false
	}
	at := strings.LastIndexByte(text, '@')
	host, err := ParseHost(text[at+1:])
	return strings.ToLower(text[:at]) + "@" + host, err == nil
}

// maxEmail is how many characters an address may have, as mail servers have it.
const maxEmail = 254
