package gate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
)

// Workload is programs that an issuer vouches for, as a configuration says it.
type Workload struct {
	Name     string
	Issuer   string // its address
	Audience string
	Claims   map[string]string // that a token must have, to the letter
	Roles    []string
	By       *provider.Issuer
}

// Program is one of them that asks.
type Program struct {
	Name  string   // of its workloads: "github", or "github+main" of two
	Roles []string // of all of them
	Note  string   // which it was, for the record: me/site 3f9c2e1
}

// Program finds out which program shows a token of an issuer's. Where it is that of
// several workloads it has what each of them has, so that another block takes nothing
// away. An issuer that no workload names is not asked.
func (g *Gate) Program(ctx context.Context, p *Policy, token string) (*Program, error) {
	issuer := provider.IssuerOf(token)
	err := error(fault.New(fault.Unauthenticated, "this token is none of this node's, and of no issuer that it knows").
		WithHint("a workload block names the issuer of a forge's jobs; people's programs send a token fzt_…"))
	sound := map[string]map[string]any{} // claims by audience
	var found *Program
	for i := range p.Workloads {
		w := &p.Workloads[i]
		if issuer == "" || w.Issuer != issuer {
			continue
		}
		claims := sound[w.Audience]
		if claims == nil {
			var bad error
			if claims, bad = w.By.Claims(ctx, token, w.Audience); bad != nil {
				err = bad
				continue
			}
			sound[w.Audience] = claims
		}
		if lacking := w.lacking(claims); lacking != nil {
			err = lacking
			continue
		}
		found = found.with(w, claims)
	}
	if found == nil {
		return nil, err
	}
	return found, nil
}

// lacking says which claim is not what the workload wants. What it wants is not told,
// and what is no text or empty fits nothing.
func (w *Workload) lacking(claims map[string]any) error {
	if len(w.Claims) == 0 {
		return fault.New(fault.Unauthenticated, "the workload %q has no claims, so it is nobody", w.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Claims)) {
		if said, _ := claims[name].(string); said == "" || said != w.Claims[name] {
			return fault.New(fault.Unauthenticated, "this token is sound, but its %s is not that of a workload here", name).
				WithHint("compare `claims` of the workload %q with what the issuer says of the job", w.Name)
		}
	}
	return nil
}

// with adds a workload.
func (f *Program) with(w *Workload, claims map[string]any) *Program {
	if f == nil {
		return &Program{Name: w.Name, Roles: slices.Clone(w.Roles), Note: noteOf(claims)}
	}
	f.Name += "+" + w.Name
	f.Roles = append(f.Roles, w.Roles...)
	return f
}

// noteOf tells which job it was: whose and at which commit, as forges call it.
func noteOf(claims map[string]any) string {
	var parts []string
	for _, names := range [][]string{{"repository", "project_path"}, {"sha"}, {"run_id", "pipeline_id"}} {
		for _, name := range names {
			if text, _ := claims[name].(string); presentable(text) {
				parts = append(parts, fmt.Sprintf("%s=%s", name, text))
				break
			}
		}
	}
	return strings.Join(parts, " ")
}
