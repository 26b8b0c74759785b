package plan

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/spec"
)

// String says who keeps something, and why.
func (k Keep) String() string {
	text := "paused"
	if k.Kind == "rollback" {
		text = "rolled back"
	}
	if k.Actor != "" {
		text += " by " + k.Actor
	}
	if k.Until != "" {
		text += " until " + k.Until
	}
	if k.Reason != "" {
		text += ": " + k.Reason
	}
	return text
}

// diagnosticText is one finding on one line.
func diagnosticText(d spec.Diagnostic) string {
	text := string(d.Severity)
	if d.Code != "" {
		text += "[" + d.Code + "]"
	}
	text += ": " + d.Summary
	if d.Range != nil {
		text += " (" + d.Range.Filename + ":" + strconv.Itoa(d.Range.Start.Line) + ")"
	}
	return clean(text)
}

// findings are several on a line each.
func findings(list spec.Diagnostics) (text string) {
	for _, d := range list {
		text += diagnosticText(d) + "\n"
	}
	return text
}

// wouldBe names what a change that is kept back would do.
func wouldBe(a Action) string {
	switch a {
	case Adopt:
		return "would be adopted"
	case Forget:
		return "would be left unmanaged"
	}
	return "would be " + strings.TrimSuffix(clean(string(a)), "e") + "ed"
}

// reasonText says why something goes.
func reasonText(r Reason) string {
	switch r {
	case RemovedFromConfig:
		return "no longer in the configuration"
	case EachKeyGone:
		return "its key is no longer in for_each"
	case NodeNoLongerSelected:
		return "its where no longer takes this node"
	case ImmutableAttr:
		return "cannot be changed in place"
	case Adopted:
		return "was in service unmanaged"
	case Restored:
		return "comes back from the trash"
	case DataRestored:
		return "gets the data of a backup"
	default:
		return strings.ReplaceAll(clean(string(r)), "_", " ")
	}
}

// showValue is a JSON value for people, cut where it is long.
func showValue(text json.RawMessage, full bool) string {
	s := clean(string(text))
	if sealed, is := sealedText(text); is {
		s = sealed
	}
	if !full && utf8.RuneCountInString(s) > valueWidth {
		s = string([]rune(s)[:valueWidth-3]) + "..."
	}
	return s
}

// sealedText is a secret in the place of a value, by its name.
func sealedText(text json.RawMessage) (string, bool) {
	var v sealedValue
	if json.Unmarshal(text, &v) != nil || v.Envelope == "" {
		return "", false
	}
	if v.Secret == "" {
		return "sealed", true
	}
	return clean("secret." + v.Secret), true
}

// clean makes foreign text safe for a terminal: a control or format character
// in a file name or value is shown escaped.
func clean(s string) string {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// shortRevision is a revision as people write it: seven digits of a commit.
func shortRevision(revision string) string {
	if len(revision) == 40 {
		return revision[:7]
	}
	if revision == "" {
		return "the configuration"
	}
	return clean(revision)
}

// plural counts things.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// sizeText is a number of bytes for people, in powers of ten.
func sizeText(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), -1
	for value >= 999.5 && unit < 3 {
		value, unit = value/1000, unit+1
	}
	digits := 0
	if value < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + " " + [...]string{"KB", "MB", "GB", "TB"}[unit]
}
