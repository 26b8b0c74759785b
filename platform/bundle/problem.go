package bundle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Problem is one thing that is wrong with the code, at its place.
type Problem struct {
	File   string   `json:"file,omitempty"`   // below the app's folder, or "node:buffer"
	Line   int      `json:"line,omitempty"`   // from 1; 0 if the file as a whole is meant
	Column int      `json:"column,omitempty"` // from 1, in bytes
	Length int      `json:"length,omitempty"` // of what is meant, in bytes
	Source string   `json:"source,omitempty"` // the line
	Text   string   `json:"text"`             // lower case, without a full stop
	Hint   string   `json:"hint,omitempty"`   // what to do
	Chain  []string `json:"chain,omitempty"`  // who imports File, up to the entry
}

// Error is what is wrong with an app's code. Find it with errors.As.
type Error struct {
	Problems []Problem // sorted by place, at least one
	More     int       // that are not in Problems
}

const (
	maxProblems = 20  // that are told
	maxMessages = 200 // that are counted
	maxSource   = 400 // bytes of a line that are shown
)

// Error shows the first problem with its source line, and the places of the rest.
func (e *Error) Error() string {
	lines := []string{e.Problems[0].String()}
	for _, p := range e.Problems[1:] {
		lines = append(lines, p.headline())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// Place is file:line:col, as much of it as is known.
func (p Problem) Place() string {
	switch {
	case p.Line == 0:
		return p.File
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

func (p Problem) headline() string {
	if p.File == "" {
		return p.Text
	}
	return p.Place() + ": " + p.Text
}

// String is the problem with its source line and the chain of imports.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.headline())
	if p.Source != "" {
		number := fmt.Sprintf("%4d", p.Line)
		fmt.Fprintf(&b, "\n%s | %s", number, p.Source)
		if p.Column <= len(p.Source) {
			fmt.Fprintf(&b, "\n%s | %s%s", strings.Repeat(" ", len(number)), indent(p.Source[:p.Column-1]), carets(p))
		}
	}
	for _, by := range p.Chain {
		b.WriteString("\n  imported by " + by)
	}
	return b.String()
}

// indent is as wide as the text before the place, tabs as tabs.
func indent(before string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before)
}

func carets(p Problem) string {
	end := min(len(p.Source), p.Column-1+p.Length)
	return strings.Repeat("^", max(1, utf8.RuneCountInString(p.Source[p.Column-1:end])))
}

// invalid is the error of an app whose code is wrong.
func invalid(problems []Problem) error {
	e := &Error{Problems: problems}
	if len(problems) > maxProblems {
		e = &Error{Problems: problems[:maxProblems], More: len(problems) - maxProblems}
	}
	return &fault.Error{Op: "bundle.Bundle", Kind: fault.Invalid, Subject: problems[0].Place(), Hint: problems[0].Hint, Err: e}
}

// problems puts esbuild's messages in our words, in the order of their places.
func problems(messages []api.Message) []Problem {
	var list []Problem
	placed := slices.ContainsFunc(messages, func(m api.Message) bool { return m.Location != nil })
	for _, m := range messages {
		if m.Location != nil || !placed { // what has no place is a consequence of what has one
			list = append(list, problemOf(m))
		}
	}
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Text, b.Text))
	})
	return list
}

var (
	unresolved = regexp.MustCompile(`^Could not resolve "(.*)"$`)
	noLoader   = regexp.MustCompile(`^No loader is configured for "(.*)" files: (.*)$`)
)

func problemOf(m api.Message) Problem {
	p := Problem{Text: plain(m.Text)}
	if u := unresolved.FindStringSubmatch(m.Text); u != nil && isBuiltin(u[1]) {
		p.Text = "\"" + u[1] + "\" is a part of Node that does not exist here"
	}
	if l := m.Location; l != nil {
		p.File, p.Line, p.Column, p.Length = l.File, l.Line, l.Column+1, l.Length
		if l.Namespace == nodeSpace {
			p.File = "node:" + strings.TrimPrefix(l.File, "node:")
		}
		p.Source = l.LineText
		if len(p.Source) > maxSource || !utf8.ValidString(p.Source) {
			p.Source = "" // minified, or no text: it would say nothing
		}
	}
	if m.PluginName != pluginName {
		p.Hint = hintOf(m)
	} else if len(m.Notes) > 0 {
		p.Hint = m.Notes[0].Text
	}
	return p
}

// hint says what to do about a message of esbuild's, whose own notes tell how
// to call esbuild.
func hintOf(m api.Message) string {
	if u := unresolved.FindStringSubmatch(m.Text); u != nil {
		return missingHint(u[1])
	}
	if noLoader.MatchString(m.Text) {
		return "only code, JSON and text are imported; files to serve are at env.ASSETS"
	}
	var notes []string
	for _, n := range m.Notes {
		if text := plain(n.Text); text != "" && !strings.Contains(n.Text, "esbuild") {
			if n.Location != nil && n.Location.Line > 0 {
				text = fmt.Sprintf("%s (%s:%d)", strings.TrimSuffix(text, ":"), n.Location.File, n.Location.Line)
			}
			notes = append(notes, text)
		}
	}
	return strings.Join(notes, "; ")
}

func missingHint(spec string) string {
	switch {
	case spec == "fazt":
		return "\"fazt\" has types alone: write import type"
	case isBuiltin(spec):
		return builtinHint(spec)
	case strings.HasSuffix(spec, "/jsx-runtime"):
		return "install " + strings.TrimSuffix(spec, "/jsx-runtime") + ", or say whose JSX it is in tsconfig.json: \"jsxImportSource\": \"hono/jsx\""
	case strings.HasPrefix(spec, "."), strings.HasPrefix(spec, "/"), strings.HasPrefix(spec, "#"):
		return "there is no such file in the app's folder; only code, JSON and text are imported"
	default:
		return "install the package into the app's node_modules and commit it: npm install --omit=dev " + packageName(spec)
	}
}

// packageName is the package of an import: "@a/b/c" is in "@a/b".
func packageName(spec string) string {
	parts := strings.SplitN(spec, "/", 3)
	if strings.HasPrefix(spec, "@") && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// plain is a sentence as ours are: lower case, without a full stop.
func plain(text string) string {
	text = strings.TrimSuffix(strings.TrimSpace(text), ".")
	first, size := utf8.DecodeRuneInString(text)
	second, _ := utf8.DecodeRuneInString(text[size:])
	if first >= 'A' && first <= 'Z' && !(second >= 'A' && second <= 'Z') {
		return string(first+'a'-'A') + text[size:]
	}
	return text
}

func sizes(code, sourceMap int) string {
	return fmt.Sprintf("the program has %d KiB and its source map %d KiB, of at most %d and %d", code>>10, sourceMap>>10, maxCode>>10, maxMap>>10)
}

// quote writes a string of JavaScript.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}
