package secret

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// leastVeiled is how many bytes a value must have to be looked for: a shorter one is
// in many a word.
const leastVeiled = 6

// leastBegun is how many bytes of a value must stand at the end of a text that was cut
// to be taken for its beginning.
const leastBegun = 4

// Veil takes values out of what code says that was given them: plain, and as they
// stand in JSON, in an address, in base64, in hex and on a console. It is against slips. Code that means to
// tell a value can spell it in a way that nobody foresees.
type Veil struct {
	// Functions, as reflection shows the contents of anything else.
	hide  func(string) string
	whole func(string) string // a text without what is begun at its end
}

// NewVeil returns what hides the values, by the names that stand in their place. Nil,
// where there is nothing to hide, hides nothing.
func NewVeil(values map[string]Value) *Veil {
	names := map[string]string{} // by the form that is looked for
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name].Reveal()
		if len(value) < leastVeiled {
			continue
		}
		for _, form := range formsOf(value) {
			names[form] = name
		}
	}
	if len(names) == 0 {
		return nil
	}
	// The longest first: of two at one place, the one that leaves nothing over.
	forms := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	var pairs []string
	for _, form := range forms {
		pairs = append(pairs, form, "("+names[form]+")")
	}
	whole := func(text string) string {
		for n := begun(text, forms); n > 0; n = begun(text, forms) {
			text = text[:len(text)-n]
		}
		return text
	}
	return &Veil{strings.NewReplacer(pairs...).Replace, whole}
}

// begun is how many bytes at the end of a text are the beginning of one of the forms,
// or all of it: the most there are.
func begun(text string, forms []string) (most int) {
	for _, form := range forms {
		for n := min(len(form), len(text)); n >= max(leastBegun, most+1); n-- {
			if strings.HasSuffix(text, form[:n]) {
				most = n
			}
		}
	}
	return most
}

// formsOf is a value as it is written down in the ways that programs have.
func formsOf(value string) []string {
	query := url.QueryEscape(value)
	forms := []string{value, query, url.PathEscape(value), asComponent().Replace(query), asShown().Replace(value)}
	var inJSON strings.Builder
	e := json.NewEncoder(&inJSON)
	e.SetEscapeHTML(false) // as JavaScript writes it
	if e.Encode(value) == nil {
		text := strings.TrimSuffix(inJSON.String(), "\n")
		forms = append(forms, text[1:len(text)-1])
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		forms = append(forms, e.EncodeToString([]byte(value)))
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, within(e, value)...)
	}
	inHex := hex.EncodeToString([]byte(value))
	return append(forms, inHex, strings.ToUpper(inHex))
}

// within is what a value is in the base64 of a longer text, by how many bytes are
// before it: the characters that have bits of the value alone.
func within(e *base64.Encoding, value string) (forms []string) {
	const bits = 6 // of a character
	for before := range 3 {
		text := e.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
		forms = append(forms, text[(before*8+bits-1)/bits:(before+len(value))*8/bits])
	}
	return forms
}

// asShown makes what the console shows of a text within an object.
func asShown() *strings.Replacer {
	return strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\x00", `\0`)
}

// asComponent makes what encodeURIComponent writes of what QueryEscape does.
func asComponent() *strings.Replacer {
	return strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")
}

// Hide returns a text without the values.
func (v *Veil) Hide(text string) string {
	if v == nil {
		return text
	}
	return v.hide(text)
}

// HideCut is Hide for a text that was cut at its end: what may be the beginning of a
// value there is gone, too.
func (v *Veil) HideCut(text string) string {
	if v == nil {
		return text
	}
	return v.hide(v.whole(text))
}
