package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// errOvertaken is the fault of a release that had not proven itself when a newer
// revision came. Nobody is to blame for it.
var errOvertaken = fault.New(fault.Unavailable, "a newer revision came first")

// lookout is what a target calls while it waits for the health of releases: it
// listens where Run cannot, and returns when the source has a newer revision than
// the pass. A poke for nothing ends no wait, or asking often would keep a release
// out for ever. What is heard sets off another pass in any case. It is nil where
// nothing newer would be taken.
func (l *Loop) lookout(p *pass) func(context.Context) error {
	_, pinned := l.memory.Load().hold(Pinned, "")
	_, paused := l.paused()
	if !p.follows() || pinned || paused {
		return nil
	}
	newer := false
	return func(ctx context.Context) error {
		for !newer {
			why, heard := l.hear(ctx, p)
			if !heard {
				return nil
			}
			art, err := l.config.Source.Fetch(ctx, l.bases()...)
			if newer = err == nil && art.Revision != p.art.Revision; newer {
				p.again = &why
			}
		}
		return errOvertaken
	}
}

// hear waits for a reason to look at the source, and keeps it for the next pass:
// false where ctx ends first.
func (l *Loop) hear(ctx context.Context, p *pass) (why cause, heard bool) {
	var poll <-chan time.Time
	if delay := l.delay(); delay >= 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		poll = timer.C
	}
	select {
	case <-ctx.Done():
		return why, false
	case <-poll:
		return own("poll"), true
	case why = <-l.pokes:
	case call := <-l.syncs:
		p.late = append(p.late, call)
		why = call.cause
	}
	p.again = &why
	return why, true
}

// resume sets off the next pass, where a reason for one was heard during this.
func (l *Loop) resume(p *pass) {
	l.waiting = append(l.waiting, p.late...)
	if p.again != nil {
		l.poke(*p.again)
	}
}

// overtaken reports whether a release was given up for a newer revision.
func (p *pass) overtaken() bool {
	if p.err != nil {
		return errors.Is(p.err, errOvertaken)
	}
	return slices.ContainsFunc(p.faults, func(f AppFault) bool { return errors.Is(f.Err, errOvertaken) })
}

// blameless drops the apps that were only overtaken from those that stay behind.
func blameless(kept map[spec.Addr]keptBack) {
	maps.DeleteFunc(kept, func(_ spec.Addr, k keptBack) bool { return errors.Is(k.err, errOvertaken) })
}
