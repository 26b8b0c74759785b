package access_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

func job(t *testing.T, roles []string, claims map[string]string) spec.Object {
	return object(t, spec.KindWorkload, "ci", spec.Workload{Issuer: "https://id.test", Claims: claims, Roles: roles})
}

// TestWorkload: a program has the roles of its block and is nobody else.
func TestWorkload(t *testing.T) {
	objects := append(house(t), job(t, []string{"role:watcher"}, map[string]string{"repository": "me/site"}))
	rules := access.Compile(objects)
	who, ok := rules.Workload("ci")
	v := rules.View(who)
	if !ok || !v.Can("observe", access.Node, noon) || v.Can("deploy", access.Node, noon) || v.Owner() || !slices.Equal(v.Roles(), []string{"watcher"}) {
		t.Errorf("%v %+v", ok, v.Roles())
	}
	if v.Pass(rules.Gate("app.notes"), "/me", false, noon) {
		t.Error("it counts as somebody who is signed in")
	}
	if _, ok := rules.Workload("cd"); ok {
		t.Error("a workload that no block declares")
	}
	roles, _ := rules.Roles()
	if i := slices.IndexFunc(roles, func(m access.Members) bool { return m.Subject == "role:watcher" }); !slices.Contains(roles[i].Members, "workload:ci") {
		t.Errorf("the role's members are %v", roles[i].Members)
	}
}

// TestCompareWorkloads: who gains by a workload is told, also where it is another
// program by the same name; what is nobody's to visit is not said.
func TestCompareWorkloads(t *testing.T) {
	main := map[string]string{"repository": "me/site", "ref": "refs/heads/main"}
	watcher, deployer := []string{"role:watcher"}, []string{"role:editor"}
	const lost = "[{workload:ci observe app.notes.docs.PAGES false  } {workload:ci observe app.notes/drafts/* false  } {workload:ci observe node false  } " // to the letter
	for name, c := range map[string]struct {
		before, after []spec.Object
		want          string
	}{
		"added":          {nil, []spec.Object{job(t, watcher, main)}, "[{workload:ci observe node true  }]"},
		"removed":        {[]spec.Object{job(t, watcher, main)}, nil, lost[:len(lost)-1] + "]"},
		"the same":       {[]spec.Object{job(t, watcher, main)}, []spec.Object{job(t, watcher, main)}, "[]"},
		"an owner":       {nil, []spec.Object{job(t, []string{"role:owner"}, main)}, "[{workload:ci everything node true  }]"},
		"another role":   {[]spec.Object{job(t, watcher, main)}, []spec.Object{job(t, deployer, main)}, "[{workload:ci observe app.notes.docs.PAGES false  } {workload:ci publish app.notes.docs.PAGES true  } {workload:ci observe app.notes/drafts/* false  } {workload:ci observe node false  }]"},
		"one claim less": {[]spec.Object{job(t, watcher, main)}, []spec.Object{job(t, watcher, map[string]string{"repository": "me/site"})}, lost + "{workload:ci observe node true  }]"},
	} {
		got := access.Compare(append(house(t), c.before...), append(house(t), c.after...))
		if text := fmt.Sprint(got); text != c.want {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}
