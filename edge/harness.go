package edge

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/script"
)

// harness is what "fazt:test" asks while a file of tests runs: it is told what
// begins and ends, does jobs, and hands over what the app asks of other hosts.
type harness struct {
	backend *Backend
	trial   Trial
	program *script.App
	places  []byte // the source map

	over     chan struct{} // closed when nobody answers any more
	once     sync.Once
	outgoing chan *outgoing

	mu     sync.Mutex
	name   string               // guarded by mu: of the test that runs
	began  time.Time            // guarded by mu: likewise
	asked  map[uint64]*outgoing // guarded by mu: not answered yet
	number uint64               // guarded by mu: of the last
}

func newHarness(b *Backend, t Trial, program *script.App, places []byte) *harness {
	return &harness{backend: b, trial: t, program: program, places: places,
		over: make(chan struct{}), outgoing: make(chan *outgoing), asked: map[uint64]*outgoing{}}
}

func (h *harness) end() { h.once.Do(func() { close(h.over) }) }

// endSaid is what "fazt:test" says of a test that ended.
type endSaid struct {
	Name    string `json:"name"`
	Skipped bool   `json:"skipped"`
	Error   string `json:"error"`
	Stack   string `json:"stack"`
}

// Fetch implements binding.Fetcher.
func (h *harness) Fetch(ctx context.Context, q script.Request) (*script.Response, error) {
	at, err := url.Parse(q.URL)
	if err != nil {
		return nil, err
	}
	var body []byte
	if q.Body != nil {
		if body, err = io.ReadAll(q.Body); err != nil {
			return nil, err
		}
	}
	switch at.Path {
	case "/begin":
		var said endSaid
		err = json.Unmarshal(body, &said)
		h.mu.Lock()
		h.name, h.began = said.Name, time.Now()
		h.mu.Unlock()
		h.trial.Begin(said.Name)
	case "/end":
		var said endSaid
		err = json.Unmarshal(body, &said)
		h.ended(said)
	case "/done":
		h.end()
	case "/deliver":
		return h.deliver(ctx, body)
	case "/cron":
		return h.cron(ctx, body)
	case "/outgoing":
		return h.next(ctx)
	case "/answer":
		err = h.answer(q.Header, body)
	}
	return &script.Response{Status: http.StatusNoContent, Body: http.NoBody}, err
}

// did is an answer to app.deliver and app.cron.
func did(value any, err error) (*script.Response, error) {
	out := map[string]any{"value": value}
	if err != nil {
		out = map[string]any{"error": script.Trace(err)}
	}
	text, err := json.Marshal(out)
	return &script.Response{Status: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(text)))}, err
}

// delivered is what became of a message.
type delivered struct {
	ID    int64  `json:"id,string"`
	State string `json:"state"` // done, delayed or dead
	Error string `json:"error,omitempty"`
}

func (h *harness) deliver(ctx context.Context, body []byte) (*script.Response, error) {
	var said struct {
		Queue   string `json:"queue"`
		Delayed bool   `json:"delayed"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, err
	}
	jobs := h.backend.Jobs
	if jobs == nil {
		return did(nil, fault.New(fault.NotFound, "the app has no queue"))
	}
	ids, err := jobs.Once(ctx, said.Queue, said.Delayed, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
		return h.backend.server.deliver(ctx, h.backend.site.addr, h.backend.site.data, d)
	})
	out := make([]delivered, 0, len(ids))
	for _, id := range ids {
		left, err := jobs.Jobs(ctx, said.Queue, "", id-1, 1)
		if err != nil {
			return nil, err
		}
		d := delivered{ID: id, State: "done"}
		if len(left) > 0 && left[0].ID == id {
			d.State, d.Error = left[0].State, left[0].Error
		}
		out = append(out, d)
	}
	return did(out, err)
}

func (h *harness) cron(ctx context.Context, body []byte) (*script.Response, error) {
	var said struct {
		Name string `json:"name"`
		At   *int64 `json:"at"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, err
	}
	due := h.backend.server.config.Now()
	if said.At != nil {
		due = time.UnixMilli(*said.At)
	}
	for _, s := range schedulesOf(h.backend.App) {
		if s.Name == said.Name {
			_, err := h.backend.server.deliver(ctx, h.backend.site.addr, h.backend.site.data,
				queue.Delivery{Tick: &queue.Tick{Schedule: s.Name, Spec: s.Spec, Due: due, Manual: true}})
			return did(nil, err)
		}
	}
	return did(nil, fault.New(fault.NotFound, "the app has no cron block %q", said.Name))
}

// elsewhere stands for all other hosts while an app's tests run.
type elsewhere struct{ harness atomic.Pointer[harness] }

// outgoing is a request to another host, on its way to the test that answers it.
type outgoing struct {
	ID      uint64      `json:"id"`
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers [][2]string `json:"headers"`

	body   []byte
	answer chan func(*http.Request) (*http.Response, error) // room for one
}

var errUnanswered = fault.New(fault.Unavailable, "no test runs that could answer for another host")

// RoundTrip implements http.RoundTripper.
func (e *elsewhere) RoundTrip(q *http.Request) (*http.Response, error) {
	h := e.harness.Load()
	if q.Body != nil {
		defer q.Body.Close()
	}
	if h == nil {
		return nil, errUnanswered
	}
	o, err := h.enter(q)
	if err != nil {
		return nil, err
	}
	defer h.leave(o)
	select {
	case h.outgoing <- o:
	case <-h.over:
		return nil, errUnanswered
	case <-q.Context().Done():
		return nil, q.Context().Err()
	}
	select {
	case answer := <-o.answer:
		return answer(q)
	case <-h.over:
		return nil, errUnanswered
	case <-q.Context().Done():
		return nil, q.Context().Err()
	}
}

func (h *harness) enter(q *http.Request) (o *outgoing, err error) {
	o = &outgoing{Method: q.Method, URL: q.URL.String(), Headers: [][2]string{}, answer: make(chan func(*http.Request) (*http.Response, error), 1)}
	if q.Body != nil {
		if o.body, err = io.ReadAll(q.Body); err != nil {
			return nil, err
		}
	}
	for name, values := range q.Header {
		for _, v := range values {
			o.Headers = append(o.Headers, [2]string{name, v})
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.number++
	o.ID = h.number
	h.asked[o.ID] = o
	return o, nil
}

func (h *harness) leave(o *outgoing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.asked, o.ID)
}

// The fields in which requests and answers travel beside their bodies.
const (
	fieldRequest = "x-fazt-request"
	fieldAnswer  = "x-fazt-answer"
)

// next hands over a request, or says that there will be none.
func (h *harness) next(ctx context.Context) (*script.Response, error) {
	select {
	case o := <-h.outgoing:
		text, err := json.Marshal(o)
		return &script.Response{Status: http.StatusOK, Header: [][2]string{{fieldRequest, url.PathEscape(string(text))}},
			Body: io.NopCloser(strings.NewReader(string(o.body)))}, err
	case <-h.over:
		return &script.Response{Status: http.StatusNoContent, Body: http.NoBody}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer takes what a test answers to a request.
func (h *harness) answer(header [][2]string, body []byte) error {
	var said struct {
		ID      uint64      `json:"id"`
		Error   string      `json:"error"`
		Status  int         `json:"status"`
		Headers [][2]string `json:"headers"`
	}
	for _, f := range header {
		if strings.EqualFold(f[0], fieldAnswer) {
			text, err := url.PathUnescape(f[1])
			if err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(text), &said); err != nil {
				return err
			}
		}
	}
	h.mu.Lock()
	o := h.asked[said.ID]
	delete(h.asked, said.ID)
	h.mu.Unlock()
	if o == nil {
		return nil // nobody waits for it any more
	}
	if said.Error != "" {
		text := h.program.Mapped(said.Error)
		h.trial.Said(script.Line{Level: "warn", Text: text})
		o.answer <- func(*http.Request) (*http.Response, error) { return nil, fault.New(fault.Unavailable, "%s", text) }
		return nil
	}
	o.answer <- func(q *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: said.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body)), Request: q}
		for _, f := range said.Headers {
			resp.Header.Add(f[0], f[1])
		}
		return resp, nil
	}
	return nil
}
