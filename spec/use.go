package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// judgeServices stalls the apps that name an app which this node does not have.
// An app that is stalled counts as there: the node keeps what it has of it.
func (w *whole) judgeServices() {
	there := map[Addr]bool{}
	var faults Diagnostics
	for u, i := range w.taken() {
		if len(u.uses[i].services) == 0 {
			continue
		}
		if len(there) == 0 {
			for u, i := range w.taken() {
				there[u.Objects[i].Addr] = true
			}
		}
		for _, s := range u.uses[i].services {
			if !there[s.App] && !w.isStalled(s.App) {
				faults = append(faults, w.noService(u.Objects[i], s, there)...)
			}
		}
	}
	for _, d := range faults {
		w.stalled[d.Address] = append(slices.Clip(w.stalled[d.Address]), d)
	}
}

// noService reports a service that nobody on this node is.
func (w *whole) noService(o Object, s Service, there map[Addr]bool) Diagnostics {
	r := w.report.about(o.Addr, "")
	help := "its where leaves it to other nodes: take it here too, or remove the service"
	var keys []string
	for addr := range there {
		if addr != s.App && s.App.Covers(addr) {
			keys = append(keys, string(addr))
		}
	}
	if slices.Sort(keys); len(keys) > 0 {
		help = "it is several apps; name one of them: " + keys[0]
	} else if strings.Contains(string(s.App), "[") {
		help = "it is no key of that app's for_each, or its where leaves it to other nodes"
	}
	r.error(codeService, hclRange(o.At[fmt.Sprintf("service[%q].app", s.Name)]), fmt.Sprintf("%s is not an app of this node", s.App), help)
	return r.diags
}

// needed leaves out the secrets that nothing of this node uses, and warns of those
// that no app of any node does either.
func (w *whole) needed(shared []Object, warnings *Diagnostics) []Object {
	used := map[string]bool{}
	for u, i := range w.taken() {
		for _, name := range u.uses[i].secrets {
			used[name] = true
		}
	}
	for _, o := range shared {
		for _, name := range secretsOf(o) {
			used[name] = true
		}
	}
	kept := make([]Object, 0, len(shared))
	for _, o := range shared {
		if o.Kind != KindSecret || used[o.Name] {
			kept = append(kept, o)
		}
		if o.Kind == KindSecret && !used[o.Name] && !w.named(o.Name) {
			r := w.report.about(o.Addr, "")
			r.warn(codeUnused, hclRange(o.Range), fmt.Sprintf("no app uses %s", o.Addr), fmt.Sprintf("name it in an app, such as env = { KEY = %s }, or remove it", o.Addr))
			*warnings = append(*warnings, r.diags...)
		}
	}
	return kept
}

// named tells whether an app of any node names a secret, or may: what a stalled
// app says is not known.
func (w *whole) named(secret string) bool {
	return len(w.stalled) > 0 || slices.ContainsFunc(w.units, func(u *Unit) bool { return slices.Contains(u.Secrets, secret) })
}

// secretsOf are the secrets that an object of the node itself uses.
func secretsOf(o Object) (names []string) {
	var v struct {
		ClientSecret EnvValue `json:"client_secret"`
		Password     EnvValue `json:"password"`
	}
	if o.Kind != KindOAuth && o.Kind != KindMail || json.Unmarshal(o.Spec, &v) != nil {
		return nil
	}
	for _, value := range []EnvValue{v.ClientSecret, v.Password} {
		if value.Secret != "" {
			names = append(names, value.Secret)
		}
	}
	return names
}
