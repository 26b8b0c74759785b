package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

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
	event, err := eventOf(d)
	if err != nil {
		return queue.Answer{}, err
	}
	event.Info = script.Info{RequestID: newReference(), App: site.name, Release: site.revision[0]}
	said, err := site.backend.program.Event(ctx, event, site.backend.binding.For(ctx, event.Info))
	if err != nil {
		s.logLine(site.name, site.revision[0], script.Line{Level: "error", RequestID: event.Info.RequestID, Text: what(d) + " failed: " + failureText(err)})
		return queue.Answer{}, err
	}
	return answerOf(d, said)
}

// what names a delivery in the app's log.
func what(d queue.Delivery) string {
	if d.Tick != nil {
		return "cron " + d.Tick.Schedule
	}
	return fmt.Sprintf("a batch of %d of queue %s", len(d.Batch.Jobs), d.Batch.Queue)
}

// failureText is an error as the app's developer needs it: with the places in their
// own files.
func failureText(err error) string {
	if e, ok := errors.AsType[*script.Exception](err); ok && e.Stack != "" {
		return e.Error() + "\n" + e.Stack
	}
	return fault.Message(err)
}

// message is a job as the code gets it.
type message struct {
	ID        string          `json:"id"`
	Timestamp int64           `json:"timestamp"` // milliseconds of the epoch
	Attempts  int             `json:"attempts"`
	Body      json.RawMessage `json:"body"`
}

// eventOf is a delivery in the engine's words.
func eventOf(d queue.Delivery) (script.Event, error) {
	var event script.Event
	var data any
	if d.Tick != nil {
		event.Kind = "scheduled"
		data = map[string]any{"cron": d.Tick.Spec, "name": d.Tick.Schedule, "scheduledTime": d.Tick.Due.UnixMilli(), "manual": d.Tick.Manual}
	} else {
		event.Kind = "queue"
		messages := []message{}
		for _, job := range d.Batch.Jobs {
			messages = append(messages, message{strconv.FormatInt(job.ID, 10), job.Sent.UnixMilli(), job.Attempts, json.RawMessage(job.Body)})
		}
		data = map[string]any{"queue": d.Batch.Queue, "messages": messages}
	}
	text, err := json.Marshal(data)
	event.Data = text
	return event, err
}

// verdict is what the code said of each message.
type verdict struct {
	Ack   []string `json:"ack"`
	Retry []struct {
		ID    string   `json:"id"`
		Delay *float64 `json:"delaySeconds"`
	} `json:"retry"`
}

// answerOf is what becomes of the jobs.
func answerOf(d queue.Delivery, said json.RawMessage) (a queue.Answer, err error) {
	if d.Batch == nil || len(said) == 0 {
		return a, nil
	}
	var v verdict
	if err := json.Unmarshal(said, &v); err != nil {
		return a, fault.Wrap(fault.Internal, err, "the answer to a batch cannot be read")
	}
	for _, text := range v.Ack {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			a.Ack = append(a.Ack, id)
		}
	}
	a.Retry = map[int64]time.Duration{}
	for _, again := range v.Retry {
		id, err := strconv.ParseInt(again.ID, 10, 64)
		if err != nil {
			continue
		}
		a.Retry[id] = queue.Backoff
		if again.Delay != nil {
			a.Retry[id] = time.Duration(*again.Delay * float64(time.Second))
		}
	}
	return a, nil
}
