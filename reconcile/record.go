package reconcile

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// release is what the ledger is told of a new generation.
func (l *Loop) release(p *pass) (Commit, *Problem) {
	c := Commit{
		Generation: l.last.Generation + 1, Revision: p.revision(), Node: p.loaded.spec.Node,
		Author: p.art.Author, Subject: p.art.Subject,
	}
	kept := keptBackBy(p)
	l.compareReleases(p, &c, kept)
	blameless(kept)
	l.recordEnds(p, &c)
	was := byAddr(p.actual)
	for _, o := range c.Put {
		old, exists := was.get(o.Addr)
		if o.Kind == spec.KindApp && (!o.Unmanaged || !exists || !sameRelease(old, o)) {
			d := p.deployment(o)
			d.Outcome, d.Generation = DeployLive, c.Generation
			c.Deployments = append(c.Deployments, d)
			delete(l.reported, o.Addr)
		}
	}
	c.Deployments = append(c.Deployments, l.failures(p, kept)...)
	outcome := p.outcome(kept)
	if outcome == Unchanged {
		outcome = Applied // as it will be once this is written
	}
	problem := p.problem(outcome, kept)
	c.Entry = p.entry(outcome, problem, c.Generation)
	if p.adjust == nil {
		c.Entry.Applied = c.Revision
	} else {
		c.Entry.Seen, c.Entry.Attempted = "", ""
		c.Entry.Holds, c.Entry.Purged = p.adjust.Hold, p.adjust.Purge
	}
	c.Entry.Freed = l.freed(p)
	if p.apply != nil && p.apply.Saved != nil {
		c.Plan = p.apply.Saved.Plan.ID
	}
	return c, problem
}

// compareReleases finds what was created or changed, and what is gone.
func (l *Loop) compareReleases(p *pass, c *Commit, kept map[spec.Addr]keptBack) {
	was, now := byAddr(p.actual), byAddr(p.objects)
	for _, o := range p.objects {
		old, exists := was.get(o.Addr)
		if !exists || !sameRelease(old, o) || old.Unmanaged != o.Unmanaged {
			c.Put = append(c.Put, o)
		}
	}
	for _, o := range p.actual {
		stays := now.has(o.Addr)
		if _, broken := keptBy(kept, o.Addr); !stays && !broken && !p.stillAbsent(o.Addr) {
			c.Drop = append(c.Drop, o.Addr)
		}
	}
	c.Drop = append(c.Drop, l.forgotten(p)...)
}

// sameRelease reports whether an app is what it was, its data included.
func sameRelease(a, b spec.Object) bool { return plan.Same(a, b) && a.Data == b.Data }

// recordEnds says of each app that no block declares any more what became of
// it, and of each that has a new address or came back where it was.
func (l *Loop) recordEnds(p *pass, c *Commit) {
	was, now := byAddr(p.actual), byAddr(p.objects)
	for _, change := range p.plan.Changes {
		if change.Kind != spec.KindApp || !change.Open() {
			continue
		}
		addr := change.Addr
		old, _ := was.get(addr)
		switch becomes, stays := now.get(addr); {
		case change.Action == plan.Park && !stays:
			c.Park = append(c.Park, Parking{Addr: addr, Until: l.config.Clock.Now().UTC().Add(ParkedFor), Reason: string(change.Reason), Revision: c.Revision})
			c.Deployments = append(c.Deployments, p.end(old, DeployParked, c.Generation))
		case change.Action == plan.Delete && !stays:
			c.Delete = append(c.Delete, addr)
			c.Deployments = append(c.Deployments, p.end(old, DeployDeleted, c.Generation))
		case change.Action == plan.Forget:
			c.Deployments = append(c.Deployments, p.end(old, DeployForgotten, c.Generation))
		case change.Action == plan.Move && stays:
			from, _ := was.get(change.From)
			c.Moves = append(c.Moves, Move{From: change.From, To: addr, FromName: from.Name, ToName: becomes.Name})
			c.Drop = slices.DeleteFunc(c.Drop, func(a spec.Addr) bool { return a == change.From })
			d := p.end(becomes, DeployMoved, c.Generation)
			d.Error = "was " + from.Name
			c.Deployments = append(c.Deployments, d)
		}
	}
	parked := byAddr(l.memory.Load().parked)
	for _, o := range c.Put {
		if parked.has(o.Addr) {
			c.Unpark = append(c.Unpark, o.Addr)
		}
	}
}

// end is what became of an app, as a line of its history.
func (p *pass) end(o spec.Object, outcome string, generation uint64) Deployment {
	d := p.deployment(o)
	d.Outcome, d.Generation, d.Files, d.Bytes = outcome, generation, 0, 0
	d.Revision = p.revision()
	return d
}

// parked lists the objects that go to the trash, as they were.
func (p *pass) parked(list []Parking) (objects []spec.Object) {
	was := byAddr(p.actual)
	for _, l := range list {
		o, _ := was.get(l.Addr)
		objects = append(objects, o)
	}
	return objects
}

// freed lists the holds that end with the pass: those it was asked to end, the
// rollbacks that have served their purpose, and an approval that was used.
func (l *Loop) freed(p *pass) []HoldKey {
	keys := slices.Clone(p.settled)
	if p.adjust != nil {
		keys = append(keys, p.adjust.Free...)
	}
	_, pinned := l.memory.Load().hold(Pinned, "")
	if _, approved := l.memory.Load().hold(Approved, ""); approved && p.follows() && !pinned {
		keys = append(keys, HoldKey{Kind: Approved})
	}
	return keys
}

// empty reports whether there is nothing to write down but that a pass was.
func (c Commit) empty() bool {
	return len(c.Put)+len(c.Drop)+len(c.Moves) == 0
}

// forgotten lists what the ledger has, the target lost, and the revision does
// not ask for. No plan has it, as the target does not show it. What no block declares
// is never asked for, and stays.
func (l *Loop) forgotten(p *pass) (list []spec.Addr) {
	if len(l.lost) == 0 || p.adjust != nil {
		return nil
	}
	desired, kept := byAddr(p.loaded.desired), keptBackBy(p)
	for _, o := range l.lost {
		if _, broken := keptBy(kept, o.Addr); !desired.has(o.Addr) && !broken && !o.Unmanaged {
			list = append(list, o.Addr)
		}
	}
	return list
}

func addrsOf(objects []spec.Object) (list []spec.Addr) {
	for _, o := range objects {
		list = append(list, o.Addr)
	}
	return list
}

// settles reports whether the ledger's record of an object is right again.
func (c Commit) settles(addr spec.Addr) bool {
	return slices.Contains(c.Drop, addr) || slices.ContainsFunc(c.Put, func(o spec.Object) bool { return o.Addr == addr })
}

// deployment is an attempt to bring an app to the pass's revision.
func (p *pass) deployment(o spec.Object) Deployment {
	d := Deployment{
		Addr: o.Addr, App: o.Name, Revision: o.Revision, Author: p.art.Author, Subject: p.art.Subject,
		Trigger: p.trigger, Actor: p.actor, Time: p.began.UTC(), Duration: time.Since(p.began),
	}
	if p.adjust != nil {
		d.Subject = p.adjust.reason(o.Addr)
	}
	if o.Content != nil {
		d.Files = len(o.Content.Files)
		for _, f := range o.Content.Files {
			d.Bytes += f.Size
		}
	}
	return d
}

// failures are the attempts that did not go live, each told once for its
// revision and reason however often it is tried.
func (l *Loop) failures(p *pass, kept map[spec.Addr]keptBack) []Deployment {
	desired := byAddr(p.loaded.desired)
	var list []Deployment
	for _, addr := range keysOf(kept) {
		k := kept[addr]
		key := p.art.Revision + "\x00" + string(k.state) + "\x00" + k.message()
		if l.reported[addr] == key {
			continue
		}
		l.reported[addr] = key
		o, known := desired.get(addr)
		if !known {
			o = spec.Object{Addr: addr, Name: nameOf(addr)}
		}
		d := p.deployment(o)
		d.Revision, d.Error, d.Outcome = p.art.Revision, k.message(), DeployStalled
		if k.state == AppFailed {
			d.Outcome = DeployFailed
		}
		list = append(list, d)
	}
	return list
}

// entry is the journal's line on the pass.
func (p *pass) entry(o Outcome, problem *Problem, generation uint64) Entry {
	detail := struct {
		Revision   string      `json:"revision"`
		Generation uint64      `json:"generation,omitempty"`
		PlanID     string      `json:"plan_id,omitempty"`
		Counts     plan.Counts `json:"counts"`
		Problem    string      `json:"problem,omitempty"`
		Code       string      `json:"code,omitempty"`
		Reason     string      `json:"reason,omitempty"`
	}{Revision: p.revision(), Generation: generation, PlanID: p.plan.ID, Counts: p.plan.Counts}
	if problem != nil {
		detail.Problem, detail.Code = problem.Message, problem.Code
	}
	if p.adjust != nil {
		detail.Reason = p.adjust.Reason
		if len(p.adjust.Hold) > 0 {
			detail.Reason = p.adjust.Hold[0].Reason
		}
	}
	text, err := json.Marshal(detail)
	if err != nil { // words and numbers always encode
		text = nil
	}
	e := Entry{
		Time: time.Now().UTC(), Actor: p.actor, Action: p.trigger, Outcome: o, Detail: text,
		Seen: p.wanted().Revision, Attempted: p.art.Revision,
	}
	if p.loaded != nil && p.loaded.spec != nil {
		e.Target = p.loaded.spec.Node
	}
	return e
}

// holdDetail is the journal's account of holds that changed.
func holdDetail(put []Hold, freed []HoldKey) json.RawMessage {
	detail := struct {
		Holds []Hold    `json:"holds,omitempty"`
		Freed []HoldKey `json:"freed,omitempty"`
	}{put, freed}
	text, err := json.Marshal(detail)
	if err != nil { // words and times always encode
		return nil
	}
	return text
}
