package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// shifts tells who gains and who loses access by what is carried out. A node that
// has nothing yet has nothing to lose: its first plan tells of nobody.
func (d *differ) shifts(wanted []spec.Object) []access.Shift {
	if len(d.actual) == 0 {
		return nil
	}
	return access.Compare(d.actual, wanted)
}

// accessRefusal is why a folder is not applied by which people gain access: who
// applies it says that it is meant. A commit that a node follows was said so
// when it was reviewed.
func (d *differ) accessRefusal(shifts []access.Shift) *Refusal {
	gains := slices.DeleteFunc(slices.Clone(shifts), func(s access.Shift) bool { return !s.Gains })
	if len(gains) == 0 || d.in.AllowAccess || !strings.HasPrefix(d.in.Revision, "dir:") {
		return nil
	}
	return &Refusal{
		Code:    RefusedAccess,
		Message: "people gain access: " + someOf(people(gains)),
		Hint:    "if that is meant, apply it with --allow-access",
	}
}

// people are the subjects of shifts, each once.
func people(shifts []access.Shift) []string {
	var names []string
	for _, s := range shifts {
		if !slices.Contains(names, s.Subject) {
			names = append(names, s.Subject)
		}
	}
	return names
}

// reach is what one subject gains or loses, as it is shown: a resource with all
// its actions.
type reach struct {
	subject, on, when string
	gains             bool
	actions           []string
}

// reaches joins shifts that differ in the action alone.
func reaches(shifts []access.Shift) (list []reach) {
	for _, s := range shifts {
		r := reach{subject: s.Subject, on: s.On, gains: s.Gains, when: times(s)}
		i := slices.IndexFunc(list, func(x reach) bool {
			return x.subject == r.subject && x.on == r.on && x.gains == r.gains && x.when == r.when
		})
		if i < 0 {
			list, i = append(list, r), len(list)
		}
		list[i].actions = append(list[i].actions, s.Action)
	}
	slices.SortStableFunc(list, func(a, b reach) int { return strings.Compare(a.subject, b.subject) })
	return list
}

// times says when a shift holds, empty for at once and for good.
func times(s access.Shift) string {
	var parts []string
	if s.From != "" {
		parts = append(parts, "from "+s.From)
	}
	if s.Until != "" {
		parts = append(parts, "until "+s.Until)
	}
	return strings.Join(parts, " ")
}

// String is the reach as a line.
func (r reach) String() string {
	verb := "loses"
	if r.gains {
		verb = "gains"
	}
	line := fmt.Sprintf("%s %s %s on %s", r.subject, verb, strings.Join(r.actions, ", "), r.on)
	if r.when != "" {
		line += " " + r.when
	}
	return line
}

// access writes who gains and who loses, gains first in the eye by their sign.
func (t *textView) access(shifts []access.Shift) {
	if len(shifts) == 0 {
		return
	}
	t.line("  Access:")
	list := reaches(shifts)
	shown := list
	if !t.options.Full && len(list) > foldAfter {
		shown = list[:foldAfter]
	}
	for _, r := range shown {
		sign, colour := "-", yellow
		if r.gains {
			sign, colour = "!", red
		}
		t.line("      %s %s", t.paint(colour, sign), clean(r.String()))
	}
	if more := len(list) - len(shown); more > 0 {
		t.line("      ... %d more (--full shows them)", more)
	}
	t.line("")
}

// access lists who gains and who loses.
func (m *markdown) access(shifts []access.Shift) {
	left := 0
	for _, r := range reaches(shifts) {
		word := "loses access"
		if r.gains {
			word = "**gains access**"
		}
		if !m.add(fmt.Sprintf("- %s %s\n", word, escape(r.String()))) {
			left++
		}
	}
	m.rest(left, "line about access")
	if len(shifts) > 0 {
		m.add("\n")
	}
}
