package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// faztBlock is the row of the block that says which language it is written in.
func faztBlock() Block {
	return Block{
		Name:    "fazt",
		Doc:     "What holds for the whole configuration: the version of the language that it is written for, and who may open its secrets. A node whose language does not satisfy the version refuses the revision.",
		Example: "fazt { version = \">= 0.1\" }",
		Since:   "0.1.0",
		Once:    true,
		Attributes: []Attribute{
			{Name: "version", Type: TypeString, Doc: "constraints separated by commas: =, !=, >, >=, <, <=, ~> and a version", Example: `version = ">= 0.1, < 2.0"`, Since: "0.1.0"},
			{Name: "recipients", Type: TypeStrings, Doc: "public keys of the people who may open every secret, beside the nodes; `fazt secret` seals to them", Since: "0.4.0"},
		},
	}
}

// fazt judges the fazt block against the language version.
func (l *load) fazt(b *block) {
	r := l.report.about("", b.written())
	defer l.keep(r)
	d := l.decodeBlock(b, l.plainScope(), r)
	people, _ := d.values["recipients"].([]string)
	for i, key := range people {
		recipient(key, d.spot("recipients").index(i), r)
	}
	text, set := d.values["version"].(string)
	if !set {
		return
	}
	ok, err := satisfies(LanguageVersion, text)
	switch {
	case err != nil:
		r.error(codeValue, d.at("version"), err.Error(), `write it as ">= 0.1" or "~> 0.1"`)
	case !ok:
		r.error(codeVersion, d.at("version"), fmt.Sprintf("this fazt speaks version %s of the language, not %s", LanguageVersion, text), "install a fazt that satisfies it, or change the constraint")
	}
}

// satisfies tells whether a version meets every constraint of a list.
func satisfies(version, constraints string) (bool, error) {
	have, _, err := parseVersion(version)
	if err != nil {
		return false, err
	}
	all := true
	for _, c := range strings.Split(constraints, ",") {
		c = strings.TrimSpace(c)
		op := c[:len(c)-len(strings.TrimLeft(c, "=!<>~"))]
		want, parts, err := parseVersion(strings.TrimSpace(c[len(op):]))
		if err != nil {
			return false, err
		}
		ok, err := compareVersions(have, op, want, parts)
		if err != nil {
			return false, err
		}
		all = all && ok
	}
	return all, nil
}

func compareVersions(have [3]int, op string, want [3]int, parts int) (bool, error) {
	order := 0
	for i := range have {
		if order == 0 {
			order = have[i] - want[i]
		}
	}
	switch op {
	case "", "=":
		return order == 0, nil
	case "!=":
		return order != 0, nil
	case ">":
		return order > 0, nil
	case ">=":
		return order >= 0, nil
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case "~>": // the last part given may grow
		same := have[0] == want[0] && (parts < 3 || have[1] == want[1])
		return order >= 0 && same, nil
	}
	return false, fmt.Errorf("%q is not a comparison of versions", op)
}

// parseVersion reads one to three numbers and how many there were.
func parseVersion(s string) (v [3]int, parts int, err error) {
	fields := strings.Split(s, ".")
	if len(fields) > 3 {
		return v, 0, fmt.Errorf("%q is not a version", s)
	}
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			return v, 0, fmt.Errorf("%q is not a version", s)
		}
		v[i] = int(n)
	}
	return v, len(fields), nil
}
