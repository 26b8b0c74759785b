package secret_test

import (
	"encoding/base64"
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
