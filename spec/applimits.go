package spec

import (
	"cmp"

	"github.com/zclconf/go-cty/cty"
)

// appLimitsBlock is the row of what one app may use.
func appLimitsBlock() Block {
	limit := func(name string, t Type, low, high, doc string) Attribute {
		return Attribute{Name: name, Type: t, Min: low, Max: high, Doc: doc, Effect: EffectHot, Risk: RiskLow, Since: "0.3.0"}
	}
	burst := limit("burst", TypeNumber, "1", "2000000", "requests at once")
	burst.Default = "twice requests_per_second"
	body := limit("body", TypeSize, "1KiB", "1GiB", "the body of a request, in the place of the node's limit")
	body.Default = "the node's"
	return Block{
		Name:    "limits",
		Doc:     "What the app may use, so that a busy app cannot starve the others. What is not set is not limited.",
		Example: "limits {\n  requests_per_second = 200\n  concurrency         = 64\n  storage             = \"10GiB\"\n}",
		Since:   "0.3.0",
		Once:    true,
		Attributes: []Attribute{
			limit("requests_per_second", TypeDecimal, "0.001", "1000000", "requests of all visitors together, on average; above them visitors are told to wait (429)"),
			burst,
			limit("concurrency", TypeNumber, "1", "100000", "requests at work at once"),
			body,
			limit("wall", TypeDuration, "100ms", "1h", "how long one request may take"),
			limit("storage", TypeSize, "1KiB", "1024TiB", "what the app keeps, its content counted: a larger content stalls the app"),
			limit("egress_month", TypeSize, "1MiB", "1024TiB", "what is sent to visitors in a calendar month (UTC)"),
		},
	}
}

// appLimits are the limits of an app, nil where it sets none.
func appLimits(app *decoded, r *reporter) *AppLimits {
	d := app.inside("limits")
	if d == nil {
		return nil
	}
	l := AppLimits{
		RequestsPerSecond: d.decimal("requests_per_second"), Burst: int(d.number("burst")), Concurrency: int(d.number("concurrency")),
		Body: d.number("body"), WallMS: d.number("wall"), Storage: d.number("storage"), EgressMonth: d.number("egress_month"),
	}
	switch {
	case l.RequestsPerSecond > 0:
		drop(&l.Burst, burstOf(l.RequestsPerSecond))
	case l.Burst > 0 && d.values["requests_per_second"] == nil && !r.failed():
		r.error(codeTogether, d.at("burst"), `"limits.burst" has no meaning without "limits.requests_per_second"`, "add requests_per_second, or remove it")
	}
	if l == (AppLimits{}) {
		return nil
	}
	return &l
}

// Filled are the limits that hold. An app that sets none has none; a body of
// zero is the node's.
func (l *AppLimits) Filled() AppLimits {
	if l == nil {
		return AppLimits{}
	}
	all := *l
	if all.RequestsPerSecond > 0 {
		all.Burst = cmp.Or(all.Burst, burstOf(all.RequestsPerSecond))
	}
	return all
}

// Written are the limits that are set, by the names and in the units of the
// language, as in Limits.
func (l *AppLimits) Written() map[string]any {
	w := written{}
	if l == nil {
		return w
	}
	if l.RequestsPerSecond != 0 {
		w["requests_per_second"] = l.RequestsPerSecond
	}
	w.number("burst", l.Burst)
	w.number("concurrency", l.Concurrency)
	w.size("body", l.Body)
	w.duration("wall", l.WallMS)
	w.size("storage", l.Storage)
	w.size("egress_month", l.EgressMonth)
	return w
}

// value are the limits that hold as checks see them: every one is there, null
// where there is none.
func (l *AppLimits) value() cty.Value {
	all := l.Filled()
	number := func(n float64) cty.Value {
		if n == 0 {
			return cty.NullVal(cty.Number)
		}
		return cty.NumberFloatVal(n)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"requests_per_second": number(all.RequestsPerSecond), "burst": number(float64(all.Burst)), "concurrency": number(float64(all.Concurrency)),
		"body": number(float64(all.Body)), "wall": number(float64(all.WallMS) / 1000), "storage": number(float64(all.Storage)),
		"egress_month": number(float64(all.EgressMonth)),
	})
}
