package spec

import (
	"cmp"
	"fmt"
)

// How long a session lasts where nobody says.
const (
	defaultIdleMS     = 12 * 3_600_000
	defaultAbsoluteMS = 7 * 86_400_000
)

func loginBlock() Block {
	wait := func(name, usual, doc string) Attribute {
		return Attribute{Name: name, Type: TypeDuration, Default: `"` + usual + `"`, Min: "5m", Max: "365d", Doc: doc, Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"}
	}
	return Block{
		Name: "login", Since: "0.5.0", Once: true,
		Doc:     "How people sign in, and for how long. There is at most one; without it everything is at its default.",
		Example: "login {\n  signup        = \"members\"\n  idle          = \"8h\"\n  second_factor = [role.owner]\n}",
		Attributes: []Attribute{
			{Name: "email", Type: TypeString, Allowed: []string{LoginLink, LoginCode, LoginOff}, Default: "link and code where there is a mail block", Doc: "sign in by a message: a link to follow, a code to type, or not at all", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "passkeys", Type: TypeBool, Default: "true", Doc: "whether people may add passkeys and sign in with them", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "signup", Type: TypeString, Allowed: []string{SignupAnyone, SignupMembers, SignupInvited}, Default: `"` + SignupAnyone + `"`, Doc: "who may become known: anyone whom a provider vouches for, those whom a role or a group names, or those and who was invited", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			wait("idle", "12h", "a session that is not used for as long ends"),
			wait("absolute", "7d", "and any ends after as long"),
			{Name: "second_factor", Type: TypeStrings, Doc: "roles whose members must prove themselves twice, such as role.owner", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
		},
	}
}

// loginThing evaluates the login block, if there is one. mail tells whether the
// node can send any.
func (l *load) loginThing(b *block, mail bool) {
	if b == nil {
		return
	}
	l.sharedThing(b, "login", KindLogin, func(d *decoded, r *reporter) any {
		g := Login{
			Email: d.string("email"), NoPasskeys: !d.bool("passkeys", true), Signup: d.string("signup"),
			IdleMS: d.number("idle"), AbsoluteMS: d.number("absolute"), SecondFactor: l.subjects(d, "second_factor", holders(), r),
		}
		if (g.Email == LoginLink || g.Email == LoginCode) && !mail {
			r.error(codeTogether, d.at("email"), fmt.Sprintf("%q has no meaning without %q", "email", "mail"), "add mail { … }: the node cannot send a message")
		}
		if all := g.Filled(); all.IdleMS > all.AbsoluteMS && !r.failed() {
			at := "idle"
			if d.attrs[at] == nil {
				at = "absolute"
			}
			r.error(codeTogether, d.at(at), `"idle" is longer than "absolute"`, "lower idle, or raise absolute: a session ends with the first of them")
		}
		drop(&g.Signup, SignupAnyone)
		drop(&g.IdleMS, defaultIdleMS)
		drop(&g.AbsoluteMS, defaultAbsoluteMS)
		return g
	})
}

// Filled is how people sign in with the values that hold. An empty Email stays so:
// whether mail is sent is the mail block's to say.
func (g Login) Filled() Login {
	g.Signup = cmp.Or(g.Signup, SignupAnyone)
	g.IdleMS = cmp.Or(g.IdleMS, defaultIdleMS)
	g.AbsoluteMS = cmp.Or(g.AbsoluteMS, defaultAbsoluteMS)
	return g
}

// Written are the arguments that are set, by the names and in the units of the
// language.
func (g Login) Written() map[string]any {
	w := written{}
	w.text("email", g.Email)
	w.truth("passkeys", !g.NoPasskeys, true)
	w.text("signup", g.Signup)
	w.duration("idle", g.IdleMS)
	w.duration("absolute", g.AbsoluteMS)
	if len(g.SecondFactor) > 0 {
		w["second_factor"] = g.SecondFactor
	}
	return w
}
