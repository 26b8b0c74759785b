package plan

import (
	"fmt"
	"io"
	"strings"
)

// MarkdownLimit is the most characters WriteMarkdown writes: forges refuse
// comments of 65,536.
const MarkdownLimit = 60_000

// WriteMarkdown writes the plan for a comment on a change request: sums and
// risks first, details folded. Where it would pass MarkdownLimit it stops and
// says how much is left out.
func (p Plan) WriteMarkdown(w io.Writer) error {
	m := &markdown{room: MarkdownLimit - 400} // for what is said to be left out
	m.add("### " + code(p.Summary()) + "\n\n")
	m.add("Node " + code(p.Node) + ", revision " + code(shortRevision(p.Revision)) + ".\n\n")
	m.refused(p.Refused)
	m.access(p.Access)
	m.risks(p.Changes)
	m.stalled(p.Stalled)
	m.changes(p.Changes)
	_, err := io.WriteString(w, m.out.String())
	return err
}

// markdown is a comment being written.
type markdown struct {
	out  strings.Builder
	room int // characters left
}

// add writes a whole piece or nothing.
func (m *markdown) add(piece string) bool {
	n := len([]rune(piece))
	if n > m.room {
		return false
	}
	m.room -= n
	m.out.WriteString(piece)
	return true
}

// refused says why none of it will happen.
func (m *markdown) refused(r *Refusal) {
	if r == nil {
		return
	}
	piece := "**Refused**: " + escape(r.Message)
	if r.Hint != "" {
		piece += " (" + escape(r.Hint) + ")"
	}
	m.add(piece + "\n\n")
}

// risks lists every warning once, with the first change that has it.
func (m *markdown) risks(changes []Change) {
	said := map[string]bool{}
	left := 0
	for _, c := range inOrder(changes) {
		for _, r := range c.Risks {
			if said[r.Message] {
				continue
			}
			said[r.Message] = true
			if !m.add(fmt.Sprintf("- **%s** %s: %s\n", escape(string(r.Risk)), code(string(c.Addr)), escape(r.Message))) {
				left++
			}
		}
	}
	m.rest(left, "warning")
	if len(said) > 0 {
		m.add("\n")
	}
}

// stalled lists what could not be evaluated.
func (m *markdown) stalled(list []Stalled) {
	left, said := 0, map[string]bool{}
	for _, s := range list {
		piece := "- **stalled** " + code(string(s.Addr)) + " " + s.fate()
		all := findings(s.Diagnostics)
		if said[all] {
			piece += ", as above"
		} else if said[all] = all != ""; all != "" {
			piece += ": " + escape(diagnosticText(s.Diagnostics[0]))
		}
		if !m.add(piece + "\n") {
			left++
		}
	}
	m.rest(left, "stalled object")
	if len(list) > 0 {
		m.add("\n")
	}
}

// changes writes a table row's worth for each change, details folded.
func (m *markdown) changes(list []Change) {
	left := 0
	for _, c := range inOrder(list) {
		if left > 0 || !m.add(foldedChange(c)) {
			left++
		}
	}
	m.rest(left, "change")
}

// rest says what found no room; there is always room for it.
func (m *markdown) rest(n int, what string) {
	if n > 0 {
		m.out.WriteString("\n" + plural(n, what) + " not shown here; `fazt plan --full` shows all.\n")
		m.room -= 60
	}
}

// foldedChange is one change with its details behind a triangle.
func foldedChange(c Change) string {
	t := &textView{options: TextOptions{}, said: map[string]bool{}}
	t.change(c)
	sign := c.Action.Symbol()
	if !c.Open() {
		sign = "x"
	}
	head := html(sign + " " + string(c.Addr))
	body := strings.TrimRight(t.out.String(), "\n")
	fence := "```"
	for strings.Contains(body, fence) {
		fence += "`"
	}
	return "<details><summary><code>" + head + "</code> " + html(strings.ReplaceAll(string(c.Reason), "_", " ")) +
		"</summary>\n\n" + fence + "diff\n" + body + "\n" + fence + "\n</details>\n"
}

// code shows foreign text as it is, between as many backticks as it needs.
func code(s string) string {
	s = clean(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}

// escape keeps foreign text from being read as Markdown or HTML.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`,
		"@", "@\u200b", "<", "&lt;", ">", "&gt;", "&", "&amp;").Replace(clean(s))
}

// html keeps foreign text from being read as HTML.
func html(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@\u200b").Replace(clean(s))
}
