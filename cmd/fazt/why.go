package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// whyOut is why an app is as it is: a chain of causes, the nearest first.
type whyOut struct {
	App         string           `json:"app"`
	Addr        string           `json:"addr"`
	State       string           `json:"state"`
	Revision    string           `json:"revision,omitempty"` // of what is served
	Wanted      string           `json:"wanted,omitempty"`   // the revision the node looks at
	Causes      []string         `json:"causes"`
	Next        string           `json:"next,omitempty"` // what to do
	Diagnostics spec.Diagnostics `json:"diagnostics,omitempty"`
}

// WriteText says what is, then why, then what to do.
func (o whyOut) WriteText(w *op.Screen) error {
	w.Printf("%s is %s", o.App, strings.ReplaceAll(redState(w, o.State), "_", " "))
	if o.Revision != "" {
		w.Printf(", at %s", short(o.Revision))
	}
	w.Printf("\n")
	for i, cause := range o.Causes {
		w.Printf("%s- %s\n", strings.Repeat("  ", i+1), cause)
	}
	o.Diagnostics.WriteText(w, spec.TextOptions{Color: w.Color})
	if o.Next != "" {
		w.Printf("next: %s\n", o.Next)
	}
	return nil
}

func whyOps(n *node) []op.Op {
	return []op.Op{op.New(op.Row{
		Name: "why", Group: groupLook, Summary: "explain why an app is as it is, and what to do", Effect: op.Read, Needs: op.Observe, Since: "0.2.0",
		Detail:   "Follows the chain: the app's own faults, whom it waits for and why, who holds it, what is wrong with the node.",
		Examples: []op.Example{{Command: "why blog"}, {Command: "@prod why app.site[\"docs\"]"}},
		Exits:    map[int]string{6: "nobody knows such an app"},
	}, on(n, func(ctx context.Context, n *node, in appNameIn) (whyOut, error) { return n.why(ctx, in.App) }))}
}

func (n *node) why(ctx context.Context, name string) (whyOut, error) {
	addr, err := n.addrOf(ctx, name)
	if err != nil {
		return whyOut{}, err
	}
	s := n.loop.Status()
	out := whyOut{App: addr.Name(), Addr: string(addr), State: "in the trash", Wanted: s.Desired, Causes: []string{}}
	if o, served, err := n.observe(ctx, addr); err != nil {
		return out, err
	} else if served {
		out.State, out.Revision = string(reconcile.AppLive), o.Revision
		if o.Unmanaged {
			out.State = string(reconcile.AppUnmanaged)
		}
	}
	for _, h := range s.Holds {
		if h.Kind == reconcile.Pinned {
			out.Wanted = h.Revision // whatever is newer is not looked into
		}
	}
	out.follow(s, addr, map[spec.Addr]bool{})
	if len(out.Causes) == 0 && out.State == "in the trash" {
		p, err := n.parked(ctx, string(addr))
		if err != nil {
			return out, err
		}
		out.cause("%s no longer asked for it (%s)", short(p.Gone), strings.ReplaceAll(p.Reason, "_", " "))
		out.cause("it can be restored until %s", p.Until.Format(time.DateOnly))
		out.Next = "fazt trash restore " + out.App
	}
	out.node(s)
	return out, nil
}

// cause adds a link to the chain.
func (o *whyOut) cause(format string, args ...any) {
	o.Causes = append(o.Causes, fmt.Sprintf(format, args...))
}

// next says what to do, unless a nearer cause has said it.
func (o *whyOut) next(text string) {
	if o.Next == "" {
		o.Next = text
	}
}

// follow adds the causes of one app, and of those it waits for.
func (o *whyOut) follow(s *reconcile.Status, addr spec.Addr, seen map[spec.Addr]bool) {
	if seen[addr] {
		return
	}
	first := len(seen) == 0
	seen[addr] = true
	subject := "it"
	if !first {
		subject = string(addr)
	}
	for _, h := range s.Holds {
		if h.Addr == addr {
			o.hold(h, subject)
		}
	}
	if i := slices.IndexFunc(s.Apps, func(a reconcile.AppStatus) bool { return a.Addr == addr }); i >= 0 {
		o.own(s, s.Apps[i], subject, first)
	}
	if s.Remaining == nil {
		return
	}
	for _, c := range s.Remaining.Changes {
		if c.Addr == addr {
			o.change(s, c, subject, seen)
		}
	}
}

// own adds what the last pass found wrong with an app by itself.
func (o *whyOut) own(s *reconcile.Status, a reconcile.AppStatus, subject string, first bool) {
	if first {
		o.State = string(a.State)
	}
	switch a.State {
	case reconcile.AppStalled:
		what := "is not valid in"
		if a.Code == fault.CodeUnhealthy {
			what = "was not healthy in"
		}
		o.cause("%s %s %s: %s", subject, what, short(o.Wanted), a.Message)
		o.Diagnostics = append(o.Diagnostics, a.Diagnostics...)
		o.next("mend it and push; what is served stays as it is")
	case reconcile.AppFailed:
		o.cause("%s could not be prepared, and is tried again: %s", subject, a.Message)
		o.next("fazt sync --wait tries at once")
	case reconcile.AppUnmanaged:
		o.cause("no block declares %s, and nothing removes it", subject)
		o.next("declare it again to have it follow, or leave it")
	case reconcile.AppUnavailable:
		o.cause("no block declares %s, and it %s", subject, a.Message)
		if why := s.LostWhy[a.Addr]; why != nil {
			o.next(why.Hint)
		}
		o.next("its data is kept: mend that and start the node again, or declare the app")
	case reconcile.AppDisabled:
		o.cause("%s has enabled = false", subject)
	case reconcile.AppHeld:
		if strings.HasPrefix(a.Message, "waits for ") {
			o.cause("%s %s, which has its host", subject, a.Message)
		}
	}
}

// hold adds somebody's word.
func (o *whyOut) hold(h reconcile.Hold, subject string) {
	text := strings.Replace(h.String(), string(h.Addr), subject, 1) + " by " + h.Actor + ", " + ago(h.Since)
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	if !h.Until.IsZero() {
		text += " (until " + h.Until.Format(time.RFC3339) + ")"
	}
	o.cause("%s", text)
	if h.Kind == reconcile.RolledBack && h.Revision != "" && !strings.HasPrefix(h.Revision, "dir:") {
		o.next("mend it in git (git revert " + short(h.Revision) + "), or: fazt resume --app " + h.Addr.Name())
	}
	o.next("fazt resume --app " + h.Addr.Name())
}

// change adds why a change is not carried out.
func (o *whyOut) change(s *reconcile.Status, c plan.Change, subject string, seen map[spec.Addr]bool) {
	if c.Protected {
		o.cause("%s is protected, and %s removes it", subject, short(s.Desired))
		o.next("take protect off in one commit, remove the block in the next")
	}
	for _, by := range c.Waits {
		o.cause("%s removes %s, which waits for %s: nothing is removed while that cannot be read", short(s.Desired), subject, by)
		o.follow(s, by, seen)
	}
	for _, by := range c.BlockedBy {
		o.cause("%s waits for %s, which keeps a host it wants", subject, by)
		o.follow(s, by, seen)
	}
}

// node adds what keeps the whole node.
func (o *whyOut) node(s *reconcile.Status) {
	for _, h := range s.Holds {
		if h.Addr == "" && h.Kind != reconcile.Approved {
			o.cause("%s", heldBy(h))
			o.next("fazt resume")
		}
	}
	p := s.Problem
	if p == nil || len(p.Apps) > 0 { // of apps: this one has told its own
		return
	}
	if !slices.ContainsFunc(o.Causes, func(cause string) bool { return strings.Contains(p.Message, cause) }) {
		o.cause("the node: %s", p.Message)
		o.next(p.Hint)
	}
}

// heldBy says who holds something back, and why.
func heldBy(h reconcile.Hold) string {
	text := h.String() + " by " + h.Actor
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	return text
}
