package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/secret"
)

const canary = "c4nary-of-the-test"

type holder struct {
	Shown  secret.Value
	hidden secret.Value
	Ptr    *secret.Value
	Any    any
	List   []secret.Value
	Map    map[string]secret.Value
}

// A value shows itself in no verb, no encoding and no log, however deep it is in
// something else, nor do errors that are about it.
func TestValueNeverPrints(t *testing.T) {
	v := secret.NewValue(canary)
	h := holder{v, v, &v, v, []secret.Value{v}, map[string]secret.Value{"x": v}}
	var out bytes.Buffer
	for _, thing := range []any{v, &v, h, &h, []any{v, h}, map[any]any{1: v}, reflect.ValueOf(h), fmt.Errorf("x: %v", v), errors.Join(fmt.Errorf("%s", v))} {
		for c := rune('A'); c <= 'z'; c++ {
			for _, flags := range []string{"", "+", "#", "-20", "040", " ", "+#.100"} {
				fmt.Fprintf(&out, "%"+flags+string(c)+"\n", thing)
			}
		}
		fmt.Fprint(&out, thing)
		fmt.Fprintln(&out, thing)
		b, _ := json.Marshal(thing)
		out.Write(b)
		b, _ = xml.Marshal(thing)
		out.Write(b)
		_ = gob.NewEncoder(&out).Encode(thing)
		for _, l := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(l).Info("x", "value", thing, slog.Group("g", "v", thing))
		}
	}
	if strings.Contains(out.String(), canary) || !strings.Contains(out.String(), "(secret)") {
		t.Error("the value shows")
	}
	hexed := fmt.Sprintf("%x", canary)
	if strings.Contains(strings.ToLower(out.String()), hexed) {
		t.Error("the value shows in hex")
	}
	if v.Reveal() != canary || (secret.Value{}).Reveal() != "" {
		t.Error("it does not reveal what it hides")
	}
	if err := json.Unmarshal([]byte(`"x"`), &v); err == nil {
		t.Error("a secret is read from JSON")
	}
}
