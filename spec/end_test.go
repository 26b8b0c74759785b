package spec

import (
	"testing"

	"pgregory.net/rapid"
)

// TestWithEndOf holds that an app with another one's end is what the language
// makes of the same block with those words.
func TestWithEndOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		app := func(label string) App {
			return App{
				Content: "www", Hosts: []string{"a.example.com"}, Spa: rapid.Bool().Draw(t, label+" spa"),
				Protect: rapid.Bool().Draw(t, label+" protect"), OnRemove: rapid.SampledFrom([]OnRemove{"", Delete, Forget}).Draw(t, label+" end"),
				Access: rapid.SampledFrom([][]Access{nil, {{Allow: []string{"role:owner"}}}, {{Path: "/a", Allow: []string{}}}}).Draw(t, label+" access"),
			}
		}
		a, b := app("mine"), app("theirs")
		want := a
		want.Protect, want.OnRemove, want.Access = b.Protect, b.OnRemove, b.Access
		object := func(a App) Object { return Schema{}.newObject("app.a", KindApp, a) }
		got, whole := object(a).WithEndOf(object(b)), object(want)
		if got.Digest != whole.Digest || string(got.Spec) != string(whole.Spec) || got.Immutable != whole.Immutable {
			t.Fatalf("%s, want %s", got.Spec, whole.Spec)
		}
	})
}
