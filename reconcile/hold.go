package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// HoldKind is what a hold does.
type HoldKind string

// The kinds of holds.
const (
	Paused     HoldKind = "pause"    // the node, or an app, takes nothing new
	Pinned     HoldKind = "pin"      // the node is to be at a revision, whatever the repository says
	Approved   HoldKind = "approve"  // a guard lets a revision pass, once
	RolledBack HoldKind = "rollback" // an app went back, until another version of it is asked for
)

// Hold is somebody's word that goes before the repository's. There is at most
// one of a kind for the node and for each app.
type Hold struct {
	Kind       HoldKind  `json:"kind"`
	Addr       spec.Addr `json:"addr,omitempty"`       // the app; empty: the node
	Revision   string    `json:"revision,omitempty"`   // pinned, approved; of a rollback: the one that made the release it left
	Version    string    `json:"version,omitempty"`    // of a rollback: the plan.Versions in quarantine, separated by spaces
	Deployment uint64    `json:"deployment,omitempty"` // of a rollback: where it went back to; 0: to nothing
	Reason     string    `json:"reason,omitempty"`
	Actor      string    `json:"actor"`
	Since      time.Time `json:"since"`          // UTC
	Until      time.Time `json:"until,omitzero"` // UTC; zero: until somebody resumes
}

// HoldKey names a hold.
type HoldKey struct {
	Kind HoldKind  `json:"kind"`
	Addr spec.Addr `json:"addr,omitempty"`
}

// Key names the hold.
func (h Hold) Key() HoldKey { return HoldKey{h.Kind, h.Addr} }

// expired reports whether its time is over.
func (h Hold) expired(now time.Time) bool { return !h.Until.IsZero() && !now.Before(h.Until) }

// quarantines reports whether a rollback's hold is about a version.
func (h Hold) quarantines(version string) bool {
	return slices.Contains(strings.Fields(h.Version), version)
}

// keep is the hold as the planner shows it.
func (h Hold) keep() plan.Keep {
	k := plan.Keep{Kind: string(h.Kind), Actor: h.Actor, Reason: h.Reason}
	if !h.Until.IsZero() {
		k.Until = h.Until.UTC().Format(time.RFC3339)
	}
	return k
}

// String says what is held, and how.
func (h Hold) String() string {
	subject := "the node"
	if h.Addr != "" {
		subject = string(h.Addr)
	}
	switch {
	case h.Kind == Pinned:
		return subject + " is pinned to " + shortRevision(h.Revision)
	case h.Kind == Approved:
		return subject + " may take " + shortRevision(h.Revision)
	case h.Kind == RolledBack && h.Deployment == 0:
		return subject + " is rolled back, out of service"
	case h.Kind == RolledBack:
		return fmt.Sprintf("%s is rolled back to d-%d", subject, h.Deployment)
	default:
		return subject + " is paused"
	}
}

// words says also who holds it, and why.
func (h Hold) words() string {
	text := h.String() + " by " + h.Actor
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	return text
}

// wayOut says how a hold ends.
func (h Hold) wayOut() string {
	switch {
	case h.Kind == RolledBack && h.Revision != "":
		return "mend it in git (git revert " + shortRevision(h.Revision) + "), or take it again: fazt resume --app " + nameOf(h.Addr)
	case h.Addr != "":
		return "fazt resume --app " + nameOf(h.Addr)
	default:
		return "fazt resume"
	}
}

func shortRevision(revision string) string { return revision[:min(len(revision), 12)] }

// memory is what the node keeps besides what it serves. It is immutable; the
// loop replaces it.
type memory struct {
	holds  []Hold        // by kind and address
	parked []spec.Object // by address
}

// hold finds a hold.
func (m *memory) hold(kind HoldKind, addr spec.Addr) (Hold, bool) {
	i := slices.IndexFunc(m.holds, func(h Hold) bool { return h.Key() == HoldKey{kind, addr} })
	if i < 0 {
		return Hold{}, false
	}
	return m.holds[i], true
}

// with returns a memory with other holds.
func (m *memory) with(put []Hold, freed []HoldKey) *memory {
	next := &memory{parked: m.parked}
	for _, h := range m.holds {
		again := slices.ContainsFunc(put, func(n Hold) bool { return n.Key() == h.Key() })
		if !again && !slices.Contains(freed, h.Key()) {
			next.holds = append(next.holds, h)
		}
	}
	next.holds = append(next.holds, put...)
	slices.SortFunc(next.holds, func(a, b Hold) int {
		if c := strings.Compare(string(a.Kind), string(b.Kind)); c != 0 {
			return c
		}
		return strings.Compare(string(a.Addr), string(b.Addr))
	})
	return next
}

// withParked returns a memory with another trash.
func (m *memory) withParked(park []spec.Object, gone []spec.Addr) *memory {
	next := &memory{holds: m.holds}
	for _, o := range m.parked {
		again := slices.ContainsFunc(park, func(n spec.Object) bool { return n.Addr == o.Addr })
		if !again && !slices.Contains(gone, o.Addr) {
			next.parked = append(next.parked, o)
		}
	}
	next.parked = append(next.parked, park...)
	slices.SortFunc(next.parked, func(a, b spec.Object) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
	return next
}

// nextExpiry is when the next hold ends by itself; zero: none does.
func (m *memory) nextExpiry() (first time.Time) {
	for _, h := range m.holds {
		if !h.Until.IsZero() && (first.IsZero() || h.Until.Before(first)) {
			first = h.Until
		}
	}
	return first
}

// expire ends the holds whose time is over. A ledger that cannot be written
// leaves them for the next time.
func (l *Loop) expire(ctx context.Context) {
	var freed []HoldKey
	now := l.config.Clock.Sure()
	for _, h := range l.memory.Load().holds {
		if h.expired(now) {
			freed = append(freed, h.Key())
			l.log.Info("a hold is over", "hold", h.words())
		}
	}
	if len(freed) > 0 {
		l.free(ctx, freed, "expire")
	}
}

// free ends holds outside of a pass.
func (l *Loop) free(ctx context.Context, freed []HoldKey, action string) {
	e := Entry{Time: time.Now().UTC(), Actor: "loop", Action: action, Outcome: Applied, Target: l.Status().Node, Freed: freed}
	if err := l.config.Ledger.Note(context.WithoutCancel(ctx), e); err != nil {
		l.log.Warn("the ledger cannot be written", "error", err)
		return
	}
	l.remember(l.memory.Load().with(nil, freed))
}

// remember replaces what the node keeps, and shows it at once.
func (l *Loop) remember(m *memory) {
	l.memory.Store(m)
	s := *l.Status()
	_, paused := l.paused()
	switch {
	case paused && (s.Phase == Synced || s.Phase == Idle):
		s.Phase, s.Since = Suspended, time.Now()
	case !paused && s.Phase == Suspended:
		s.Phase, s.Since, s.Problem = Synced, time.Now(), nil // a problem of that phase is the hold itself
		if l.last.Generation == 0 {
			s.Phase = Idle
		}
	}
	s.Apps, s.Holds = withHolds(l.apps, m), m.holds
	l.status.Store(&s)
}

// keeps finds the apps that stay as they are though the revision could be
// followed, and the rollbacks that have served their purpose: the revision asks
// for another version by now, or for none.
func (l *Loop) keeps(p *pass) (kept map[spec.Addr]plan.Keep, served []HoldKey) {
	kept = map[spec.Addr]plan.Keep{}
	desired := byAddr(p.loaded.desired)
	for _, h := range l.memory.Load().holds {
		switch {
		case h.Addr == "":
		case h.Kind == Paused:
			kept[h.Addr] = h.keep()
		case h.Kind != RolledBack:
		default:
			o, wanted := desired.get(h.Addr)
			unread := wanted && o.Kind == spec.KindApp && o.Content == nil
			stalled := isStalled(p.loaded.stalled, h.Addr)
			switch {
			case unread || stalled || !wanted && movesFrom(p.loaded.spec.Moved, h.Addr) || wanted && h.quarantines(plan.Version(o)):
				kept[h.Addr] = h.keep()
			default:
				served = append(served, h.Key())
			}
		}
	}
	return kept, served
}

// paused is the hold that keeps the whole node as it is.
func (l *Loop) paused() (Hold, bool) { return l.memory.Load().hold(Paused, "") }

// bases are the revisions the next one may descend from.
func (l *Loop) bases() []string {
	bases := []string{l.last.Applied}
	if h, ok := l.memory.Load().hold(Approved, ""); ok {
		bases = append(bases, h.Revision)
	}
	return bases
}

// approved reports whether somebody let a revision pass the guards.
func (l *Loop) approved(revision string) bool {
	h, ok := l.memory.Load().hold(Approved, "")
	return ok && h.Revision == revision
}

// heldError refuses a request because of a hold.
func heldError(h Hold) error {
	return fault.New(fault.Exhausted, "%s", h.words()).WithHint("%s", h.wayOut())
}

// movesFrom reports whether an address is gone because its app has another one:
// under a new name it is as bad as before.
func movesFrom(moved []spec.Moved, addr spec.Addr) bool {
	block, _, _ := strings.Cut(string(addr), "[")
	return slices.ContainsFunc(moved, func(m spec.Moved) bool { return m.From == addr || m.From == spec.Addr(block) })
}

// isStalled reports whether an app, or the block it is an instance of, could not
// be evaluated.
func isStalled(stalled map[spec.Addr]spec.Diagnostics, addr spec.Addr) bool {
	block, _, _ := strings.Cut(string(addr), "[")
	_, app := stalled[addr]
	_, all := stalled[spec.Addr(block)]
	return app || all
}
