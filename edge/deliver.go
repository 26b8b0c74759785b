package edge

import (
	"context"
	"fmt"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/spec"
)

// deliver has the release in service take jobs, or a run of a schedule.
func (s *Server) deliver(ctx context.Context, addr spec.Addr, data string, d queue.Delivery) (queue.Answer, error) {
	n := s.acquire()
	defer n.release()
	site := n.sites[addr]
	if site == nil || site.backend == nil || site.data != data {
		return queue.Answer{}, fault.New(fault.Unavailable, "%s is not in service", addr)
	}
	event, err := binding.Event(d, script.Info{RequestID: newReference(), App: site.name, Release: site.revision[0]})
	if err != nil {
		return queue.Answer{}, err
	}
	said, err := site.backend.program.Event(ctx, event, site.backend.binding.For(ctx, event.Info))
	if err != nil {
		err = site.backend.told(err)
		site.backend.say(s, site.revision[0], script.Line{Level: "error", RequestID: event.Info.RequestID, Text: what(d) + " failed: " + script.Trace(err)})
		return queue.Answer{}, err
	}
	if d.Batch == nil {
		return queue.Answer{}, nil
	}
	return binding.Answer(said, d.Batch)
}

// what names a delivery in the app's log.
func what(d queue.Delivery) string {
	if d.Tick != nil {
		return "cron " + d.Tick.Schedule
	}
	return fmt.Sprintf("a batch of %d of queue %s", len(d.Batch.Jobs), d.Batch.Queue)
}
