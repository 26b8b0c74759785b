package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/secret"
)

// Whatever stands around a value, and in whichever of the usual ways it is written
// down, it does not come through; and what is no value does.
func TestVeil(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := map[string]secret.Value{}
		var texts []string
		for i := range rapid.IntRange(1, 3).Draw(t, "values") {
			text := rapid.StringMatching(`[A-Z"\\&+/=' ü\n]{6,20}`).Draw(t, "value")
			texts = append(texts, text)
			values[fmt.Sprintf("secret.s%d", i)] = secret.NewValue(text)
		}
		veil := secret.NewVeil(values)
		around := rapid.StringMatching(`[a-z0-9.]{0,9}`)
		for _, value := range texts {
			inJSON, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			plain := strings.NewReplacer(`\u0026`, "&").Replace(string(inJSON[1 : len(inJSON)-1]))
			for _, form := range []string{value, plain, url.QueryEscape(value), url.PathEscape(value), base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value))} {
				before, after := around.Draw(t, "before"), around.Draw(t, "after")
				if got := veil.Hide(before + form + after); strings.Contains(got, form) || !strings.Contains(got, "(secret.s") {
					t.Fatalf("%q came through as %q", form, got)
				}
			}
		}
		if clear := around.Draw(t, "clear"); veil.Hide(clear) != clear {
			t.Fatalf("%q became %q", clear, veil.Hide(clear))
		}
	})
}

// In the base64 or hex of a longer text nothing of a value is left that would tell more
// than a few of its bits, wherever in it the value stands.
func TestVeilOfValuesInEncodedTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[ -~]{6,40}`).Draw(t, "value")
		veil := secret.NewVeil(map[string]secret.Value{"secret.key": secret.NewValue(value)})
		before, after := rapid.StringMatching(`[ -~]{0,9}`).Draw(t, "before"), rapid.StringMatching(`[ -~]{0,9}`).Draw(t, "after")
		text := []byte(before + value + after)
		for name, e := range map[string]*base64.Encoding{"standard": base64.StdEncoding, "raw": base64.RawStdEncoding, "url": base64.URLEncoding, "raw url": base64.RawURLEncoding} {
			got := veil.Hide(e.EncodeToString(text))
			first, last := (len(before)*8+5)/6, (len(before)+len(value))*8/6 // of the characters that have its bits alone
			// What is left of the text on each side is as long as it may be.
			own := e.EncodeToString(text)
			if head, tail, hidden := strings.Cut(got, "(secret.key)"); !hidden || len(head) > first || len(tail) > len(own)-last {
				t.Fatalf("%s: %q came through as %q", name, own, got)
			}
		}
		for _, own := range []string{hex.EncodeToString(text), strings.ToUpper(hex.EncodeToString(text))} {
			if got := veil.Hide(own); len(got) != 2*(len(before)+len(after))+len("(secret.key)") {
				t.Fatalf("%q came through as %q", own, got)
			}
		}
	})
}

// Of a text that was cut within a value, in whichever way that is written down, less is
// left than four bytes of it; a text that ends in no value is left whole.
func TestVeilOfTextsThatWereCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[A-Z"\\&+/=']{6,20}`).Draw(t, "value")
		veil := secret.NewVeil(map[string]secret.Value{"secret.key": secret.NewValue(value), "secret.part": secret.NewValue(value[:6])})
		before := rapid.StringMatching(`[a-z0-9.]{0,9}`).Draw(t, "before")
		for _, form := range []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value)), hex.EncodeToString([]byte(value))} {
			kept := rapid.IntRange(0, len(form)).Draw(t, "kept")
			got, clear := strings.CutPrefix(veil.HideCut(before+form[:kept]), before)
			if got = strings.NewReplacer("(secret.key)", "", "(secret.part)", "").Replace(got); clear && len(got) > 3 {
				t.Fatalf("of %q cut after %d, %q is left", form, kept, got)
			}
		}
		if got := veil.HideCut(before + "."); got != before+"." {
			t.Fatalf("%q became %q", before+".", got)
		}
	})
	if none := (*secret.Veil)(nil); none.HideCut("as it is") != "as it is" {
		t.Error("a veil of nothing hides")
	}
}

// BenchmarkVeil is a line of a log without a value in it.
func BenchmarkVeil(b *testing.B) {
	values := map[string]secret.Value{}
	for i := range 5 {
		values[fmt.Sprintf("secret.s%d", i)] = secret.NewValue(fmt.Sprintf("%d_sk_live_51HxTestOnlyNotARealOne", i))
	}
	veil := secret.NewVeil(values)
	line := strings.Repeat("GET /api/orders/42 answered 200 in 12 ms ", 4)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		veil.Hide(line)
	}
}

// A short value is in many a word, and hides nothing; the veil itself tells nothing.
func TestVeilOfLittle(t *testing.T) {
	if v := secret.NewVeil(map[string]secret.Value{"secret.pin": secret.NewValue("12345")}); v != nil || v.Hide("at 12345 Main St") != "at 12345 Main St" {
		t.Error("a value of five bytes is looked for")
	}
	v := secret.NewVeil(map[string]secret.Value{"secret.key": secret.NewValue("sk_live_42")})
	if text := fmt.Sprintf("%v %+v %#v", v, v, *v); strings.Contains(text, "sk_live") {
		t.Error(text)
	}
}

// Of a value within another nothing is left over, whichever has the first name.
func TestVeilOfValuesWithinOthers(t *testing.T) {
	long, short := secret.NewValue("sk_live_42_and_more"), secret.NewValue("sk_live")
	for _, values := range []map[string]secret.Value{{"secret.a": short, "secret.b": long}, {"secret.a": long, "secret.b": short}} {
		if got := secret.NewVeil(values).Hide("with sk_live_42_and_more"); strings.Contains(got, "42") {
			t.Errorf("%q is left", got)
		}
	}
}
