package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// newHostsMost is how many hosts may need their first certificate at once without
// anybody's word: a CA counts what it is asked for by registered domain and week,
// and a slip of the pen could use that up.
const newHostsMost = 20

// newHosts lists the hosts for which the node will ask its CA the first time,
// sorted: those that nobody served, or whose certificates came from elsewhere.
func newHosts(actual, wanted []spec.Object) []string {
	after := certified(wanted)
	if after.ca == "" {
		return nil
	}
	before := certified(actual)
	if before.ca != after.ca {
		return after.hosts
	}
	return slices.DeleteFunc(after.hosts, func(host string) bool {
		_, had := slices.BinarySearch(before.hosts, host)
		return had
	})
}

// authority is whom a node asks for certificates, and for which hosts.
type authority struct {
	ca    string   // empty: it asks nobody
	hosts []string // sorted, each once
}

func certified(objects []spec.Object) (a authority) {
	for _, o := range objects {
		switch o.Kind {
		case spec.KindEdge:
			var edge spec.Edge
			if json.Unmarshal(o.Spec, &edge) == nil && edge.TLS.Mode == spec.TLSACME {
				a.ca = "acme " + edge.TLS.CA
			}
		case spec.KindApp:
			var app struct {
				Hosts    []string `json:"hosts"`
				Disabled bool     `json:"disabled"`
			}
			if json.Unmarshal(o.Spec, &app) == nil && !app.Disabled {
				a.hosts = append(a.hosts, app.Hosts...)
			}
		}
	}
	slices.Sort(a.hosts)
	a.hosts = slices.Compact(a.hosts)
	return a
}

// hostsRefusal is why nobody is asked for so many certificates at once.
func (d *differ) hostsRefusal(hosts []string) *Refusal {
	allowed := max(newHostsMost, d.in.AllowHosts)
	if len(hosts) <= allowed {
		return nil
	}
	hint := "fazt approve " + shortRevision(d.in.Revision)
	if strings.HasPrefix(d.in.Revision, "dir:") {
		hint = fmt.Sprintf("apply it with --allow-hosts %d; where a repository is followed, push it and approve its commit", len(hosts))
	}
	return &Refusal{
		Code:    RefusedHosts,
		Message: fmt.Sprintf("%d hosts need their first certificate, more than %d at once: %s", len(hosts), allowed, someOf(hosts)),
		Hint:    "if that is meant (they are ordered one after the other, five a minute): " + hint,
	}
}
