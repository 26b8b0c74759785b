package web

import (
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zones, where the machine has none or the child may not read them

	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"github.com/fazt-sh/fazt/platform/fault"
)

// mostCompared is how long a text may be that is compared by the rules of a language,
// as nothing interrupts that.
const mostCompared = 1 << 20

// mostZone is longer than the name of any zone.
const mostZone = 64

// intlOperations are what parts/intl.js and parts/collator.js ask for.
func intlOperations(ops map[string]Function) {
	ops["zone"] = func(args []any) (any, error) { return zoned(text(args, 0)), nil }
	ops["collates"] = func(args []any) (any, error) { return collates(text(args, 0)), nil }
	var last string // the rules of the last comparison; a sort asks for the same
	var rules *collate.Collator
	ops["collate"] = func(args []any) (any, error) {
		a, b, name, how := text(args, 0), text(args, 1), text(args, 2), text(args, 3)
		if len(a) > mostCompared || len(b) > mostCompared {
			return nil, fault.New(fault.Invalid, "a text of more than %d bytes is not compared by the rules of a language", mostCompared)
		}
		if key := name + " " + how; rules == nil || key != last {
			last, rules = key, ruled(name, how)
		}
		return rules.CompareString(a, b), nil
	}
}

// zoned is a time zone as the database spells it, or empty. Intl keeps every name that
// it was asked for, so it is asked for those alone that there are.
func zoned(name string) string {
	if upper := strings.ToUpper(name); upper == "UTC" || upper == "GMT" {
		return "UTC"
	}
	if name == "" || name == "Local" || len(name) > mostZone {
		return ""
	}
	if name[0] == '+' || name[0] == '-' {
		return offset(name)
	}
	if _, err := time.LoadLocation(name); err != nil {
		return ""
	}
	return name
}

// offset is the name of a zone that is so far from UTC, or empty.
func offset(name string) string {
	for _, form := range []string{"-07", "-0700", "-07:00"} {
		if t, err := time.Parse(form, name); err == nil {
			return t.Format("-07:00")
		}
	}
	return ""
}

// collates is the language whose rules a tag asks for, in its usual spelling, or empty:
// extensions are options, which are to be given as such.
func collates(tag string) string {
	t, err := language.Parse(tag)
	base, confidence := t.Base()
	if err != nil || len(t.Extensions()) > 0 || confidence == language.No || !sorted()[base] {
		return ""
	}
	return t.String()
}

// sorted are the languages whose order is known.
var sorted = sync.OnceValue(func() map[language.Base]bool {
	known := map[language.Base]bool{}
	// These are sorted as the root has it, so there is nothing of their own to list.
	for _, t := range slices.Concat(collate.Supported(), []language.Tag{language.Italian, language.Dutch, language.Portuguese, language.Indonesian, language.Malay}) {
		base, _ := t.Base()
		known[base] = true
	}
	return known
})

// ruled makes the rules of a language with options by their letters: n for numbers,
// c for no cases, d for no accents.
func ruled(name, how string) *collate.Collator {
	var options []collate.Option
	for letter, option := range map[rune]collate.Option{'n': collate.Numeric, 'c': collate.IgnoreCase, 'd': collate.IgnoreDiacritics} {
		if strings.ContainsRune(how, letter) {
			options = append(options, option)
		}
	}
	return collate.New(language.Make(name), options...)
}
