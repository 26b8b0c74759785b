package main

import (
	"context"
	"fmt"
	"os"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// ledger is node.db as the loop sees it: releases and the journal, in one
// transaction.
type ledger struct{ ground *platform.Platform }

// takeOver makes this process the one that may write, and returns what names
// this state. On a full disk neither can be written down: the folder's lock
// must do, as the sites are to be served.
func (n *node) takeOver(ctx context.Context) (lineage string, err error) {
	if err = n.ground.Releases.Lease(ctx, fmt.Sprintf("process %d", os.Getpid())); err == nil {
		lineage, err = n.ground.Releases.Lineage(ctx)
	}
	if fault.KindOf(err) == fault.Unavailable {
		n.cfg.log.Warn("this process is not written down as the folder's owner", "error", err)
		err = nil
	}
	return lineage, err
}

// state is what the ledger remembers at the start. What lies in the trash and
// cannot be read is told, and stays there.
func (l ledger) state(ctx context.Context, gen release.Generation, damaged func(lostRow)) (reconcile.State, error) {
	last := reconcile.State{Generation: gen.Number, Published: gen.Revision, Node: gen.Node, Applied: gen.Revision}
	notes, err := l.ground.Releases.Notes(ctx)
	if err != nil {
		return last, err
	}
	if a := notes[release.Applied].Revision; a != "" {
		last.Applied = a
	}
	holds, err := l.ground.Releases.Holds(ctx)
	if err != nil {
		return last, err
	}
	for _, h := range holds {
		last.Holds = append(last.Holds, reconcile.Hold{
			Kind: reconcile.HoldKind(h.Kind), Addr: spec.Addr(h.Addr), Revision: h.Revision, Version: h.Version,
			Deployment: h.Deployment, Reason: h.Reason, Actor: h.Actor, Since: h.Since, Until: h.Until,
		})
	}
	trash, err := l.ground.Releases.Trash(ctx)
	if err != nil {
		return last, err
	}
	for _, p := range trash {
		if o, err := objectOf(p.Object); err != nil {
			damaged(lostRow{spec.Addr(p.Object.Addr), err, p.Object.Body})
		} else {
			last.Parked = append(last.Parked, o)
		}
	}
	return last, nil
}

// Commit writes a pass.
func (l ledger) Commit(ctx context.Context, c reconcile.Commit) error {
	change, err := changeOf(c)
	if err != nil {
		return err
	}
	err = l.ground.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if err := l.ground.Releases.Commit(tx, change); err != nil {
			return err
		}
		return l.note(tx, c.Entry)
	})
	l.ground.Journal.Announce()
	for i := range c.Deployments {
		c.Deployments[i].ID = change.Deployments[i].ID
	}
	return err
}

// changeOf is a pass in the words of the store.
func changeOf(c reconcile.Commit) (release.Change, error) {
	change := release.Change{
		Generation: release.Generation{
			Number: c.Generation, Revision: c.Revision, Node: c.Node, Author: c.Author, Subject: c.Subject, Time: c.Entry.Time,
		},
		Drop: words(c.Drop), Delete: words(c.Delete), Unpark: words(c.Unpark), Plan: c.Plan,
		Deployments: deploymentsOf(c.Deployments),
	}
	for _, o := range c.Put {
		r, err := rowOf(o)
		if err != nil {
			return change, err
		}
		change.Put = append(change.Put, r)
	}
	for _, p := range c.Park {
		change.Park = append(change.Park, release.Parking{Addr: string(p.Addr), Until: p.Until, Reason: p.Reason, Revision: p.Revision})
	}
	for _, m := range c.Moves {
		change.Move = append(change.Move, release.Move{From: string(m.From), To: string(m.To), FromName: m.FromName, ToName: m.ToName})
	}
	return change, nil
}

// words turns addresses into plain strings.
func words(list []spec.Addr) (plain []string) {
	for _, a := range list {
		plain = append(plain, string(a))
	}
	return plain
}

// Note records what happened without a new generation.
func (l ledger) Note(ctx context.Context, e reconcile.Entry) error {
	defer l.ground.Journal.Announce()
	return l.ground.DB.Write(ctx, func(tx *sqlite.Tx) error { return l.note(tx, e) })
}

func (l ledger) note(tx *sqlite.Tx, e reconcile.Entry) error {
	for mark, revision := range map[release.Mark]string{release.Seen: e.Seen, release.Attempted: e.Attempted, release.Applied: e.Applied} {
		if revision == "" {
			continue
		}
		if err := l.ground.Releases.Note(tx, mark, revision, e.Time); err != nil {
			return err
		}
	}
	if err := l.ground.Releases.Record(tx, deploymentsOf(e.Deployments)); err != nil {
		return err
	}
	if err := l.hold(tx, e); err != nil {
		return err
	}
	_, err := l.ground.Journal.Append(tx, journal.Entry{
		Time: e.Time, Actor: e.Actor, Action: e.Action, Target: e.Target, Outcome: string(e.Outcome), Detail: e.Detail,
	})
	return err
}

// hold writes the holds that came and went, and what left the trash for good.
func (l ledger) hold(tx *sqlite.Tx, e reconcile.Entry) error {
	var put []release.Hold
	for _, h := range e.Holds {
		put = append(put, release.Hold{
			Kind: string(h.Kind), Addr: string(h.Addr), Revision: h.Revision, Version: h.Version,
			Deployment: h.Deployment, Reason: h.Reason, Actor: h.Actor, Since: h.Since, Until: h.Until,
		})
	}
	var free []release.HoldKey
	for _, k := range e.Freed {
		free = append(free, release.HoldKey{Kind: string(k.Kind), Addr: string(k.Addr)})
	}
	if err := l.ground.Releases.SetHolds(tx, put, free); err != nil {
		return err
	}
	return l.ground.Releases.Purge(tx, words(e.Purged))
}

// Spent reports whether a saved plan was carried out.
func (l ledger) Spent(ctx context.Context, plan string) (bool, error) {
	return l.ground.Releases.Spent(ctx, plan)
}
