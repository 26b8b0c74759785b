package main

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// entitled refuses an archive whose app would get a secret that the configuration does
// not give it: who may import must not thereby read what is sealed. It gets what the
// app that it was packed from is given here, in the same way. Where somebody brought
// the file, its code must be that app's too, with the same settings and hosts, as the
// name alone can be written by anybody.
func (n *node) entitled(ctx context.Context, u *unpacked) error {
	var packed, declared spec.App
	if err := json.Unmarshal(u.object.Spec, &packed); err != nil {
		return notAnApp("its declaration cannot be read")
	}
	if len(packed.Secrets()) == 0 {
		return nil
	}
	o, served, err := n.observe(ctx, u.object.Addr)
	if err != nil {
		return err
	}
	if served && !o.Unmanaged {
		if err := json.Unmarshal(o.Spec, &declared); err != nil {
			return fault.Wrap(fault.Internal, err, "read the object %s", o.Addr)
		}
	}
	if secret, as := ungiven(packed, declared); secret != "" {
		return denied(u, "no app %q of this node is given secret.%s as %s", u.object.Name, secret, as)
	}
	if !u.own && !(sameCode(u.object, o) && reflect.DeepEqual(told(packed), told(declared))) {
		return denied(u, "the archive has other code or settings than %q of this node, and would get secret.%s", o.Name, packed.Secrets()[0])
	}
	return nil
}

// denied says what was refused, and the way that takes the code out of the
// configuration and only the data out of the archive.
func denied(u *unpacked, format string, args ...any) error {
	app := u.object.Name
	e := fault.New(fault.Conflict, format, args...).WithSubject(app)
	if u.data() == "" {
		return e.WithHint("declare %s with it in the configuration, which brings its files too", u.object.Addr)
	}
	return e.WithHint("declare %s with it in the configuration; the archive then gives it its data: fazt restore FILE --app %s --confirm %s", u.object.Addr, app, app)
}

// ungiven is a secret that one app has and another has not in the same way, and how.
func ungiven(app, given spec.App) (secret, as string) {
	for _, name := range slices.Sorted(maps.Keys(app.Env)) {
		if v := app.Env[name]; v.Secret != "" && given.Env[name].Secret != v.Secret {
			return v.Secret, "env." + name
		}
	}
	for _, e := range app.Egress {
		i := slices.IndexFunc(given.Egress, func(g spec.Egress) bool {
			return g.Host == e.Host && slices.Equal(g.Methods, e.Methods) && slices.Equal(g.Ports, e.Ports)
		})
		for _, name := range slices.Sorted(maps.Keys(e.Header)) {
			if v := e.Header[name]; v.Secret != "" && (i < 0 || given.Egress[i].Header[name].Secret != v.Secret) {
				return v.Secret, "the header " + name + " to " + e.Host
			}
		}
	}
	return "", ""
}

// sameCode tells whether two releases run the same bytes.
func sameCode(a, b spec.Object) bool {
	return a.Content != nil && b.Content != nil && a.Content.Program != nil && b.Content.Program != nil && a.Content.Program.Code == b.Content.Program.Code
}

// told is what code is told beside requests, and where it may send that. An envelope
// is no part of it: it is sealed to a node.
func told(app spec.App) (list []any) {
	bare := func(values map[string]spec.EnvValue) map[string]spec.EnvValue {
		all := map[string]spec.EnvValue{}
		for name, v := range values {
			v.Envelope = ""
			all[name] = v
		}
		return all
	}
	list = append(list, bare(app.Env), app.Services)
	for _, e := range app.Egress {
		e.Header = bare(e.Header)
		list = append(list, e)
	}
	return list
}
