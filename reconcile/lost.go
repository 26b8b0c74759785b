package reconcile

import (
	"context"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// setLost remembers what still nobody brought back. Apps among it that no block
// declares are absent: no revision brings them back or takes them away, so they
// count as there, and each stage tries them again.
func (l *Loop) setLost(lost []spec.Object) {
	l.lost = lost
	var absent []spec.Object
	for _, o := range lost {
		if o.Unmanaged && len(o.Spec) > 0 { // of a damaged record only the address is known
			absent = append(absent, o)
		}
	}
	l.absent.Store(&absent)
}

// there is what the node has: what the target serves, and what is absent.
func (l *Loop) there(ctx context.Context) ([]spec.Object, error) {
	served, err := l.config.Target.Observe(ctx)
	absent := *l.absent.Load()
	if len(absent) == 0 || err != nil {
		return served, err
	}
	all, known := slices.Clone(served), byAddr(served)
	for _, o := range absent {
		if !known.has(o.Addr) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b spec.Object) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
	return all, nil
}

// blamed takes from the faults of a stage those of apps that are as absent as they
// were: nothing in the pass is about them.
func (l *Loop) blamed(p *pass, want []spec.Object, faults []AppFault) (list []AppFault) {
	wanted, absent := byAddr(want), byAddr(*l.absent.Load())
	p.absent = nil
	for _, f := range faults {
		was, is := absent.get(f.Addr)
		if o, _ := wanted.get(f.Addr); is && o.Unmanaged && sameRelease(was, o) {
			p.absent = append(p.absent, f)
		} else {
			list = append(list, f)
		}
	}
	return list
}

// stillAbsent reports whether an app was tried again in vain.
func (p *pass) stillAbsent(addr spec.Addr) bool {
	return slices.ContainsFunc(p.absent, func(f AppFault) bool { return f.Addr == addr })
}

// found takes out of what is lost what the pass has settled, or could serve again.
func (l *Loop) found(p *pass, c Commit) {
	if len(l.lost) == 0 {
		return
	}
	now := byAddr(p.objects)
	l.setLost(slices.DeleteFunc(slices.Clone(l.lost), func(o spec.Object) bool { return c.settles(o.Addr) || o.Unmanaged && now.has(o.Addr) }))
	for _, f := range p.absent {
		l.why[f.Addr] = f.Err
	}
}

// appsOf is what the apps are by themselves: those in service, as a pass has found
// them, and those that are absent.
func (l *Loop) appsOf(listed []AppStatus) []AppStatus {
	lost := byAddr(l.lost)
	listed = slices.DeleteFunc(listed, func(a AppStatus) bool {
		o, is := lost.get(a.Addr)
		return is && o.Unmanaged && (a.State == AppUnmanaged || a.State == AppDisabled)
	})
	for _, o := range l.lost {
		if o.Unmanaged && !slices.ContainsFunc(listed, func(a AppStatus) bool { return a.Addr == o.Addr }) {
			listed = append(listed, AppStatus{Addr: o.Addr, Name: nameOf(o.Addr), State: AppUnavailable, Message: l.lostFor(o.Addr)})
		}
	}
	slices.SortFunc(listed, func(a, b AppStatus) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
	return listed
}

// lostFor says why something is lost.
func (l *Loop) lostFor(addr spec.Addr) string {
	if err := l.why[addr]; err != nil {
		return "cannot be loaded: " + fault.Message(err)
	}
	return "cannot be loaded"
}

// lostWhy is why each of what is lost is, as far as it is known.
func (l *Loop) lostWhy() map[spec.Addr]*Problem {
	why := map[spec.Addr]*Problem{}
	for _, o := range l.lost {
		if err := l.why[o.Addr]; err != nil {
			why[o.Addr] = problemOf(err)
		}
	}
	return why
}
