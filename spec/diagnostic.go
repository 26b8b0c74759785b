package spec

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// The codes that loading reports. A code is never reused for another fault;
// each has a page in Explain.
const (
	codeSyntax       = "F1001"
	codeUnreadable   = "F1005"
	codeNoFiles      = "F1006"
	codeLoader       = "F1007"
	codeBlock        = "F1101"
	codeLaterBlock   = "F1102"
	codeLabels       = "F1103"
	codeName         = "F1104"
	codeTwice        = "F1105"
	codeStray        = "F1106"
	codeMissing      = "F1201"
	codeArgTwice     = "F1202"
	codeArgument     = "F1203"
	codeLater        = "F1204"
	codeType         = "F1205"
	codeValue        = "F1206"
	codeContent      = "F1207"
	codeHost         = "F1208"
	codeRedirect     = "F1209"
	codeHeader       = "F1210"
	codeForEach      = "F1211"
	codeTogether     = "F1212"
	codeNoEmail      = "F1213"
	codeSchedule     = "F1214"
	codeSealed       = "F1215"
	codePlain        = "F1216"
	codeRule         = "F1217"
	codeReference    = "F1301"
	codeCycle        = "F1302"
	codeExpression   = "F1303"
	codeFunction     = "F1304"
	codeCall         = "F1305"
	codeEscape       = "F1306"
	codeNoValue      = "F1307"
	codeVar          = "F1308"
	codeHostTwice    = "F1401"
	codeNameTwice    = "F1402"
	codeCheck        = "F1403"
	codeVersion      = "F1404"
	codeNode         = "F1405"
	codeHostRepeated = "F1406"
	codeNeverReached = "F1407"
	codeAddress      = "F1408"
	codeMove         = "F1409"
	codeRemoved      = "F1410"
	codeUnused       = "F1411"
	codeService      = "F1412"
	codeTooMuch      = "F3001"
	codeTooMany      = "F3002"
	codeTooDeep      = "F3003"
)

// reporter collects the diagnostics of one piece of configuration. It knows
// whose they are and finds the text they point into.
type reporter struct {
	diags   Diagnostics
	addr    Addr                         // owner of what is reported, empty for shared things
	context string                       // the enclosing block as written: app "notes"
	source  func(filename string) []byte // nil result: no snippet
}

// about returns a reporter for a part of the configuration that shares the
// source text and nothing else.
func (r *reporter) about(addr Addr, context string) *reporter {
	return &reporter{addr: addr, context: context, source: r.source}
}

// error reports a fault at a place. The zero range stands for no place, such as
// a command line flag.
func (r *reporter) error(code string, at hcl.Range, summary, detail string, related ...Related) {
	r.add(Error, code, at, summary, detail, related...)
}

// warn reports something that works and is probably not meant.
func (r *reporter) warn(code string, at hcl.Range, summary, detail string, related ...Related) {
	r.add(Warning, code, at, summary, detail, related...)
}

func (r *reporter) add(severity Severity, code string, at hcl.Range, summary, detail string, related ...Related) {
	d := Diagnostic{Severity: severity, Code: code, Summary: summary, Detail: detail, Address: r.addr, Related: related}
	if at.Filename != "" {
		place := rangeOf(at)
		d.Range = &place
		if r.source != nil {
			d.Snippet = snippet(r.source(at.Filename), place)
		}
		if d.Snippet != nil {
			d.Snippet.Context = r.context
		}
	}
	r.diags = append(r.diags, d)
}

// twice reports a second declaration with the place of the first.
func (r *reporter) twice(at hcl.Range, what string, first hcl.Range) {
	r.error(codeTwice, at, what+" is declared twice", "keep one of them", declaredAt("first declared here", first)...)
}

// failed tells whether any error was reported so far.
func (r *reporter) failed() bool { return r.diags.HasErrors() }

// distinct keeps the first of findings that say the same of the same place.
func (d Diagnostics) distinct() Diagnostics {
	type key struct {
		code, summary string
		at            Range
	}
	seen := map[key]bool{}
	var kept Diagnostics
	for _, one := range d {
		k := key{one.Code, one.Summary, one.position()}
		if !seen[k] || one.Range == nil {
			kept = append(kept, one)
		}
		seen[k] = true
	}
	return kept
}

// rangeOf turns the parser's range into ours.
func rangeOf(r hcl.Range) Range {
	return Range{Filename: r.Filename, Start: Pos(r.Start), End: Pos(r.End)}
}

// hclRange is the way back.
func hclRange(r Range) hcl.Range {
	return hcl.Range{Filename: r.Filename, Start: hcl.Pos(r.Start), End: hcl.Pos(r.End)}
}

// declaredAt is the second place of a diagnostic about something declared.
func declaredAt(message string, at hcl.Range) []Related {
	if at.Filename == "" {
		return nil
	}
	return []Related{{Message: message, Range: rangeOf(at)}}
}

// sentence makes a foreign message fit the house style: lower case, one line,
// no full stop.
func sentence(s string) string {
	s = strings.TrimSuffix(strings.Join(strings.Fields(s), " "), ".")
	first, size := utf8.DecodeRuneInString(s)
	second, _ := utf8.DecodeRuneInString(s[size:])
	if unicode.IsUpper(first) && !unicode.IsUpper(second) {
		s = string(unicode.ToLower(first)) + s[size:]
	}
	return s
}

// didYouMean is the help line for a mistyped word, and what is allowed where
// there is no near one.
func didYouMean(word string, allowed []string, what string) string {
	if near := nearest(word, allowed); near != "" {
		return `did you mean "` + near + `"?`
	}
	if len(allowed) == 0 {
		return ""
	}
	return what + ": " + strings.Join(allowed, ", ")
}
