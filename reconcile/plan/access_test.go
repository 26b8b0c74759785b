package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

func role(t *testing.T, name string, members ...string) spec.Object {
	t.Helper()
	text, err := json.Marshal(spec.Role{Members: members, Grants: []spec.Grant{{Actions: []string{"observe", "plan"}, On: []string{"node"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return spec.Object{Addr: spec.Addr("role." + name), Kind: spec.KindRole, Name: name, Spec: text, Digest: string(text)}
}

// A folder by which people gain access is refused until somebody says that it is
// meant; the plan is the same one, and a commit that is followed needs no word.
func TestAccessIsAccepted(t *testing.T) {
	in := plan.Input{
		Actual:   []spec.Object{role(t, "watcher", "ana@example.com", "bo@example.com")},
		Desired:  []spec.Object{role(t, "watcher", "ana@example.com", "max@example.com")},
		Revision: "dir:0123456789ab", Node: "local", Generation: 3,
	}
	refused := plan.Diff(in)
	if refused.Refused == nil || refused.Refused.Code != plan.RefusedAccess {
		t.Fatalf("refused %+v", refused.Refused)
	}
	in.AllowAccess = true
	allowed := plan.Diff(in)
	if allowed.Refused != nil || allowed.ID != refused.ID {
		t.Errorf("refused %+v, id %s, before %s", allowed.Refused, allowed.ID, refused.ID)
	}
	var text, md strings.Builder
	if err := allowed.WriteText(&text, plan.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := allowed.WriteMarkdown(&md); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"max@example.com gains observe, plan on node", "bo@example.com loses observe, plan on node"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("the text lacks %q:\n%s", line, text.String())
		}
	}
	if !strings.Contains(md.String(), "gains access") {
		t.Errorf("the comment lacks who gains:\n%s", md.String())
	}
	in.AllowAccess, in.Revision = false, strings.Repeat("a", 40)
	if p := plan.Diff(in); p.Refused != nil {
		t.Errorf("a commit is refused: %+v", p.Refused)
	}
	in.Actual, in.Revision = nil, "dir:0123456789ab"
	if p := plan.Diff(in); p.Refused != nil || len(p.Access) > 0 {
		t.Errorf("an empty node: %+v, %+v", p.Refused, p.Access)
	}
}

func job(t *testing.T, claims map[string]string) spec.Object {
	t.Helper()
	text, err := json.Marshal(spec.Workload{Issuer: "https://id.test", Claims: claims, Roles: []string{"role:watcher"}})
	if err != nil {
		t.Fatal(err)
	}
	return spec.Object{Addr: "workload.ci", Kind: spec.KindWorkload, Name: "ci", Spec: text, Digest: string(text)}
}

// Programs of an issuer gain access as people do, and so do others that can be the
// workload when its claims are others.
func TestAccessOfWorkloads(t *testing.T) {
	narrow, wide := map[string]string{"repository": "me/site", "ref": "refs/heads/main"}, map[string]string{"repository": "me/site"}
	for name, c := range map[string]struct {
		actual []spec.Object
		claims map[string]string
		risk   string
	}{
		"a new one":      {nil, narrow, ""},
		"one claim less": {[]spec.Object{job(t, narrow)}, wide, "other programs are this workload from then on"},
	} {
		watcher := role(t, "watcher")
		p := plan.Diff(plan.Input{Actual: append(c.actual, watcher), Desired: []spec.Object{job(t, c.claims), watcher}, Revision: "dir:0123456789ab", Node: "local", Generation: 3})
		var text strings.Builder
		if err := p.WriteText(&text, plan.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if p.Refused == nil || p.Refused.Code != plan.RefusedAccess || !strings.Contains(text.String(), "workload:ci gains observe, plan on node") || !strings.Contains(text.String(), c.risk) {
			t.Errorf("%s: %+v\n%s", name, p.Refused, text.String())
		}
	}
}
