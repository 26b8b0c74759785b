package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// Effect and Risk are the words of the language schema: what a change does to
// visitors is declared there, attribute by attribute.
type (
	Effect = spec.Effect
	Risk   = spec.Risk
)

// manyApps is the share of a node's apps, in percent, above which a plan says
// how many it touches.
const manyApps = 20

// warn fills in effect, risk and sentences of every change. Some can only be
// told from the whole plan: whether a host moves or goes, how many apps.
func warn(changes []Change, actual []spec.Object) {
	j := judge{effects: map[string]effectRisk{}, lost: map[string]spec.Addr{}, gained: map[string]spec.Addr{}}
	for _, c := range changes {
		j.note(c)
	}
	apps := 0
	for _, o := range actual {
		if o.Kind == spec.KindApp {
			apps++
		}
	}
	for i := range changes {
		j.judge(&changes[i])
	}
	warnMany(changes, apps)
}

// judge knows the whole plan.
type judge struct {
	effects      map[string]effectRisk // by kind and argument
	lost, gained map[string]spec.Addr  // hosts that change hands in open changes
	domain       [2]string             // the edge's, before and after, where it changes
}

type effectRisk struct {
	effect Effect
	risk   Risk
}

// note remembers which hosts an open change gives up and takes.
func (j *judge) note(c Change) {
	for _, f := range c.Fields {
		if c.Kind == spec.KindEdge && f.Path == "domain" {
			j.domain = [2]string{word(f.Before), word(f.After)}
		}
	}
	if c.Kind != spec.KindApp || !c.Open() {
		return
	}
	before, after := hostChange(c)
	for _, host := range before {
		j.lost[host] = c.Addr
	}
	for _, host := range after {
		j.gained[host] = c.Addr
	}
}

// judge fills in one change.
func (j *judge) judge(c *Change) {
	c.Effect, c.Risk = outcome(*c)
	if c.Action == Update || c.Action == Replace {
		for _, f := range c.Fields {
			e := j.effectOf(c.Kind, argument(f.Path))
			c.Effect, c.Risk = worseEffect(c.Effect, e.effect), worse(c.Risk, e.risk)
		}
		for _, b := range c.Bindings {
			j.bindingRisk(c, b)
		}
	}
	c.Risks = []Warning{}
	switch c.Kind {
	case spec.KindApp:
		j.appRisks(c)
	case spec.KindEdge:
		edgeRisks(c)
	case spec.KindLimits:
		limitsRisks(c)
	case spec.KindOAuth, spec.KindMail, spec.KindLogin, spec.KindWorkload:
		peopleRisks(c)
	}
}

// outcome is what a change does before its attributes are looked at.
func outcome(c Change) (Effect, Risk) {
	app := c.Kind == spec.KindApp
	switch {
	case c.Action == Replace:
		return spec.EffectReplace, spec.RiskHigh
	case c.Action.Removes() && app:
		return spec.EffectHot, spec.RiskMedium
	case c.Action == Create && app, c.Files != nil, c.Sources != nil:
		return spec.EffectNewDeployment, spec.RiskLow
	default:
		return spec.EffectHot, spec.RiskNone
	}
}

// effectOf asks the schema, once for each argument.
func (j *judge) effectOf(kind spec.Kind, arg string) effectRisk {
	key := string(kind) + "." + arg
	e, known := j.effects[key]
	if !known {
		e.effect, e.risk = spec.EffectOf(kind, arg)
		j.effects[key] = e
	}
	return e
}

// appRisks says who loses or gets an app under a name.
func (j *judge) appRisks(c *Change) {
	lost, gained := hostChange(*c)
	for _, host := range lost {
		if _, moves := j.gained[host]; !moves && !j.renamed(host, gained) {
			c.warn(spec.RiskHigh, "%s will no longer be answered by %s", host, c.Addr)
		}
	}
	for _, host := range gained {
		if from, moves := j.lost[host]; moves && from != c.Addr {
			c.warn(spec.RiskHigh, "%s moves here from %s", host, from)
			c.Requires = append(c.Requires, from)
		}
	}
	slices.Sort(c.Requires)
	c.Requires = slices.Compact(c.Requires)
	if c.Action == Delete {
		data, back := held(*c), "nothing of it can be restored"
		if data != "" {
			back = "the data is set aside for 30 days, and an app of this name gets it by fazt restore (fazt backup list has its id)"
		}
		c.warn(spec.RiskDestructive, "%s is deleted with its releases%s; %s", c.Addr, data, back)
	}
	if c.Action == Replace {
		c.warn(spec.RiskHigh, "%s is taken down and made anew; what it holds is parked", c.Addr)
	}
	if c.Reason == DataRestored {
		c.warn(spec.RiskHigh, "what %s has kept since then is set aside", c.Addr)
	}
	if c.Action == Update && fieldSays(c.Fields, "enabled", "false") {
		c.warn(spec.RiskHigh, "%s will be known, but not served", c.Addr)
	}
	appLimitsRisks(c)
	migrationRisks(c)
}

// renamed reports whether a host only follows the edge's new domain, which the
// edge's own change says for all of them.
func (j *judge) renamed(host string, gained []string) bool {
	name, of := strings.CutSuffix(host, "."+j.domain[0])
	return of && j.domain[0] != "" && slices.Contains(gained, name+"."+j.domain[1])
}

// warnMany tells when a plan takes down or changes a large part of the apps.
// Below two apps gone and five changed a share means nothing.
func warnMany(changes []Change, apps int) {
	gone, touched := 0, 0
	for _, c := range changes {
		if c.Kind != spec.KindApp || !c.Open() || c.Action == Create {
			continue
		}
		touched++
		if c.Action.Removes() {
			gone++
		}
	}
	many := func(n, floor int) bool { return n >= floor && n*100 > apps*manyApps }
	for i := range changes {
		c := &changes[i]
		switch {
		case c.Kind != spec.KindApp || !c.Open() || c.Action == Create:
		case many(gone, 2) && c.Action.Removes():
			c.warn(spec.RiskHigh, "%d of %d apps go out of service", gone, apps)
		case many(touched, 5) && !c.Action.Removes():
			c.warn(spec.RiskMedium, "%d of %d apps change at once", touched, apps)
		}
	}
}

// warn adds a sentence and raises the change's risk to its own.
func (c *Change) warn(r Risk, format string, args ...any) {
	c.Risks = append(c.Risks, Warning{Risk: r, Message: fmt.Sprintf(format, args...)})
	c.Risk = worse(c.Risk, r)
}

// hostChange returns the hosts that a change takes away and adds.
func hostChange(c Change) (lost, gained []string) {
	for _, f := range c.Fields {
		if f.Path == "hosts" {
			gained, lost = listChange(f)
		}
	}
	return lost, gained
}

// listChange returns the words that a list of strings gains and loses.
func listChange(f Field) (added, removed []string) {
	before, after := stringList(f.Before), stringList(f.After)
	return without(after, before), without(before, after)
}

// without returns the words of a that are not in b, in order.
func without(a, b []string) []string {
	skip := make(map[string]bool, len(b))
	for _, s := range b {
		skip[s] = true
	}
	var rest []string
	for _, s := range a {
		if !skip[s] {
			rest = append(rest, s)
		}
	}
	return rest
}

// stringList reads a JSON list of strings; nil for anything else.
func stringList(text json.RawMessage) []string {
	var list []string
	if json.Unmarshal(text, &list) != nil {
		return nil
	}
	return list
}

// fieldSays reports whether an attribute becomes a value, given as JSON.
func fieldSays(list []Field, path, after string) bool {
	return slices.ContainsFunc(list, func(f Field) bool { return f.Path == path && string(f.After) == after })
}

// word reads a JSON string; empty for anything else.
func word(text json.RawMessage) string {
	var s string
	if json.Unmarshal(text, &s) != nil {
		return ""
	}
	return s
}

// rank orders risks and effects; unknown words rank lowest.
func rank[T ~string](v T, order ...T) int { return slices.Index(order, v) }

// worse returns the higher of two risks.
func worse(a, b Risk) Risk {
	order := []Risk{spec.RiskNone, spec.RiskLow, spec.RiskMedium, spec.RiskHigh, spec.RiskDestructive}
	if rank(b, order...) > rank(a, order...) {
		return b
	}
	return a
}

// worseEffect returns the harder of two effects.
func worseEffect(a, b Effect) Effect {
	order := []Effect{spec.EffectHot, spec.EffectNewDeployment, spec.EffectRestart, spec.EffectReplace, spec.EffectDataLoss}
	if rank(b, order...) > rank(a, order...) {
		return b
	}
	return a
}
