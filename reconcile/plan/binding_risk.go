package plan

import (
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// bindingRisk asks the schema what a binding's change does, its arguments by the
// blocks that they stand in.
func (j *judge) bindingRisk(c *Change, b Binding) {
	paths := []string{}
	for _, f := range b.Fields {
		name := strings.Split(f.Path, ".")
		if name[0] == "index" {
			name = []string{"index", name[len(name)-1]}
		}
		paths = append(paths, b.Kind+"."+strings.Join(name, "."))
	}
	for _, path := range paths {
		e := j.effectOf(c.Kind, path)
		c.Effect, c.Risk = worseEffect(c.Effect, e.effect), worse(c.Risk, e.risk)
	}
	if b.Action == Delete && b.Data != "" {
		c.Risk = worse(c.Risk, spec.RiskMedium)
	}
	if b.Migrations != nil {
		c.Effect, c.Risk = worseEffect(c.Effect, spec.EffectNewDeployment), worse(c.Risk, spec.RiskMedium)
	}
}

// held names what goes with an app.
func held(c Change) string {
	var names []string
	for _, b := range c.Bindings {
		if b.Data != "" {
			names = append(names, strings.TrimPrefix(string(b.Addr), string(c.Addr)+"."))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " and its data (" + strings.Join(names, ", ") + ")"
}

// migrationRisks tells of migrations that cannot be what they were when they
// ran, and of those that take something away from what is there.
func migrationRisks(c *Change) {
	if c.Action != Update && c.Action != Move && c.Action != Adopt {
		return
	}
	for _, b := range c.Bindings {
		if b.Migrations == nil {
			continue
		}
		for _, name := range b.Migrations.Drops {
			c.warn(spec.RiskHigh, "migration %s takes away tables or columns with what they hold; a rollback does not bring it back", name)
		}
		for _, name := range b.Migrations.Changed {
			c.warn(spec.RiskHigh, "migration %s was changed; where it ran it does not run again", name)
		}
		for _, name := range b.Migrations.Removed {
			c.warn(spec.RiskMedium, "migration %s is gone; what it made stays", name)
		}
	}
}
