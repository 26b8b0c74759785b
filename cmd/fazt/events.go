package main

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/op"
)

type eventsIn struct {
	Follow bool   `help:"go on with what happens from now on" json:"follow"`
	Since  string `placeholder:"1h" help:"from this long ago, or from this time on (2026-11-22T10:00:00Z)" json:"since"`
	Type   string `placeholder:"ACTION" help:"only what was done so: sync, apply, rollback, pause, read" json:"type"`
	Actor  string `placeholder:"WHO" help:"only what they did: ana@example.com, local:1000, token:ID, loop" json:"actor"`
	Limit  int    `default:"50" help:"how many of the past, the newest ones" json:"limit"`
}

// eventView is one line of the journal.
type eventView struct {
	Seq     uint64          `json:"seq"`
	Time    time.Time       `json:"time"`
	Actor   string          `json:"actor"`
	Who     string          `json:"who,omitempty"` // the address of a person, or of whom a token acts as
	Action  string          `json:"action"`
	Target  string          `json:"target,omitempty"`
	Outcome string          `json:"outcome"`
	Detail  json.RawMessage `json:"detail,omitempty"`
}

// WriteText is one line: when, who, what, how it ended.
func (e eventView) WriteText(w *op.Screen) error {
	w.Printf("%s  %-12s %-9s %-10s %s\n", e.Time.Format("2006-01-02 15:04:05"), oneLine(cmp.Or(e.Who, e.Actor)), oneLine(e.Action), oneLine(e.Outcome), oneLine(e.summary()))
	return nil
}

// summary is what a person wants of the detail.
func (e eventView) summary() string {
	var d struct {
		Revision   string `json:"revision"`
		Generation uint64 `json:"generation"`
		Problem    string `json:"problem"`
		Reason     string `json:"reason"`
		actDetail
	}
	if json.Unmarshal(e.Detail, &d) != nil {
		return e.Target
	}
	if d.actDetail != (actDetail{}) {
		return d.words(e.Target)
	}
	var words []string
	for _, word := range []string{short(d.Revision), d.Problem, d.Reason} {
		if word != "" {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return e.Target
	}
	return strings.Join(words, ": ")
}

// eventsPage is how many events are read at once for somebody who follows.
const eventsPage = 1000

func eventOps(n *node) []op.Op {
	row := op.Row{
		Name: "events", Group: groupLook, Summary: "show what happened on a node, and who did it", Effect: op.Read, Needs: op.Observe, Since: "0.2.0",
		Detail:   "The journal, oldest first: every pass that changed something or found something new, every command that changes something, and as `read` every one that shows what apps keep.",
		Examples: []op.Example{{Command: "events --since 1h"}, {Command: "@prod events --follow --json", Note: "a line for each, as it happens"}},
	}
	if n == nil {
		return []op.Op{op.NewStream[eventsIn, eventView](row, nil)}
	}
	return []op.Op{op.NewStream(row, n.events)}
}

// events shows the past, and with Follow goes on until the caller is gone.
func (n *node) events(ctx context.Context, in eventsIn, emit func(eventView) error) error {
	since, err := sinceWhen(in.Since, time.Now())
	if err != nil {
		return err
	}
	if in.Actor, err = n.actorCalled(ctx, in.Actor); err != nil {
		return err
	}
	tell := n.named(ctx, emit)
	f := journal.Filter{Limit: max(in.Limit, 1), Since: since, Action: in.Type, Actor: in.Actor}
	changed := n.ground.Journal.Changed()
	head, err := n.ground.Journal.Head(ctx)
	if err != nil {
		return err
	}
	f.Before = head.Seq + 1
	list, err := n.ground.Journal.List(ctx, f)
	if err != nil {
		return err
	}
	slices.Reverse(list)
	for after := head.Seq; ; {
		for _, e := range list {
			if err := tell(e); err != nil {
				return nil // nobody listens any more
			}
			after = max(after, e.Seq)
		}
		if !in.Follow {
			return nil
		}
		if len(list) == 0 { // nothing more than what was told
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
			changed = n.ground.Journal.Changed()
		}
		if list, err = n.ground.Journal.List(ctx, journal.Filter{After: after, Oldest: true, Action: in.Type, Actor: in.Actor, Limit: eventsPage}); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

func viewOfEvent(e journal.Entry) eventView {
	return eventView{Seq: e.Seq, Time: e.Time, Actor: e.Actor, Action: e.Action, Target: e.Target, Outcome: e.Outcome, Detail: e.Detail}
}

// named emits entries with the addresses of people.
func (n *node) named(ctx context.Context, emit func(eventView) error) func(journal.Entry) error {
	names := map[string]string{}
	return func(e journal.Entry) error {
		v := viewOfEvent(e)
		if _, looked := names[e.Actor]; !looked {
			names[e.Actor] = n.addressOf(ctx, e.Actor)
		}
		v.Who = names[e.Actor]
		return emit(v)
	}
}

// addressOf is the address of a person, or of whom a token acts as, as far as that is
// still known.
func (n *node) addressOf(ctx context.Context, actor string) string {
	switch kind, id, _ := strings.Cut(actor, ":"); kind {
	case "person":
		if p, err := n.ground.People.Person(ctx, id); err == nil {
			return p.Email
		}
	case "token":
		if t, err := n.ground.People.TokenByID(ctx, id); err == nil && t.Person != nil {
			return t.Person.Email
		}
	}
	return ""
}

// actorCalled is the actor that somebody names by an address.
func (n *node) actorCalled(ctx context.Context, name string) (string, error) {
	if !strings.Contains(name, "@") {
		return name, nil
	}
	p, err := n.ground.People.Person(ctx, name)
	return "person:" + p.ID, err
}

// sinceWhen reads a time span that ends now, or a time.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fault.New(fault.Invalid, "--since %q is neither a span nor a time", text).WithHint("write 90m, 24h or 2026-11-22T10:00:00Z")
	}
	return at, nil
}
