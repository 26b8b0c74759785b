package plan

import (
	"strconv"
	"strings"
)

// binding writes what becomes of one thing that an app's code has.
func (t *textView) binding(b Binding) {
	head := "      " + t.paint(colourOf(b.Action), b.Action.Symbol()) + " " + clean(string(b.Addr))
	data := strings.Split(clean(b.Data), "; ")
	if b.Data != "" && len(data) == 1 {
		head += "  " + data[0]
	}
	t.line("%s", head)
	if len(data) > 1 {
		for _, sentence := range data {
			t.line("          %s", sentence)
		}
	}
	if m := b.Migrations; m != nil {
		t.line("          %-10s %s", "files", t.sets([]string{"+", "~", "-"}, [][]string{m.Pending, m.Changed, m.Removed}))
	}
	if b.Action == Delete && !t.options.Full {
		return
	}
	width := nameWidth(b.Fields)
	for _, f := range b.Fields {
		t.line("          %-*s %s", width, clean(f.Path), t.difference(f))
	}
}

// files writes what differs in an app's content.
func (t *textView) files(c Change, what string, f Files, width int) {
	if t.options.Files || t.options.Full {
		t.line("      %-*s %s", width, what, fileTotals(f))
		for i, set := range []FileSet{f.Added, f.Changed, f.Removed} {
			for _, name := range set.Paths {
				t.line("        %s %s", t.paint(signColour("+~-"[i:i+1]), "+~-"[i:i+1]), clean(name))
			}
		}
		return
	}
	switch {
	case c.Action == Create || c.Action.Removes():
		t.line("      %-*s %s", width, what, fileTotals(f))
	default:
		t.line("      %-*s %s", width, what,
			t.sets([]string{"+", "~", "-"}, [][]string{f.Added.Paths, f.Changed.Paths, f.Removed.Paths}))
	}
}

// fileTotals is numbers and sizes: "12 files, 340 KB".
func fileTotals(f Files) string {
	n := f.Added.Count + f.Changed.Count + f.Removed.Count
	bytes := f.Added.Bytes + f.Changed.Bytes + f.Removed.Bytes
	return plural(n, "file") + ", " + sizeText(bytes)
}

// sets writes names behind their signs, the first few of each.
func (t *textView) sets(signs []string, names [][]string) string {
	var parts []string
	for i, list := range names {
		if len(list) == 0 {
			continue
		}
		shown := list
		if !t.options.Full && len(list) > namesShown {
			shown = list[:namesShown]
		}
		text := clean(strings.Join(shown, ", "))
		if more := len(list) - len(shown); more > 0 {
			text += " and " + strconv.Itoa(more) + " more"
		}
		parts = append(parts, t.paint(signColour(signs[i]), signs[i])+" "+text)
	}
	return strings.Join(parts, "  ")
}
