package main

import (
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// A secret is given in the same way where it stands in the same place: in the setting
// of that name, or in the header of that name to the same host in the same ways.
func TestUngiven(t *testing.T) {
	key, other := spec.EnvValue{Secret: "key", Envelope: "a"}, spec.EnvValue{Secret: "other"}
	header := func(e spec.Egress, v spec.EnvValue) spec.App {
		e.Header = map[string]spec.EnvValue{"Authorization": v}
		return spec.App{Egress: []spec.Egress{e}}
	}
	env := func(name string, v spec.EnvValue) spec.App {
		return spec.App{Env: map[string]spec.EnvValue{name: v}}
	}
	api := spec.Egress{Host: "api.example.com"}
	for name, c := range map[string]struct {
		app, given spec.App
		want       string
	}{
		"no secret":          {env("A", spec.EnvValue{Text: "text"}), spec.App{}, ""},
		"nothing given":      {env("A", key), spec.App{}, "env.A"},
		"the same":           {env("A", key), env("A", spec.EnvValue{Secret: "key", Envelope: "b"}), ""},
		"another setting":    {env("A", key), env("B", key), "env.A"},
		"another secret":     {env("A", key), env("A", other), "env.A"},
		"a header as a text": {env("A", key), header(api, key), "env.A"},
		"the same header":    {header(api, key), header(api, key), ""},
		"another host":       {header(spec.Egress{Host: "evil.example"}, key), header(api, key), "the header Authorization to evil.example"},
		"another port":       {header(spec.Egress{Host: api.Host, Ports: []int{8443}}, key), header(api, key), "the header Authorization to api.example.com"},
		"other methods":      {header(api, key), header(spec.Egress{Host: api.Host, Methods: []string{"GET"}}, key), "the header Authorization to api.example.com"},
		"a text as a header": {header(api, key), env("A", key), "the header Authorization to api.example.com"},
	} {
		secret, as := ungiven(c.app, c.given)
		if as != c.want || (secret == "key") != (c.want != "") {
			t.Errorf("%s: %q as %q, want %q", name, secret, as, c.want)
		}
	}
}
