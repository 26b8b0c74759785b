package plan

import (
	"encoding/json"
	"slices"

	"github.com/fazt-sh/fazt/spec"
)

// peopleAttributes are what an oauth, mail or login block says, in the units of
// the language; all of what holds, or what is written. What cannot be read says
// nothing.
func peopleAttributes(o spec.Object, all bool) map[string]any {
	switch o.Kind {
	case spec.KindOAuth:
		var v spec.OAuth
		_ = json.Unmarshal(o.Spec, &v)
		if all {
			v = v.Filled()
		}
		return sealing(v.Written())
	case spec.KindMail:
		var m spec.Mail
		_ = json.Unmarshal(o.Spec, &m)
		if all {
			m = m.Filled()
		}
		return sealing(m.Written())
	default:
		var g spec.Login
		_ = json.Unmarshal(o.Spec, &g)
		if !all {
			return g.Written()
		}
		attrs := g.Filled().Written()
		attrs["passkeys"] = !g.NoPasskeys
		return attrs
	}
}

// sealing shows secrets among arguments by their names.
func sealing(args map[string]any) map[string]any {
	for name, v := range args {
		if value, is := v.(spec.EnvValue); is {
			args[name] = settings(map[string]spec.EnvValue{name: value})[name]
		}
	}
	return args
}

// peopleRisks says what becomes of those who sign in.
func peopleRisks(c *Change) {
	switch {
	case c.Kind == spec.KindOAuth && c.Action == Delete:
		c.warn(spec.RiskHigh, "who signs in by %s cannot any more; accounts and sessions stay", c.Addr)
	case c.Kind == spec.KindMail && c.Action == Delete:
		c.warn(spec.RiskHigh, "nobody can sign in by a message any more")
	}
	if c.Action != Update {
		return
	}
	if c.Kind == spec.KindWorkload && slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Path != "roles" }) {
		c.warn(spec.RiskHigh, "other programs are this workload from then on: those whose tokens say so")
	}
	for _, f := range c.Fields {
		switch {
		case c.Kind == spec.KindOAuth && (f.Path == "issuer" || f.Path == "tenant"):
			c.warn(spec.RiskHigh, "people are known by the issuer: who comes from another one is a stranger, unless their address is verified and known")
		case c.Kind == spec.KindOAuth && f.Path == "client_id":
			c.warn(spec.RiskMedium, "the next sign-in asks as another client; accounts and sessions stay")
		case f.Path == "email" && string(f.After) == `"off"`:
			c.warn(spec.RiskHigh, "nobody can sign in by a message any more")
		case f.Path == "passkeys" && string(f.After) == "false":
			c.warn(spec.RiskHigh, "who signs in by a passkey cannot any more")
		}
	}
}
