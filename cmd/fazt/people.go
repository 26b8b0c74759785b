package main

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/gate/mock"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/spec"
)

// gate is what signs people in at this node.
func (n *node) gate() *gate.Gate {
	c := gate.Config{People: n.ground.People, Log: n.cfg.log, Now: n.ground.Clock.Now, Plain: n.cfg.dev, Note: n.noteSignIn, Scopes: scopesOfDevices()}
	if n.cfg.signIn != nil {
		c.Page = n.cfg.signIn.Page
	}
	return gate.New(c)
}

// scopesOfDevices are what programs may ask for by a code: all permissions.
func scopesOfDevices() map[string]string {
	scopes := map[string]string{}
	for _, p := range op.Permissions() {
		scopes[string(p)] = p.Means()
	}
	return scopes
}

// noteSignIn journals what people did at the gate. It must not keep them waiting for
// longer than a write takes, and a journal that cannot be written keeps nobody out.
func (n *node) noteSignIn(ctx context.Context, e gate.Event) {
	entry := journal.Entry{Time: time.Now(), Actor: e.Actor, Action: e.Action, Target: e.Target, Outcome: e.Outcome}
	err := n.ground.DB.Write(context.WithoutCancel(ctx), func(tx *sqlite.Tx) error {
		_, err := n.ground.Journal.Append(tx, entry)
		return err
	})
	n.ground.Journal.Announce()
	if err != nil {
		n.cfg.log.Error("a sign-in was not journalled", "actor", e.Actor, "error", err)
	}
}

// personas are those whom the development provider offers.
func personas(list []spec.Persona) []mock.Persona {
	made := make([]mock.Persona, len(list))
	for i, p := range list {
		made[i] = mock.Persona{Name: p.Name, Email: p.Email, Shown: p.Shown, Role: p.Role}
	}
	return made
}

func namesOf(list []spec.Persona) []string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	return names
}
