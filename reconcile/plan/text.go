package plan

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/spec"
)

// TextOptions is how WriteText shows a plan.
type TextOptions struct {
	Color bool     // ANSI colours; the signs carry the meaning without them
	Full  bool     // nothing folded: every change, attribute, file and finding
	Files bool     // every file name on a line of its own
	Title []string // lines put above: what was compared with what
}

// The measures of the text view.
const (
	placeColumn = 57 // where the second column begins, if it then ends in time
	lineWidth   = 80
	foldAfter   = 20 // quiet changes shown before the rest are only counted
	namesShown  = 3  // names in a row before the rest are only counted
	valueWidth  = 60 // characters of one value
)

// WriteText writes the plan for a person at a terminal: what hurts first and
// always whole, the sums last. It returns what the writer says.
func (p Plan) WriteText(w io.Writer, o TextOptions) error {
	t := &textView{options: o, said: map[string]bool{}}
	for _, line := range o.Title {
		t.line("%s", clean(line))
	}
	if len(o.Title) > 0 {
		t.line("")
	}
	t.changes(p.Changes)
	t.stalled(p.Stalled)
	t.access(p.Access)
	t.refused(p.Refused)
	t.line("%s", p.Summary())
	_, err := w.Write(t.out.Bytes())
	return err
}

// Summary is the plan in one line.
func (p Plan) Summary() string {
	if len(p.Changes) == 0 && len(p.Stalled) == 0 {
		checked := plural(p.Counts.Unchanged, "object") + " checked"
		if n := p.Counts.Unmanaged; n > 0 {
			checked += ", " + strconv.Itoa(n) + " unmanaged"
		}
		return fmt.Sprintf("No changes. %s matches %s (%s).", clean(p.Node), shortRevision(p.Revision), checked)
	}
	return "Plan " + clean(p.ID) + ": " + p.Counts.String()
}

// String is the sums in words. What is always asked for is always said.
func (n Counts) String() string {
	parts := []string{
		strconv.Itoa(n.Create) + " to create", strconv.Itoa(n.Update) + " to update",
		strconv.Itoa(n.Delete) + " to destroy",
	}
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, strconv.Itoa(n)+what)
		}
	}
	add(n.Replace, " to replace")
	add(n.Park, " to park")
	add(n.Move, " to move")
	add(n.Forget, " to forget")
	add(n.Adopt, " to adopt")
	parts = append(parts, strconv.Itoa(n.Unchanged)+" unchanged")
	add(n.Blocked, " blocked")
	add(n.Held, " held")
	add(n.Stalled, " stalled")
	add(n.Unmanaged, " unmanaged")
	if n.NewHosts > 0 {
		parts = append(parts, plural(n.NewHosts, "new certificate"))
	}
	return strings.Join(parts, ", ")
}

// textView is a plan being written.
type textView struct {
	options TextOptions
	out     bytes.Buffer
	said    map[string]bool // sentences of the whole plan, said once
}

func (t *textView) line(format string, args ...any) {
	fmt.Fprintf(&t.out, format, args...)
	t.out.WriteByte('\n')
}

// changes writes removals, then changes with a warning, then the quiet ones as
// far as there is room, then what is kept back.
func (t *textView) changes(list []Change) {
	quiet, folded := 0, Counts{}
	for _, c := range inOrder(list) {
		if weight(c) == weightQuiet {
			if quiet++; quiet > foldAfter && !t.options.Full {
				folded.count(c)
				continue
			}
		}
		t.change(c)
	}
	if n := folded.Create + folded.Update + folded.Move + folded.Forget + folded.Adopt; n > 0 {
		t.line("  ... %s more, none with a warning: %d to create, %d to update (--full shows them)",
			plural(n, "change"), folded.Create, folded.Update)
		t.line("")
	}
}

// The order of the text view.
const (
	weightRemoval = iota
	weightWarned
	weightQuiet
	weightKeptBack
)

func weight(c Change) int {
	switch {
	case !c.Open():
		return weightKeptBack
	case c.Action.Removes():
		return weightRemoval
	case c.Action == Forget || c.Risk == spec.RiskHigh || c.Risk == spec.RiskDestructive:
		return weightWarned
	default:
		return weightQuiet
	}
}

// inOrder sorts by weight, then as given: by address.
func inOrder(list []Change) []Change {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Change) int { return weight(a) - weight(b) })
	return list
}

// change writes one change: its head, what differs, and its warnings.
func (t *textView) change(c Change) {
	t.head(c)
	t.what(c)
	shown := c.Fields
	if !t.options.Full {
		shown = notable(c)
	}
	width := nameWidth(shown)
	for _, f := range shown {
		t.line("      %-*s %s", width, clean(f.Path), t.difference(f))
	}
	for _, b := range c.Bindings {
		t.binding(b)
	}
	if c.Files != nil {
		t.files(c, "files", *c.Files, width)
	}
	if c.Sources != nil {
		t.files(c, "sources", *c.Sources, width)
	}
	if hidden := len(c.Fields) - len(shown); hidden > 0 && c.Action == Create {
		t.line("      (%s more, --full shows them)", plural(hidden, "argument"))
	}
	for _, r := range c.Risks {
		if !t.said[r.Message] {
			t.said[r.Message] = true
			t.line("        %s", t.paint(red, "! "+clean(r.Message)))
		}
	}
	for _, by := range c.BlockedBy {
		t.line("        waits for %s, which keeps what it has", clean(string(by)))
	}
	if c.Resembles != "" {
		t.line("        looks like %s under a new name; to take its history along, add", clean(string(c.Resembles)))
		t.line("        moved { from = %s, to = %s }, an attribute a line", clean(string(c.Resembles)), clean(string(c.Addr)))
	}
	t.line("")
}

// what says in a line what happens, where the sign alone does not.
func (t *textView) what(c Change) {
	switch {
	case c.Protected:
		t.line("      kept back: %s, and it is protected", wouldBe(c.Action))
		if c.Action != Replace {
			t.line("        1. take protect off in one commit   2. remove the block in the next")
			t.line("        or keep it running unmanaged: fazt forget %s", clean(string(c.Addr)))
		}
	case c.Kept != nil:
		t.line("      kept back: %s", wouldBe(c.Action))
		t.line("        %s", clean(c.Kept.String()))
	case len(c.Waits) > 0:
		t.line("      kept back: %s", wouldBe(c.Action))
		t.line("        waits for %s: nothing is removed by a revision that cannot be read in full", clean(firstOf(c.Waits)))
	case !c.Open():
		t.line("      kept back: %s", wouldBe(c.Action))
	case c.Action == Park && c.Kind == spec.KindApp:
		t.line("      %s; goes to the trash", reasonText(c.Reason))
	case c.Action == Forget:
		t.line("      %s; stays in service, unmanaged", reasonText(c.Reason))
	case c.Action.Removes(), c.Action == Adopt, c.Reason == DataRestored:
		t.line("      %s", reasonText(c.Reason))
	case c.Action == Move:
		t.line("      was %s", clean(string(c.From)))
	}
}

// head writes sign, address and, to the right, where to look.
func (t *textView) head(c Change) {
	sign, colour := c.Action.Symbol(), colourOf(c.Action)
	if !c.Open() {
		sign, colour = "x", red
	}
	left := "  " + t.paint(colour, sign) + " " + clean(string(c.Addr))
	right := whereText(c)
	if right == "" {
		t.line("%s", left)
		return
	}
	begun := utf8.RuneCountInString("  " + sign + " " + clean(string(c.Addr)))
	gap := max(2, min(placeColumn, lineWidth-utf8.RuneCountInString(right))-begun)
	t.line("%s%s%s", left, strings.Repeat(" ", gap), t.paint(dim, right))
}

// whereText is the host of a new app, else the place in the configuration.
func whereText(c Change) string {
	if c.Action == Create || c.Action.Removes() {
		for _, f := range c.Fields {
			if list := slices.Concat(stringList(f.Before), stringList(f.After)); f.Path == "hosts" && len(list) > 0 {
				return clean(list[0])
			}
		}
	}
	if c.Range == nil {
		return ""
	}
	return clean(c.Range.Filename) + ":" + strconv.Itoa(c.Range.Start.Line)
}

// notable leaves out what a reader knows already: everything of what goes, and
// the one host of a new app, which stands in the head.
func notable(c Change) []Field {
	if c.Action == Delete || c.Action == Park {
		return nil
	}
	var list []Field
	for _, f := range c.Fields {
		if c.Action == Create && f.Path == "hosts" && len(stringList(f.After)) == 1 {
			continue
		}
		list = append(list, f)
	}
	return list
}

// nameWidth is the width of the column of names.
func nameWidth(list []Field) int {
	width := 10
	for _, f := range list {
		width = max(width, min(26, utf8.RuneCountInString(f.Path)))
	}
	return width
}

// difference is what becomes of one attribute.
func (t *textView) difference(f Field) string {
	before, after := showValue(f.Before, t.options.Full), showValue(f.After, t.options.Full)
	switch {
	case f.Sensitive:
		return "changed (value not shown)"
	case f.Ciphertext && before == after:
		return "= " + after + " (ciphertext changed)"
	case len(f.Before) == 0:
		return "= " + after
	case len(f.After) == 0:
		return t.paint(red, "- ") + before
	}
	added, removed := listChange(f)
	if len(added)+len(removed) == 0 {
		return "= " + before + " -> " + after
	}
	return t.sets([]string{"+", "-"}, [][]string{added, removed})
}

// fate is what becomes of it.
func (s Stalled) fate() string {
	if s.New {
		return "is left out"
	}
	return "keeps what it has"
}

// stalled writes what could not be evaluated, with its first finding.
func (t *textView) stalled(list []Stalled) {
	for _, s := range list {
		head := fmt.Sprintf("  %s %s  stalled: it %s", t.paint(red, "!"), clean(string(s.Addr)), s.fate())
		all := findings(s.Diagnostics)
		if t.said[all] { // one mistake that many apps share is told once
			t.line("%s, as above", head)
			t.line("")
			continue
		}
		t.said[all] = all != ""
		t.line("%s", head)
		shown := s.Diagnostics
		if !t.options.Full && len(shown) > 1 {
			shown = shown[:1]
		}
		for _, d := range shown {
			t.line("      %s", diagnosticText(d))
		}
		if more := len(s.Diagnostics) - len(shown); more > 0 {
			t.line("      and %s more", plural(more, "finding"))
		}
		t.line("")
	}
}

// refused writes why none of it will happen.
func (t *textView) refused(r *Refusal) {
	if r == nil {
		return
	}
	t.line("  %s refused: %s", t.paint(red, "!"), clean(r.Message))
	if r.Hint != "" {
		t.line("      %s", clean(r.Hint))
	}
	t.line("")
}

// The colours of the text view: the number of the ANSI attribute.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

// paint colours a text where colours are wanted.
func (t *textView) paint(colour, s string) string {
	if !t.options.Color {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

func colourOf(a Action) string {
	switch {
	case a.Removes():
		return red
	case a == Create || a == Adopt:
		return green
	default:
		return yellow
	}
}

func signColour(sign string) string {
	switch sign {
	case "+":
		return green
	case "-":
		return red
	default:
		return yellow
	}
}
