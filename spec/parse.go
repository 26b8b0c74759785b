package spec

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// file is one configuration file while a revision is loaded.
type file struct {
	path   string
	id     string   // git blob id, empty where the tree cannot tell
	before []string // the apps that a file of this name held when it was read last
	src    []byte
	size   int        // of src, which may be dropped
	blocks []*block   // top-level blocks, nil when the file is broken or evaluated
	apps   []AppBlock // those that are apps, or seem to be in a broken file
	broken Diagnostics
	holds  []string // labels of the apps that a broken file seems to hold
	lost   bool     // nobody can say what a broken file holds
}

// read loads and parses the file. What is wrong with its syntax goes to
// broken; what is wrong with its blocks goes to r.
func (f *file) read(tree Tree, lang Schema, r *reporter) {
	src, err := ReadSource(tree, f.path)
	if err != nil {
		at := f.start()
		f.breaks(nil, Diagnostics{{
			Severity: Error, Code: codeUnreadable, Summary: "configuration file cannot be read: " + sentence(err.Error()),
			Range: &at,
		}})
		return
	}
	f.src, f.size = src, len(src)
	if d := precheck(f.path, src); d != nil {
		f.breaks(nil, Diagnostics{*d})
		return
	}
	body, diags := parse(f.path, src)
	if diags.HasErrors() {
		f.breaks(body, f.syntax(diags))
		return
	}
	f.blocks = readBody(body, Block{Blocks: lang.Blocks}, "", r).blocks
	for _, b := range f.blocks {
		if b.Type == "app" {
			f.apps = append(f.apps, AppBlock{Addr: Addr("app." + b.label()), Range: rangeOf(b.name())})
		}
	}
}

// start is the first place in a file, for what has no better one.
func (f *file) start() Range {
	first := Pos{Line: 1, Column: 1}
	return Range{Filename: f.path, Start: first, End: first}
}

// parse runs the parser of the file's form.
func parse(name string, src []byte) (hcl.Body, hcl.Diagnostics) {
	var parsed *hcl.File
	var diags hcl.Diagnostics
	if strings.HasSuffix(name, ".json") {
		parsed, diags = json.Parse(src, name)
	} else {
		parsed, diags = hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	}
	if parsed == nil {
		return nil, diags
	}
	if !diags.HasErrors() {
		refuseZero(parsed.Body)
	}
	return parsed.Body, diags
}

// syntax reports what the parser found. One mistake makes it stumble several
// times: of one line its first finding is the cause, and after text without an
// end nothing it says is worth reading.
func (f *file) syntax(found hcl.Diagnostics) Diagnostics {
	lines := map[int]*hcl.Diagnostic{}
	for _, d := range found {
		if d.Severity == hcl.DiagError && d.Subject != nil {
			line := f.cause(d).Start.Line
			if first := lines[line]; first == nil || first.Summary == "Invalid multi-line string" && endless(d) {
				lines[line] = d
			}
		}
	}
	r := reporter{source: func(string) []byte { return f.src }}
	for _, line := range sortedKeys(lines) {
		d := lines[line]
		summary, help := syntaxWords(d)
		code := codeSyntax
		if d.Summary == "Attribute redefined" {
			code = codeArgTwice
			summary = fmt.Sprintf("argument %q is set twice", d.Subject.SliceBytes(f.src))
		}
		r.error(code, f.cause(d), summary, help)
		if endless(d) {
			break
		}
	}
	return r.diags
}

// endless tells whether the parser lost track of where text or a block ends.
func endless(d *hcl.Diagnostic) bool {
	switch d.Summary {
	case "Invalid multi-line string", "Unterminated template string", "Invalid string literal",
		"Unclosed template interpolation sequence", "Unclosed configuration block":
		return true
	}
	return false
}

// cause is the place where a fault begins rather than where it was noticed: the
// opening quote of text without an end, the << of a longer one. It is never
// more than one line.
func (f *file) cause(d *hcl.Diagnostic) hcl.Range {
	at := *d.Subject
	if endless(d) && d.Context != nil {
		at = *d.Context
	}
	if at.Start.Column == 1 && d.Summary == "Unterminated template string" {
		return f.marker(at)
	}
	isText := endless(d) && !strings.HasPrefix(d.Summary, "Unclosed")
	if i := at.Start.Byte - 1; isText && i >= 0 && i < len(f.src) && f.src[i] == '"' {
		at.Start.Byte--
		at.Start.Column--
	}
	if at.End.Line > at.Start.Line {
		rest, _, _ := bytes.Cut(f.src[min(at.Start.Byte, len(f.src)):], []byte("\n"))
		at.End = at.Start
		at.End.Byte += len(rest)
		at.End.Column += utf8.RuneCount(rest)
	}
	return at
}

// marker is the << that opens a longer text, given the place after its line.
func (f *file) marker(text hcl.Range) hcl.Range {
	before := f.src[:min(text.Start.Byte, len(f.src))]
	start := bytes.LastIndex(before, []byte("<<"))
	if start < 0 {
		return text
	}
	line := bytes.LastIndexByte(before[:start], '\n') + 1
	end := len(bytes.TrimRight(before, "\r\n"))
	at := text
	at.Start = hcl.Pos{Line: text.Start.Line - 1, Column: 1 + utf8.RuneCount(before[line:start]), Byte: start}
	at.End = hcl.Pos{Line: at.Start.Line, Column: 1 + utf8.RuneCount(before[line:end]), Byte: end}
	return at
}

// syntaxWords are the parser's summary and detail, in our words where they are
// clearer.
func syntaxWords(d *hcl.Diagnostic) (summary, help string) {
	switch d.Summary {
	case "Unterminated template string":
		if d.Context != nil && d.Context.Start.Column == 1 {
			return "this text has no end", "repeat the word after << on a line of its own"
		}
		fallthrough
	case "Invalid multi-line string", "Invalid string literal":
		return "this text has no closing quote", `close it with " on the same line; longer text goes between <<END and END`
	case "Unclosed template interpolation sequence":
		return "this ${ has no closing brace", `close it with } before the text's closing quote`
	case "Unclosed configuration block":
		return "this block has no closing brace", "add a } where it ends; a block inside it may be the one that lacks its own"
	case "Argument or block definition required":
		return "expected an argument or a block", `an argument is NAME = VALUE, a block TYPE "LABEL" { … }`
	case "Attribute redefined":
		return "", "remove one of them"
	case "Invalid single-argument block definition":
		return "a block on one line holds one argument", "put each argument on a line of its own"
	default:
		return sentence(d.Summary), sentence(d.Detail)
	}
}

// breaks marks the file as one that cannot be evaluated and works out which
// apps it held, from what was parsed, from its text and from the last load.
func (f *file) breaks(body hcl.Body, diags Diagnostics) {
	f.broken = diags
	labels := map[string]bool{}
	if b, ok := body.(*hclsyntax.Body); ok && b != nil {
		for _, block := range b.Blocks {
			f.lost = f.lost || block.Type != "app"
			if block.Type == "app" && len(block.Labels) == 1 && validName(block.Labels[0]) {
				labels[block.Labels[0]] = true
			}
		}
		f.lost = f.lost || len(b.Attributes) > 0
	}
	for _, m := range appLine.FindAllSubmatch(f.src, -1) {
		labels[string(m[1])] = true
	}
	for _, label := range f.before {
		labels[label] = true
	}
	f.lost = f.lost || len(labels) == 0 || sharedLine.Match(f.src) || foreignTop(f.src) || ownLimits(f.src)
	for label := range labels {
		f.holds = append(f.holds, label)
	}
	slices.Sort(f.holds)
	for _, label := range f.holds {
		f.apps = append(f.apps, AppBlock{Addr: appAddr(label, ""), Range: f.start()})
	}
}

// The lines that say what a file holds when the parser cannot: an app's
// opening line; an opening line of any shared block, however far indented; an
// opening line at the margin; and one of limits, which apps have too.
var (
	appLine    = regexp.MustCompile(`(?m)^[ \t]*app[ \t]+["']?([a-z0-9-]{1,40})\b`)
	sharedLine = regexp.MustCompile(`(?m)^[ \t{]*"?(?:fazt|variable|locals|function|check|node|edge)\b[^=\n]*\{`)
	marginLine = regexp.MustCompile(`(?m)^([A-Za-z_][\w-]*)\b[^=\n]*\{[ \t\r]*$`)
	limitsLine = regexp.MustCompile(`(?m)^([ \t{]*)("?)limits\b[^=\n]*\{`)
)

// ownLimits tells whether a limits block may be the node's: it is an app's only
// where the line of an app stands before it, further to the left, and nothing
// closes there in between. The JSON form does not tell.
func ownLimits(src []byte) bool {
	for _, m := range limitsLine.FindAllSubmatchIndex(src, -1) {
		apps := appLine.FindAllIndex(src[:m[0]], -1)
		if len(apps) == 0 || m[5] > m[4] || !encloses(src[apps[len(apps)-1][0]:m[0]], m[3]-m[2]) {
			return true
		}
	}
	return false
}

// encloses tells whether a text whose first line opens a block may still be in
// it at its end, where the next line has an indent of so many characters.
func encloses(text []byte, indent int) bool {
	opening := indentOf(text)
	for line := range bytes.Lines(text) {
		if n := indentOf(line); n <= opening && bytes.HasPrefix(line[n:], []byte("}")) {
			return false
		}
	}
	return opening < indent
}

// indentOf is how many characters of space a text begins with.
func indentOf(text []byte) int { return len(text) - len(bytes.TrimLeft(text, " \t")) }

// foreignTop tells whether a block other than an app seems to open at the
// margin, where a formatted file has its top-level blocks.
func foreignTop(src []byte) bool {
	for _, m := range marginLine.FindAllSubmatch(src, -1) {
		if !bytes.Equal(m[1], []byte("app")) {
			return true
		}
	}
	return false
}

// onlyApps tells whether every block of a parsed file is an app, so that the
// file can be judged and reused on its own.
func (f *file) onlyApps() bool {
	return len(f.blocks) > 0 && !slices.ContainsFunc(f.blocks, func(b *block) bool { return b.Type != "app" })
}
