package binding

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/script"
)

// Queue is one queue of an app: its name among the jobs of the app.
type Queue struct {
	Store *queue.Store
	Name  string
}

type sendArgs struct {
	Messages []struct {
		Body     json.RawMessage `json:"body"`
		Delay    int64           `json:"delay"` // seconds
		Unique   string          `json:"unique"`
		Priority int             `json:"priority"`
	} `json:"messages"`
}

// queueMethods is the producer's side of Cloudflare's Queues.
func queueMethods(_ string, q Queue) methods {
	return methods{"send": on(func(ctx context.Context, _ request, a sendArgs) (script.Reply, error) {
		list := make([]queue.Message, len(a.Messages))
		for i, m := range a.Messages {
			switch {
			case len(m.Body) == 0:
				return script.Reply{}, fault.New(fault.Invalid, "message %d has no body", i+1)
			case m.Delay < 0 || m.Delay > century:
				return script.Reply{}, fault.New(fault.Invalid, "the delay of message %d is out of range", i+1)
			}
			list[i] = queue.Message{Body: m.Body, Delay: time.Duration(m.Delay) * time.Second, Key: m.Unique, Priority: m.Priority}
		}
		ids, err := q.Store.Send(ctx, q.Name, list...)
		if err != nil {
			return script.Reply{}, err
		}
		out := make([]string, len(ids))
		for i, id := range ids {
			out[i] = strconv.FormatInt(id, 10)
		}
		return value(map[string][]string{"ids": out})
	})}
}

// Event is what a delivery of an app's queues and schedules is to its code. Bodies
// that are not JSON, which nobody but the app can have put there, are null.
func Event(d queue.Delivery, info script.Info) (script.Event, error) {
	e := script.Event{Kind: "scheduled", Info: info}
	var data any
	switch {
	case d.Tick != nil:
		data = map[string]any{"cron": d.Tick.Spec, "name": d.Tick.Schedule, "scheduledTime": d.Tick.Due.UnixMilli()}
	case d.Batch != nil:
		e.Kind = "queue"
		data = batchOf(d.Batch)
	default:
		return e, fault.New(fault.Internal, "a delivery of nothing")
	}
	text, err := json.Marshal(data)
	e.Data = text
	return e, err
}

// message is a job as core.js reads it.
type message struct {
	ID        string          `json:"id"`
	Timestamp int64           `json:"timestamp"`
	Attempts  int             `json:"attempts"`
	Body      json.RawMessage `json:"body"`
}

func batchOf(b *queue.Batch) any {
	list := make([]message, len(b.Jobs))
	for i, j := range b.Jobs {
		body := json.RawMessage(j.Body)
		if !json.Valid(body) {
			body = json.RawMessage("null")
		}
		list[i] = message{strconv.FormatInt(j.ID, 10), j.Sent.UnixMilli(), j.Attempts, body}
	}
	return map[string]any{"queue": b.Queue, "messages": list}
}

// Answer reads what the queue handler decided. Of a message it did not name, and of
// one that was not in the batch, nothing is said.
func Answer(result json.RawMessage, of *queue.Batch) (queue.Answer, error) {
	var said struct {
		Ack   []string `json:"ack"`
		Retry []struct {
			ID    string   `json:"id"`
			Delay *float64 `json:"delaySeconds"`
		} `json:"retry"`
	}
	a := queue.Answer{Retry: map[int64]time.Duration{}}
	if len(result) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(result, &said); err != nil {
		return a, fault.Wrap(fault.Internal, err, "read what the queue handler decided")
	}
	ids := map[string]int64{}
	for _, j := range of.Jobs {
		ids[strconv.FormatInt(j.ID, 10)] = j.ID
	}
	for _, id := range said.Ack {
		if n, ok := ids[id]; ok {
			a.Ack = append(a.Ack, n)
		}
	}
	for _, r := range said.Retry {
		if n, ok := ids[r.ID]; ok {
			a.Retry[n] = pause(r.Delay)
		}
	}
	return a, nil
}

// pause is what the code asked for, within reason.
func pause(seconds *float64) time.Duration {
	if seconds == nil || !(*seconds >= 0) {
		return queue.Backoff
	}
	return time.Duration(min(*seconds, century)) * time.Second
}
