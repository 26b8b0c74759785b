package main

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/queue"
)

// runView is one run of a schedule.
type runView struct {
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"`
	Outcome string    `json:"outcome"` // running, ok, failed, lost
	Error   string    `json:"error,omitempty"`
	Manual  bool      `json:"manual,omitempty"`  // somebody asked for it
	Skipped int       `json:"skipped,omitempty"` // moments that passed meanwhile
}

func viewOfRun(r queue.Run) runView {
	return runView{r.Began, r.Ended, r.Outcome, r.Error, r.Manual, r.Skipped}
}

// cronView is a schedule.
type cronView struct {
	Cron string    `json:"cron"`
	At   string    `json:"at"`
	Zone string    `json:"zone"`
	Next time.Time `json:"next"`
	Last *runView  `json:"last,omitempty"`
}

type cronListOut struct {
	Crons []cronView `json:"crons"`
}

// WriteText prints a table.
func (o cronListOut) WriteText(w *op.Screen) error {
	if len(o.Crons) == 0 {
		return w.Printf("no cron blocks\n")
	}
	var rows [][]string
	for _, c := range o.Crons {
		last := "never"
		if c.Last != nil {
			last = redRun(w, c.Last.Outcome) + ", " + ago(c.Last.Began)
		}
		rows = append(rows, []string{c.Cron, c.At, c.Zone, until(c.Next), last})
	}
	return w.Table([]op.Column{{Name: "CRON", Keep: true}, {Name: "AT"}, {Name: "ZONE"}, {Name: "NEXT (UTC)", Keep: true}, {Name: "LAST", Keep: true}}, rows)
}

type cronRunIn struct {
	App  string `arg:"" help:"name of the app" json:"app"`
	Cron string `arg:"" help:"the cron block" json:"cron"`
	Wait bool   `help:"wait for its end, and say how it was" json:"wait"`
}

type cronRunOut struct {
	Cron string   `json:"cron"`
	Run  *runView `json:"run,omitempty"` // nil: nobody waited
}

// WriteText says how it went, as far as somebody waited.
func (o cronRunOut) WriteText(w *op.Screen) error {
	switch {
	case o.Run == nil:
		return w.Printf("%s runs; how it went is in: fazt cron list\n", o.Cron)
	case o.Run.Error != "":
		return w.Printf("%s %s after %s: %s\n", o.Cron, redRun(w, o.Run.Outcome), took(o.Run.Ended.Sub(o.Run.Began)), o.Run.Error)
	}
	return w.Printf("%s %s after %s\n", o.Cron, o.Run.Outcome, took(o.Run.Ended.Sub(o.Run.Began)))
}

// Exit is 1 for a run that failed.
func (o cronRunOut) Exit() int {
	if o.Run != nil && o.Run.Outcome != outcomeOK {
		return 1
	}
	return 0
}

const outcomeOK = "ok"

// redRun is how a run ended, red if not well.
func redRun(w *op.Screen, outcome string) string {
	if outcome == "failed" || outcome == "lost" {
		return w.Paint(op.Red, outcome)
	}
	return outcome
}

func cronOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "cron list", Group: groupData, Summary: "list the schedules of an app: when next, and how it went last", Effect: op.Read, Needs: op.DataRead, Since: "0.4.0",
			Examples: []op.Example{{Command: "cron list notes"}}, Exits: map[int]string{6: "there is no such app, or it has no cron blocks"},
		}, on(n, func(ctx context.Context, n *node, in jobsIn) (cronListOut, error) { return n.cronList(ctx, in.App) })),
		op.New(op.Row{
			Name: "cron run", Group: groupData, Summary: "run a schedule of an app now", Effect: op.Change, Needs: op.DataWrite, Since: "0.4.0",
			Detail:   "Beside its own moments, which stay what they are.",
			Examples: []op.Example{{Command: "cron run notes digest --wait"}},
			Exits:    map[int]string{1: "with --wait: it failed", 5: "it is running", 6: "there is no such app or cron block"},
		}, on(n, func(ctx context.Context, n *node, in cronRunIn) (cronRunOut, error) { return n.cronRun(ctx, in) })),
	}
}

func (n *node) cronList(ctx context.Context, app string) (cronListOut, error) {
	out := cronListOut{Crons: []cronView{}}
	b, err := n.jobs(ctx, app)
	if err != nil {
		return out, err
	}
	defer b.Close()
	list, err := b.Jobs.Schedules(ctx)
	for _, p := range list {
		v := cronView{Cron: p.Name, At: p.Spec, Zone: p.Zone, Next: p.Next.UTC()}
		if p.Last != nil {
			last := viewOfRun(*p.Last)
			v.Last = &last
		}
		out.Crons = append(out.Crons, v)
	}
	return out, err
}

// lookEvery is how often somebody who waits for a run looks.
const lookEvery = 100 * time.Millisecond

func (n *node) cronRun(ctx context.Context, in cronRunIn) (cronRunOut, error) {
	out := cronRunOut{Cron: in.Cron}
	b, err := n.jobs(ctx, in.App)
	if err != nil {
		return out, err
	}
	defer b.Close()
	asked := n.ground.Clock.Now()
	if err := b.Jobs.Trigger(ctx, in.Cron); err != nil {
		return out, err
	}
	if !in.Wait {
		return out, nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return out, fault.Wrap(fault.Unavailable, ctx.Err(), "wait for %q", in.Cron)
		case <-tick.C:
		}
		runs, err := b.Jobs.History(ctx, in.Cron, 1)
		if err != nil {
			return out, err
		}
		if len(runs) > 0 && runs[0].Manual && !runs[0].Ended.IsZero() && !runs[0].Began.Before(asked.Truncate(time.Millisecond)) {
			run := viewOfRun(runs[0])
			out.Run = &run
			return out, nil
		}
	}
}
