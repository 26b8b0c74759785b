package op

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Help writes help for the table, for a command, or for the commands that begin
// with words, at most width columns wide (0 is 80). It is a usage error to ask for
// help about words that name nothing.
func (l Listing) Help(w io.Writer, width int, words ...string) error {
	if width <= 0 {
		width = 80
	}
	h := manual{width: min(width, 100)}
	name := strings.Join(words, " ")
	var under []Entry
	for _, e := range l.Operations {
		if e.Name == name {
			h.entry(e)
			return h.flush(w)
		}
		if strings.HasPrefix(e.Name, name+" ") {
			under = append(under, e)
		}
	}
	switch {
	case name == "":
		h.overview(l)
	case len(under) > 0:
		peer := "[@peer] "
		if !slices.ContainsFunc(under, func(e Entry) bool { return !e.Local }) {
			peer = ""
		}
		h.printf("usage: fazt %s%s COMMAND\n\n", peer, name)
		h.list(under)
		h.printf("\nfazt help %s COMMAND says more\n", name)
	default:
		return l.noHelp(name)
	}
	return h.flush(w)
}

func (l Listing) noHelp(name string) error {
	var names []string
	for _, e := range l.Operations {
		names = append(names, e.Name)
	}
	if near := nearest(name, append(names, nouns(names)...)); near != "" {
		return usageHint("did you mean \"fazt help "+near+"\"?", "there is no command %s", quoted(name))
	}
	return usageHint("fazt help lists the commands", "there is no command %s", quoted(name))
}

// Help writes help of the table to w; see Listing.Help.
func (t Table) Help(w io.Writer, width int, words ...string) error {
	return t.Listing("").Help(w, width, words...)
}

// manual writes help into memory, so that half a page is never printed.
type manual struct {
	width int
	b     strings.Builder
}

func (h *manual) printf(format string, args ...any) { fmt.Fprintf(&h.b, format, args...) }

func (h *manual) flush(w io.Writer) error {
	_, err := io.WriteString(w, h.b.String())
	return err
}

func (h *manual) overview(l Listing) {
	h.printf("usage: fazt [@peer] COMMAND [arguments] [flags]\n")
	for _, g := range groups(l.Operations) {
		h.printf("\n%s\n", g.title)
		h.list(g.entries)
	}
	h.printf("\nglobal flags\n")
	var flags []Field
	for _, f := range globalFields() {
		flags = append(flags, f.describe())
	}
	h.flags(flags)
	h.printf("\nfazt help COMMAND says more about one command; @peer runs it on another node\n")
}

// group is entries under one heading.
type group struct {
	title   string
	entries []Entry
}

// groups sorts entries under the headings their rows name, else under their first
// word where several share it. Order is that of the table.
func groups(entries []Entry) []group {
	count := map[string]int{}
	for _, e := range entries {
		noun, _, _ := strings.Cut(e.Name, " ")
		count[noun]++
	}
	var out []group
	at := map[string]int{}
	for _, e := range entries {
		title := e.Group
		if noun, _, _ := strings.Cut(e.Name, " "); title == "" {
			title = "commands"
			if count[noun] > 1 {
				title = noun
			}
		}
		i, ok := at[title]
		if !ok {
			i = len(out)
			at[title] = i
			out = append(out, group{title: title})
		}
		out[i].entries = append(out[i].entries, e)
	}
	return out
}

// list writes one line per entry: what is typed, and the summary.
func (h *manual) list(entries []Entry) {
	left := make([]string, len(entries))
	for i, e := range entries {
		left[i] = e.Name
		for _, f := range e.Fields {
			if word := argumentWord(f); word != "" {
				left[i] += " " + word
			}
		}
	}
	for i, e := range entries {
		h.pair(left, i, e.Summary)
	}
}

// argumentWord is how a usage line shows a positional; empty for a flag.
func argumentWord(f Field) string {
	if !f.Argument {
		return ""
	}
	word := f.Value
	if f.Many {
		word += "..."
	}
	if !f.Required {
		word = "[" + word + "]"
	}
	return word
}

// entry writes the page of one command.
func (h *manual) entry(e Entry) {
	h.printf("%s\n\n", h.wrap(e.Summary, 0))
	h.printf("usage: %s\n", e.Usage)
	if e.Detail != "" {
		h.printf("\n%s\n", h.paragraphs(e.Detail))
	}
	h.fields("arguments", e.Fields, true)
	h.fields("flags", e.Fields, false)
	if len(e.Examples) > 0 {
		h.printf("\nexamples\n")
		for _, x := range e.Examples {
			h.printf("  fazt %s\n", x.Command)
			if x.Note != "" {
				h.printf("      %s\n", h.wrap(x.Note, 6))
			}
		}
	}
	if len(e.Exits) > 0 {
		h.printf("\nexit codes\n")
		codes := sortedExits(e.Exits)
		for i, code := range codes {
			h.pair(codes, i, e.Exits[code])
		}
	}
	if e.Path != "" {
		h.printf("\nalso: POST %s (%s)\n", e.Path, effectText(e))
	}
}

func effectText(e Entry) string {
	text := map[Effect]string{Read: "reads", Change: "changes the node", Destroy: "destroys"}[e.Effect]
	if e.Offline {
		text += ", needs no node"
	}
	return text
}

func (h *manual) fields(title string, fields []Field, arguments bool) {
	var shown []Field
	for _, f := range fields {
		if f.Argument == arguments && !f.Hidden && f.Flag != "" {
			shown = append(shown, f)
		}
	}
	if len(shown) == 0 {
		return
	}
	h.printf("\n%s\n", title)
	h.flags(shown)
}

func (h *manual) flags(fields []Field) {
	left := make([]string, len(fields))
	for i, f := range fields {
		left[i] = flagWord(f)
	}
	for i, f := range fields {
		help := f.Help
		if f.Default != "" && f.Default != "0s" && !strings.Contains(help, "default") {
			help += " (default " + f.Default + ")"
		}
		h.pair(left, i, help)
	}
}

// flagWord is how help shows a flag: "-q, --quiet", "    --limit N".
func flagWord(f Field) string {
	if f.Argument {
		return f.Value
	}
	word := "--" + f.Flag
	if f.Negated {
		word = "--[no-]" + f.Flag
	}
	if f.Short != "" {
		word = "-" + f.Short + ", " + word
	}
	if f.Value != "" {
		word += " " + f.Value
	}
	return word
}

// pair writes left[i] and its text beside it, the texts of all pairs aligned; a
// left side that is too long stands on a line of its own.
func (h *manual) pair(left []string, i int, text string) {
	const indent, most = 2, 30
	column := 0
	for _, word := range left {
		if n := utf8.RuneCountInString(word); n <= most {
			column = max(column, n)
		}
	}
	column += indent + gutter
	word := left[i]
	if text == "" {
		h.printf("  %s\n", word)
		return
	}
	fill := column - indent - utf8.RuneCountInString(word)
	if fill < gutter {
		h.printf("  %s\n%s%s\n", word, strings.Repeat(" ", column), h.wrap(text, column))
		return
	}
	h.printf("  %s%s%s\n", word, strings.Repeat(" ", fill), h.wrap(text, column))
}

// wrap breaks text into lines whose first begins at column and whose others are
// indented to it.
func (h *manual) wrap(text string, column int) string {
	var b strings.Builder
	at := column
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > h.width:
			b.WriteString("\n" + strings.Repeat(" ", column))
			at = column
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// paragraphs wraps text paragraph by paragraph; indented lines stay as they are.
func (h *manual) paragraphs(text string) string {
	var out []string
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(p, "  ") {
			out = append(out, p)
			continue
		}
		out = append(out, h.wrap(p, 0))
	}
	return strings.Join(out, "\n\n")
}
