package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// What another way of encrypting, or of naming clients, does to visitors.
func TestRisksOfTheEdge(t *testing.T) {
	const internal, files, acme = `{"tls":{"mode":"internal"}}`, `{"tls":{"mode":"files","files":[{"cert":"a","key":"b"}]}}`, `{"tls":{"mode":"acme"}}`
	for _, c := range []struct {
		name, was, want string
		risk            spec.Risk
		says            string // part of its only sentence; empty: it has none
	}{
		{"encrypted from now on", `{"tls":"off"}`, acme, spec.RiskHigh, ""},
		{"encrypted no more", acme, `{"tls":"off"}`, spec.RiskHigh, "not encrypted any more"},
		{"own CA", `{"tls":"off"}`, internal, spec.RiskHigh, "own CA"},
		{"another mode", internal, files, spec.RiskHigh, "another certificate"},
		{"another address to write to", acme, `{"tls":{"email":"ops@example.com","mode":"acme"}}`, spec.RiskLow, ""},
		{"another directory", acme, `{"tls":{"ca":"https://ca.example.com","mode":"acme"}}`, spec.RiskMedium, ""},
		{"PROXY protocol", `{"tls":"off"}`, `{"proxy_protocol":true,"tls":"off"}`, spec.RiskMedium, "must speak"},
		{"no PROXY protocol", `{"proxy_protocol":true,"tls":"off"}`, `{"tls":"off"}`, spec.RiskMedium, "must not speak"},
		{"HTTP/3", acme, `{"http3":true,"tls":{"mode":"acme"}}`, spec.RiskMedium, "UDP"},
		{"no HTTP/3", `{"http3":true,"tls":{"mode":"acme"}}`, acme, spec.RiskMedium, ""},
	} {
		edge := func(text string) []spec.Object {
			return []spec.Object{{Addr: "edge", Kind: spec.KindEdge, Spec: []byte(text), Digest: hash(text)}}
		}
		p := plan.Diff(plan.Input{Actual: edge(c.was), Desired: edge(c.want)})
		if len(p.Changes) != 1 || p.Changes[0].Risk != c.risk || p.Changes[0].Effect != spec.EffectHot {
			t.Errorf("%s: %+v", c.name, p.Changes)
			continue
		}
		said := p.Changes[0].Risks
		if (c.says == "") != (len(said) == 0) || c.says != "" && !slices.ContainsFunc(said, func(w plan.Warning) bool { return strings.Contains(w.Message, c.says) }) {
			t.Errorf("%s says %v", c.name, said)
		}
	}
}

// A limit that is written where it held anyway is no change of what holds.
func TestLimitsAreComparedByWhatHolds(t *testing.T) {
	limits := func(text string) []spec.Object {
		return []spec.Object{{Addr: "limits", Kind: spec.KindLimits, Spec: []byte(text), Digest: hash(text)}}
	}
	p := plan.Diff(plan.Input{Actual: limits(`{"connections":20}`), Desired: limits(`{"connections":40}`)})
	var got []string
	for _, f := range p.Changes[0].Fields {
		got = append(got, f.Path+" "+string(f.Before)+" "+string(f.After))
	}
	if want := []string{"connections 20 40", "connections_per_ip 20 40"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
