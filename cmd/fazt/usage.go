package main

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/platform/usage"
	"github.com/fazt-sh/fazt/spec"
)

// usageEvery is how much of an app's traffic a crash may leave uncounted.
const usageEvery = 10 * time.Second

// restoreUsage gives the edge what this month's apps had sent before.
func (n *node) restoreUsage(ctx context.Context) error {
	month := time.Now().UTC().Format(usageMonth)
	rows, err := n.ground.Usage.Month(ctx, month)
	if err != nil {
		return err
	}
	of := map[spec.Addr]limit.Usage{}
	for _, r := range rows {
		of[spec.Addr(r.App)] = limit.Usage{Month: r.Month, Bytes: r.Bytes}
	}
	n.edge.RestoreUsage(of)
	return nil
}

const usageMonth = "2006-01"

// runUsage writes down what apps have sent, until ctx ends and once more then. A
// node at rest writes nothing.
func (n *node) runUsage(ctx context.Context) error {
	tick := time.NewTicker(usageEvery)
	defer tick.Stop()
	written := map[spec.Addr]limit.Usage{}
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		n.writeUsage(context.WithoutCancel(ctx), written)
	}
	return nil
}

func (n *node) writeUsage(ctx context.Context, written map[spec.Addr]limit.Usage) {
	var rows []usage.Row
	now := n.edge.Usage()
	for addr, u := range now {
		if u.Bytes > 0 && u != written[addr] {
			rows = append(rows, usage.Row{App: string(addr), Month: u.Month, Bytes: u.Bytes})
		}
	}
	if err := n.ground.Usage.Put(ctx, rows); err != nil {
		n.cfg.log.Warn("what apps have sent is not written down", "error", err)
		return
	}
	for _, r := range rows {
		written[spec.Addr(r.App)] = limit.Usage{Month: r.Month, Bytes: r.Bytes}
	}
}
