package plan_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// A CA is asked the first time for hosts that nobody served, or that had
// certificates of somebody else; what is switched off or plain asks nobody.
func TestNewHosts(t *testing.T) {
	edge := func(tls string) spec.Object {
		return object("edge", spec.KindEdge, `{"domain":"example.com","tls":`+tls+`}`)
	}
	apps := func(n int, more string) (list []spec.Object) {
		for i := range n {
			list = append(list, object(fmt.Sprintf("app.a%02d", i), spec.KindApp, fmt.Sprintf(`{"content":"www","hosts":["a%02d.example.com"]%s}`, i, more)))
		}
		return list
	}
	with := func(o spec.Object, list []spec.Object) []spec.Object { return append([]spec.Object{o}, list...) }
	acme, staging := edge(`{"mode":"acme"}`), edge(`{"ca":"https://ca.example/","mode":"acme"}`)
	for _, tt := range []struct {
		name            string
		actual, desired []spec.Object
		allow           int
		count           int
		refused         bool
	}{
		{"at the number", with(acme, apps(1, "")), with(acme, apps(21, "")), 0, 20, false},
		{"over it", with(acme, apps(1, "")), with(acme, apps(22, "")), 0, 21, true},
		{"allowed", with(acme, apps(1, "")), with(acme, apps(22, "")), 21, 21, false},
		{"the first of all", nil, with(acme, apps(21, "")), 0, 21, true},
		{"another CA", with(staging, apps(21, "")), with(acme, apps(21, "")), 0, 21, true},
		{"turned on", with(edge(`"off"`), apps(21, "")), with(acme, apps(21, "")), 0, 21, true},
		{"its own CA", nil, with(edge(`{"mode":"internal"}`), apps(30, "")), 0, 0, false},
		{"switched off", with(acme, apps(1, "")), with(acme, append(apps(1, ""), apps(30, `,"disabled":true`)[1:]...)), 0, 0, false},
		{"nothing new", with(acme, apps(30, "")), with(acme, apps(30, "")), 0, 0, false},
	} {
		p := plan.Diff(plan.Input{Actual: tt.actual, Desired: tt.desired, AllowHosts: tt.allow, Revision: "3f9c2e1b"})
		if p.Counts.NewHosts != tt.count || (p.Refused != nil) != tt.refused {
			t.Errorf("%s: %d new hosts, refused %+v; want %d, %v", tt.name, p.Counts.NewHosts, p.Refused, tt.count, tt.refused)
		}
		if p.Refused != nil && p.Refused.Code != plan.RefusedHosts {
			t.Errorf("%s: refused for %s", tt.name, p.Refused.Code)
		}
	}
}

func object(addr string, kind spec.Kind, canonical string) spec.Object {
	return spec.Object{Addr: spec.Addr(addr), Kind: kind, Name: addr, Spec: json.RawMessage(canonical), Digest: canonical}
}
