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

// Queue is one queue of the app, to be sent to.
type Queue interface {
	Send(ctx context.Context, messages ...queue.Message) ([]int64, error)
}

// job is a message as bindings.js sends it.
type job struct {
	Body     json.RawMessage `json:"body"`
	Delay    int64           `json:"delay"` // seconds
	Unique   string          `json:"unique"`
	Priority int             `json:"priority"`
}

func (j job) message() (queue.Message, error) {
	if j.Delay < 0 || j.Delay > century {
		return queue.Message{}, fault.New(fault.Invalid, "delaySeconds is out of range")
	}
	if len(j.Body) == 0 {
		return queue.Message{}, fault.New(fault.Invalid, "the message has no body")
	}
	return queue.Message{Body: j.Body, Delay: time.Duration(j.Delay) * time.Second, Key: j.Unique, Priority: j.Priority}, nil
}

// queueMethods is the shape of Cloudflare's Queues.
func queueMethods(_ string, q Queue) methods {
	return methods{
		"send": on(func(ctx context.Context, _ request, a struct {
			Messages []job `json:"messages"`
		}) (script.Reply, error) {
			messages := make([]queue.Message, len(a.Messages))
			for i, j := range a.Messages {
				var err error
				if messages[i], err = j.message(); err != nil {
					return script.Reply{}, fault.Wrap(fault.Invalid, err, "message %d", i+1)
				}
			}
			sent, err := q.Send(ctx, messages...)
			if err != nil {
				return script.Reply{}, err
			}
			ids := make([]string, len(sent))
			for i, id := range sent {
				ids[i] = strconv.FormatInt(id, 10)
			}
			return value(map[string][]string{"ids": ids})
		}),
	}
}
