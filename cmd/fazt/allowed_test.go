package main

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// handed is somebody by whom a role gives actions on the node.
func handed(t *testing.T, actions ...string) edge.Operator {
	t.Helper()
	body, err := json.Marshal(spec.Role{Members: []string{"a@x.test"}, Grants: []spec.Grant{{Actions: actions, On: []string{access.Node}}}})
	if err != nil {
		t.Fatal(err)
	}
	rules := access.Compile([]spec.Object{{Addr: "role.hand", Kind: spec.KindRole, Name: "hand", Spec: body}})
	return edge.Operator{
		Operator: gate.Operator{Person: &identity.Person{ID: "p", Email: "a@x.test"}},
		View:     rules.View(access.Who{Email: "a@x.test", SignedIn: true}),
	}
}

// TestACommandEndsWithTheRight to give it: who follows something is looked at again, and
// what ended it is said.
func TestACommandEndsWithTheRight(t *testing.T) {
	type answer struct {
		who edge.Operator
		err error
	}
	revoked := fault.New(fault.Unauthenticated, "the token was revoked")
	for name, c := range map[string]struct {
		then answer
		want fault.Kind // "": it goes on
	}{
		"as before":             {answer{who: handed(t, "observe", "plan")}, ""},
		"more":                  {answer{who: handed(t, "observe", "plan", "deploy")}, ""},
		"a permission less":     {answer{who: handed(t, "observe")}, fault.Forbidden},
		"somebody nobody knows": {answer{err: revoked}, fault.Unauthenticated},
	} {
		synctest.Test(t, func(t *testing.T) {
			who := handed(t, "observe", "plan")
			now := atomic.Pointer[answer]{}
			now.Store(&answer{who: who})
			who.Again = func() (edge.Operator, error) { a := now.Load(); return a.who, a.err }
			ctx, end := whileAllowed(t.Context(), who, time.Now)
			defer end(nil)
			time.Sleep(time.Hour)
			if ctx.Err() != nil {
				t.Fatalf("%s: ended before: %v", name, context.Cause(ctx))
			}
			now.Store(&c.then)
			time.Sleep(lookAgain)
			synctest.Wait()
			if got := context.Cause(ctx); (ctx.Err() != nil) != (c.want != "") || ctx.Err() != nil && fault.KindOf(got) != c.want {
				t.Errorf("%s: %v", name, got)
			}
		})
	}
}
