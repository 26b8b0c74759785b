package edge

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/spec"
)

// workloads are the programs that issuers vouch for, as objects declare them.
func (s *Server) workloads(objects []spec.Object, console string) (list []gate.Workload) {
	issuers := s.issuers()
	for i := range objects {
		o := &objects[i]
		if o.Kind != spec.KindWorkload { // before anything is made: there are many apps
			continue
		}
		var declared spec.Workload
		if json.Unmarshal(o.Spec, &declared) != nil {
			continue
		}
		by := issuers[declared.Issuer]
		if by == nil {
			by = provider.NewIssuer(declared.Issuer, nil, s.config.Now)
			issuers[declared.Issuer] = by
		}
		made := gate.Workload{Name: o.Name, Issuer: declared.Issuer, Audience: cmp.Or(declared.Audience, "https://"+console), Claims: declared.Claims, By: by}
		for _, role := range declared.Roles {
			made.Roles = append(made.Roles, strings.TrimPrefix(role, "role:"))
		}
		list = append(list, made)
	}
	return list
}

// issuers are those that are known already, with their keys: a change of something
// else is no reason to ask them again.
func (s *Server) issuers() map[string]*provider.Issuer {
	known := map[string]*provider.Issuer{}
	if n := s.current.Load(); n != nil && n.people != nil {
		for _, w := range n.people.policy.Workloads {
			known[w.Issuer] = w.By
		}
	}
	return known
}
