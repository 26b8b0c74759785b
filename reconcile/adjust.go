package reconcile

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// Adjustment changes a node without a new revision: holds come and go, releases
// that the node has kept go back into service. It needs no repository, no
// loader and no network.
type Adjustment struct {
	Put   []spec.Object // releases to serve, contents with blobs
	Drop  []spec.Addr   // apps to park
	Hold  []Hold        // Since and Actor are filled in, and for a rollback Version and Revision
	Free  []HoldKey     // holds that end; those that are not there are ignored
	Purge []spec.Addr   // what leaves the trash for good

	Data map[spec.Addr]string // apps that get the data of another folder, which is complete; among them may be those of Put

	Reason  string // why, where no hold says it
	Actor   string
	Trigger string // "rollback", "pause", … : for the journal and the history
	DryRun  bool   // make the plan, change nothing
}

// reason is why an app is adjusted, as far as anybody said.
func (a *Adjustment) reason(addr spec.Addr) string {
	i := slices.IndexFunc(a.Hold, func(h Hold) bool { return h.Addr == addr })
	if i < 0 {
		return a.Reason
	}
	return a.Hold[i].Reason
}

// Adjust carries an adjustment out, wholly or not at all. The result has the
// plan also where the error is set. A source, if there is one, is looked at
// afterwards.
func (l *Loop) Adjust(ctx context.Context, a Adjustment) (Result, error) {
	return l.ask(ctx, func(ctx context.Context) (Result, error) { return l.adjust(ctx, &a) })
}

// adjust is Adjust on the loop's goroutine.
func (l *Loop) adjust(ctx context.Context, a *Adjustment) (Result, error) {
	if err := l.complete(ctx, a); err != nil {
		return Result{}, err
	}
	if len(a.Put)+len(a.Drop)+len(a.Data) == 0 {
		return l.jot(ctx, a)
	}
	p := &pass{cause: cause{trigger: a.Trigger, actor: a.Actor}, adjust: a}
	l.pass(ctx, p)
	if p.committed {
		l.poke(own("trigger")) // the source is looked at in the new light, which is no rollback
	}
	return p.result, p.err
}

// complete fills in what the loop knows of the holds.
func (l *Loop) complete(ctx context.Context, a *Adjustment) error {
	a.Hold = slices.Clone(a.Hold)
	for i := range a.Hold {
		h := &a.Hold[i]
		h.Since, h.Actor = l.config.Clock.Now().UTC(), a.Actor
		if h.Kind != Pinned && h.Kind != Approved {
			continue
		}
		if l.config.Source == nil {
			return fault.New(fault.Conflict, "this node follows no repository, there is no revision to %s", h.Kind)
		}
		art, err := l.config.Source.At(ctx, h.Revision)
		if err != nil {
			return err
		}
		h.Revision = art.Revision
	}
	return nil
}

// jot writes down an adjustment that serves nothing else.
func (l *Loop) jot(ctx context.Context, a *Adjustment) (Result, error) {
	result := Result{Outcome: Unchanged, Revision: l.last.Applied, Generation: l.last.Generation}
	if a.DryRun || len(a.Hold)+len(a.Free)+len(a.Purge) == 0 {
		return result, nil
	}
	held := l.memory.Load()
	freed := slices.DeleteFunc(slices.Clone(a.Free), func(k HoldKey) bool {
		_, there := held.hold(k.Kind, k.Addr)
		return !there
	})
	e := Entry{
		Time: time.Now().UTC(), Actor: a.Actor, Action: a.Trigger, Outcome: Applied, Target: l.Status().Node,
		Holds: a.Hold, Freed: freed, Purged: a.Purge, Detail: holdDetail(a.Hold, freed),
	}
	if err := l.config.Ledger.Note(context.WithoutCancel(ctx), e); err != nil {
		return result, err
	}
	failpoint.Reached("loop.noted")
	l.remember(held.with(a.Hold, freed).withParked(nil, a.Purge))
	result.Outcome = Applied
	l.poke(cause{trigger: a.Trigger, actor: a.Actor})
	return result, nil
}

// readjust makes the desired state of an adjustment: what the node has, but for
// what is to come and go. What comes back keeps the end that the app has now:
// only a commit takes protection off. It keeps the data too: a release says
// which it had, and time has gone on since.
func (l *Loop) readjust(p *pass) {
	a := p.adjust
	objects := make(map[spec.Addr]spec.Object, len(p.actual))
	for _, o := range p.actual {
		objects[o.Addr] = o
	}
	a.Put = slices.Clone(a.Put)
	for i, o := range a.Put {
		if now, serves := objects[o.Addr]; serves {
			a.Put[i] = o.WithEndOf(now)
			a.Put[i].Data = now.Data
		}
	}
	for _, addr := range a.Drop {
		delete(objects, addr)
	}
	for _, o := range a.Put {
		objects[o.Addr] = o
	}
	for addr, data := range a.Data {
		if o, there := objects[addr]; there {
			o.Data = data
			objects[addr] = o
		}
	}
	p.loaded = &loaded{revision: l.last.Published, spec: &spec.Spec{Node: l.Status().Node}, stalled: map[spec.Addr]spec.Diagnostics{}, faults: map[spec.Addr]error{}}
	for _, o := range p.actual {
		if _, dropped := objects[o.Addr]; dropped {
			p.loaded.desired = append(p.loaded.desired, objects[o.Addr])
			delete(objects, o.Addr)
		}
	}
	for _, addr := range keysOf(objects) {
		p.loaded.desired = append(p.loaded.desired, objects[addr])
	}
	slices.SortFunc(p.loaded.desired, func(a, b spec.Object) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
	l.quarantine(p)
}

// quarantine completes the holds of a rollback with what the app is now. An app
// that goes back once more keeps its earlier versions in quarantine too, but
// for the one that it goes back to.
func (l *Loop) quarantine(p *pass) {
	was, put := byAddr(p.actual), byAddr(p.adjust.Put)
	for i := range p.adjust.Hold {
		h := &p.adjust.Hold[i]
		if h.Kind != RolledBack {
			continue
		}
		var versions []string
		if o, serves := was.get(h.Addr); serves {
			versions, h.Revision = append(versions, plan.Version(o)), o.Revision
		}
		if before, again := l.memory.Load().hold(RolledBack, h.Addr); again {
			versions, h.Revision = append(versions, strings.Fields(before.Version)...), before.Revision
		}
		if o, back := put.get(h.Addr); back {
			target := plan.Version(o)
			versions = slices.DeleteFunc(versions, func(v string) bool { return v == target })
		}
		slices.Sort(versions)
		h.Version = strings.Join(slices.Compact(versions), " ")
	}
	p.adjust.Hold = slices.DeleteFunc(p.adjust.Hold, func(h Hold) bool { return h.Kind == RolledBack && h.Version == "" })
}
