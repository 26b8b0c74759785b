package spec

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// TextOptions say how findings are written for a person.
type TextOptions struct {
	Color bool // ANSI colours; carets and words carry the meaning without them
	Max   int  // how many are shown before the rest is only counted; 0 is 20
}

const (
	defaultShown = 20
	tabStop      = 4 // columns a tab moves to, in what we print
)

// Error returns the first finding in one line, and how many more there are.
func (d Diagnostics) Error() string {
	errors := d.Errors()
	if len(errors) == 0 {
		return "no errors"
	}
	first := errors[0]
	text := escape(first.Summary)
	if first.Range != nil {
		text = place(*first.Range) + ": " + text
	}
	text += " [" + first.Code + "]"
	if more := len(errors) - 1; more > 0 {
		text += fmt.Sprintf(" (and %s)", count(more, "more error"))
	}
	return text
}

// HasErrors tells whether any finding is an error and not a warning.
func (d Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(d, isError)
}

// Errors returns the findings that are errors, in order.
func (d Diagnostics) Errors() Diagnostics {
	var out Diagnostics
	for _, one := range d {
		if isError(one) {
			out = append(out, one)
		}
	}
	return out
}

func isError(d Diagnostic) bool { return d.Severity == Error }

// Sort orders findings in place by file, line and code, keeps the order of
// those that are equal in that, and returns them. Findings without a place come
// first.
func (d Diagnostics) Sort() Diagnostics {
	slices.SortStableFunc(d, func(a, b Diagnostic) int {
		pa, pb := a.position(), b.position()
		return cmp.Or(
			cmp.Compare(pa.Filename, pb.Filename),
			cmp.Compare(pa.Start.Line, pb.Start.Line),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(pa.Start.Column, pb.Start.Column),
			cmp.Compare(a.Address, b.Address),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	return d
}

func (d Diagnostic) position() Range {
	if d.Range == nil {
		return Range{}
	}
	return *d.Range
}

// Summary counts the findings in words, "1 error in 1 of 3 files"; files is how
// many configuration files were read.
func (d Diagnostics) Summary(files int) string {
	errors, places := 0, map[string]bool{}
	for _, one := range d {
		if isError(one) {
			errors++
		}
		if one.Range != nil {
			places[one.Range.Filename] = true
		}
	}
	text := counts(errors, len(d)-errors)
	if len(places) > 0 && len(places) <= files {
		text += fmt.Sprintf(" in %d of %s", len(places), count(files, "file"))
	}
	return text
}

// counts says "2 errors, 1 warning" and leaves out what there is none of.
func counts(errors, warnings int) string {
	switch {
	case warnings == 0:
		return count(errors, "error")
	case errors == 0:
		return count(warnings, "warning")
	default:
		return count(errors, "error") + ", " + count(warnings, "warning")
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// WriteText writes the findings for a person, with the source line and a caret
// under what is meant, and a count of those that are not shown. Text that comes
// from the configuration is escaped, so it cannot steer a terminal. Write
// errors are dropped, as for fmt.Println.
func (d Diagnostics) WriteText(w io.Writer, o TextOptions) {
	limit := o.Max
	if limit <= 0 {
		limit = defaultShown
	}
	t := textWriter{paint: painter(o.Color)}
	for i, one := range d {
		if i == limit {
			t.rest(d[limit:])
			break
		}
		if i > 0 {
			t.out.WriteByte('\n')
		}
		t.diagnostic(one)
	}
	_, _ = io.WriteString(w, t.out.String())
}

// textWriter collects the text of one call.
type textWriter struct {
	out   strings.Builder
	paint func(style, text string) string
}

// The styles of the text form, as ANSI parameters.
const (
	styleError   = "1;31"
	styleWarning = "1;33"
	styleGutter  = "34"
	styleStrong  = "1"
)

func painter(color bool) func(style, text string) string {
	if !color {
		return func(_, text string) string { return text }
	}
	return func(style, text string) string { return "\x1b[" + style + "m" + text + "\x1b[0m" }
}

func (t *textWriter) rest(rest Diagnostics) {
	errors := len(rest.Errors())
	fmt.Fprintf(&t.out, "\n%s not shown\n", counts(errors, len(rest)-errors))
}

func (t *textWriter) diagnostic(d Diagnostic) {
	style := styleError
	if !isError(d) {
		style = styleWarning
	}
	head := string(d.Severity)
	if d.Code != "" {
		head += "[" + d.Code + "]"
	}
	t.out.WriteString(t.paint(style, escape(head)) + t.paint(styleStrong, ": "+escape(d.Summary)) + "\n")
	indent := strings.Repeat(" ", gutter(d)+2)
	if d.Range != nil {
		t.out.WriteString(indent[1:] + t.paint(styleGutter, "-->") + " " + place(*d.Range) + "\n")
	}
	if d.Snippet != nil {
		t.snippet(*d.Snippet, indent, style)
	}
	for _, r := range d.Related {
		t.note(indent, "note", place(r.Range)+": "+escape(r.Message))
	}
	if d.Detail != "" {
		t.note(indent, "help", escapeLines(d.Detail))
	}
	if _, explained := Explain(d.Code); explained {
		t.note(indent, "more", "fazt explain "+escape(d.Code))
	}
}

// note writes one "= word: text" line; further lines of text line up below the
// first.
func (t *textWriter) note(indent, word, text string) {
	under := "\n" + indent + strings.Repeat(" ", len("= ")+len(word)+len(": "))
	t.out.WriteString(indent + t.paint(styleGutter, "=") + " " + t.paint(styleStrong, word+":") + " " +
		strings.ReplaceAll(text, "\n", under) + "\n")
}

// gutter is the width of the longest line number that is shown.
func gutter(d Diagnostic) int {
	if d.Snippet == nil {
		return 1
	}
	last := d.Snippet.StartLine + strings.Count(strings.TrimSuffix(d.Snippet.Code, "\n"), "\n")
	return len(strconv.Itoa(last))
}

// snippet writes the source lines, and carets below the marked part of each.
func (t *textWriter) snippet(s Snippet, indent, style string) {
	t.out.WriteString(indent + t.paint(styleGutter, "|") + "\n")
	offset := 0
	for i, line := range strings.Split(strings.TrimSuffix(s.Code, "\n"), "\n") {
		number := fmt.Sprintf("%*d |", len(indent)-1, s.StartLine+i)
		shown, _ := display(line)
		t.out.WriteString(t.paint(styleGutter, number) + pad(shown) + "\n")
		if marks := carets(line, s.Start-offset, s.End-offset); marks != "" {
			t.out.WriteString(indent + t.paint(styleGutter, "|") + " " + t.paint(style, marks) + "\n")
		}
		offset += len(line) + 1
	}
}

// pad puts a space before a line of source, and nothing before an empty one, so
// that no line ends in a space.
func pad(line string) string {
	line = strings.TrimRight(line, " ")
	if line == "" {
		return ""
	}
	return " " + line
}

// carets returns the marks that go under line for the bytes from start to end
// of it, empty if the range does not touch the line. A range of no width gets
// one caret.
func carets(line string, start, end int) string {
	if start > len(line) || end < 0 || (start < 0 && end == 0) {
		return ""
	}
	start, end = max(start, 0), min(max(end, start), len(line))
	_, before := display(line[:start])
	_, until := display(line[:end])
	return strings.Repeat(" ", before) + strings.Repeat("^", max(until-before, 1))
}

// display returns text as it is printed and how many columns it takes: tabs
// become spaces, what cannot be seen becomes its escape.
func display(text string) (string, int) {
	var out strings.Builder
	columns := 0
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == '\t':
			n := tabStop - columns%tabStop
			out.WriteString(strings.Repeat(" ", n))
			columns += n
		case hidden(r, size):
			n, _ := out.WriteString(escapeRune(r, text[:size]))
			columns += n
		default:
			out.WriteString(text[:size])
			columns += columnsOf(r)
		}
		text = text[size:]
	}
	return out.String(), columns
}

// columnsOf returns how many terminal cells a character takes.
func columnsOf(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// hidden tells whether a character must not reach a terminal as it is: control
// characters steer it, bidirectional and other format characters make text look
// like what it is not, and a broken byte is no character.
func hidden(r rune, size int) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return (r == utf8.RuneError && size == 1) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func escapeRune(r rune, raw string) string {
	if r == utf8.RuneError && len(raw) == 1 {
		return fmt.Sprintf(`\x%02x`, raw[0])
	}
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}

// escape makes text safe to print on one line.
func escape(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if hidden(r, size) {
			out.WriteString(escapeRune(r, text[:size]))
		} else {
			out.WriteString(text[:size])
		}
		text = text[size:]
	}
	return out.String()
}

// escapeLines is escape for text of several lines.
func escapeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = escape(lines[i])
	}
	return strings.Join(lines, "\n")
}

// place writes a range as file:line:column.
func place(r Range) string {
	return fmt.Sprintf("%s:%d:%d", escape(r.Filename), r.Start.Line, r.Start.Column)
}

// WriteGitHub writes the findings as workflow commands, which GitHub shows at
// the lines of a pull request. Write errors are dropped.
func (d Diagnostics) WriteGitHub(w io.Writer) {
	for _, one := range d {
		message := one.Summary
		if one.Detail != "" {
			message += "\n" + one.Detail
		}
		_, _ = fmt.Fprintf(w, "::%s %s::%s\n", githubLevel(one.Severity), githubProperties(one), githubData(message))
	}
}

func githubLevel(s Severity) string {
	if s == Error {
		return "error"
	}
	return "warning"
}

func githubProperties(d Diagnostic) string {
	var out []string
	if d.Range != nil {
		out = append(out,
			"file="+githubProperty(d.Range.Filename),
			fmt.Sprintf("line=%d,col=%d", d.Range.Start.Line, d.Range.Start.Column))
		if d.Range.End.Line > d.Range.Start.Line {
			out = append(out, fmt.Sprintf("endLine=%d", d.Range.End.Line))
		}
	}
	return strings.Join(append(out, "title="+githubProperty(d.Code)), ",")
}

// githubData escapes the message of a workflow command: the runner reads the
// rest of the line and undoes exactly these three.
func githubData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// githubProperty escapes a property, which also ends at a comma or colon.
func githubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
