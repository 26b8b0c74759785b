package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
)

// TestJobToken asks the forge for a token that is for the node alone, again where it
// has a bad moment, and says what a job lacks.
func TestJobToken(t *testing.T) {
	var asked []string
	answers := []int{503, 200}
	forge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization")+" "+r.URL.RawQuery)
		if status := answers[0]; status != 200 {
			answers = answers[1:]
			w.WriteHeader(status)
			return
		}
		fmt.Fprint(w, `{"count": 7, "value": "a.b.c"}`)
	}))
	defer forge.Close()
	env := map[string]string{"FAZT_URL": "https://fazt.example.com/", envJobTokenURL: forge.URL + "/t?api=1", envJobTokenKey: "key"}
	p := &program{getenv: func(name string) string { return env[name] }}
	c, err := p.ciPeer(t.Context())
	if err != nil || c.Token != "a.b.c" || c.BaseURL != "https://fazt.example.com" {
		t.Fatalf("%+v %v", c, err)
	}
	if want := "Bearer key api=1&audience=https%3A%2F%2Ffazt.example.com"; len(asked) != 2 || asked[1] != want {
		t.Errorf("it asked %q, want %q", asked, want)
	}
	answers = []int{403}
	if _, err := p.ciPeer(t.Context()); fault.KindOf(err) != fault.Forbidden || !strings.Contains(fault.HintOf(err), "id-token: write") {
		t.Errorf("a job that may not ask: %v, %s", err, fault.HintOf(err))
	}
	env[envJobTokenURL] = "http://forge.example.com"
	if _, err := p.ciPeer(t.Context()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a forge in the clear: %v", err)
	}
	delete(env, envJobTokenURL)
	if _, err := p.ciPeer(t.Context()); fault.KindOf(err) != fault.NotFound || !strings.Contains(fault.HintOf(err), "workload") {
		t.Errorf("without a forge: %v", err)
	}
	env["FAZT_TOKEN"] = "fzt_x"
	if c, err := p.ciPeer(t.Context()); err != nil || c.Token != "fzt_x" {
		t.Errorf("%+v %v", c, err)
	}
}
