package main

import (
	"context"
	"testing"

	"github.com/fazt-sh/fazt/reconcile"
)

// Whoever follows gets the past, then what happens, and ends when he goes.
func TestEventsFollow(t *testing.T) {
	r := newRig(t)
	if exit, out := r.fazt("apply", r.site, "--yes"); exit != 0 {
		t.Fatal(out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan eventView)
	done := make(chan error, 1)
	go func() {
		done <- r.events(ctx, eventsIn{Follow: true, Limit: 50}, func(e eventView) error {
			select {
			case got <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	if e := <-got; e.Action != "apply" {
		t.Errorf("the past begins with %+v", e)
	}
	last := uint64(1)
	if _, err := r.node.hold(ctx, "pause", reconcile.Hold{Kind: reconcile.Paused, Reason: "a test"}, ""); err != nil {
		t.Fatal(err)
	}
	for {
		e := <-got
		if e.Seq <= last {
			t.Fatalf("%d after %d", e.Seq, last)
		}
		last = e.Seq
		if e.Action == "pause" {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
