package plan

import (
	"bytes"
	"encoding/json"

	"github.com/fazt-sh/fazt/spec"
)

// attributes returns an object's canonical form under the names and in the
// units the language has for it: an app is enabled or not, though only
// "disabled" is written down. What stands in a block inside, or in an object
// of one argument, has the name of both: limits.body, tls.mode.
func attributes(o spec.Object) map[string]any {
	tree, err := decode(o.Spec)
	attrs, ok := tree.(map[string]any)
	if err != nil || !ok {
		return map[string]any{}
	}
	switch o.Kind {
	case spec.KindApp:
		off, _ := attrs["disabled"].(bool)
		delete(attrs, "disabled")
		attrs["enabled"] = !off
		if attrs["limits"] != nil {
			spread(attrs, "limits", appLimits(o).Written())
		}
		if app := program(o); app != nil {
			programAttributes(attrs, app)
		}
	case spec.KindEdge:
		if settings, ok := attrs["tls"].(map[string]any); ok {
			spread(attrs, "tls", settings)
		}
	case spec.KindLimits:
		return limitsAttributes(limits(o))
	case spec.KindOAuth, spec.KindMail, spec.KindLogin:
		return peopleAttributes(o, false)
	case spec.KindSecret:
		var s spec.Secret
		_ = json.Unmarshal(o.Spec, &s) // what cannot be read has no envelope
		attrs["envelope"] = sealedValue{Envelope: spec.EnvelopeDigest(s.Envelope)}
	}
	return attrs
}

// effective returns what holds, for two sides to be compared: what is not
// written down is at its default.
func effective(o spec.Object) map[string]any {
	attrs := attributes(o)
	if app := program(o); app != nil {
		programAttributes(attrs, filled(app))
	}
	switch {
	case o.Kind == spec.KindApp && appLimits(o) != nil:
		all := appLimits(o).Filled()
		spread(attrs, "limits", all.Written())
	case o.Kind == spec.KindEdge && attrs["tls"] != nil:
		spread(attrs, "tls", map[string]any{"mode": attrs["tls"]})
	case o.Kind == spec.KindLimits:
		return limitsAttributes(limits(o).Filled())
	case o.Kind == spec.KindOAuth || o.Kind == spec.KindMail || o.Kind == spec.KindLogin:
		return peopleAttributes(o, true)
	}
	return attrs
}

// spread puts the keys of an attribute in its place.
func spread(attrs map[string]any, name string, keys map[string]any) {
	delete(attrs, name)
	for key, v := range keys {
		attrs[name+"."+key] = v
	}
}

// limits reads the canonical form of the node's limits; what cannot be read
// sets none.
func limits(o spec.Object) (l spec.Limits) {
	_ = json.Unmarshal(o.Spec, &l)
	return l
}

func limitsAttributes(l spec.Limits) map[string]any {
	attrs := l.Written()
	if rate, ok := attrs["requests_per_ip"].(map[string]any); ok {
		spread(attrs, "requests_per_ip", rate)
	}
	return attrs
}

// appLimits reads the limits of an app, nil where it has none.
func appLimits(o spec.Object) *spec.AppLimits {
	var a struct {
		Limits *spec.AppLimits `json:"limits"`
	}
	if bytes.Contains(o.Spec, []byte(`"limits":`)) { // few have them; the others are not decoded
		_ = json.Unmarshal(o.Spec, &a)
	}
	return a.Limits
}
