package binding

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// Client sends requests out of the node. *egress.Client is one.
type Client interface {
	Do(ctx context.Context, r *http.Request) (*http.Response, error)   // follows redirects
	Once(ctx context.Context, r *http.Request) (*http.Response, error) // does not
}

type fetchArgs struct {
	URL      string      `json:"url"`
	Method   string      `json:"method"`
	Headers  [][2]string `json:"headers"`
	Redirect string      `json:"redirect"` // follow, manual or error; empty is follow
}

// fetchReply is an answer without its body.
type fetchReply struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	URL     string      `json:"url"`
}

// maxFields bounds the headers of a request.
const maxFields = 200

func (a fetchArgs) check() error {
	switch {
	case a.Method == "" || strings.ContainsFunc(a.Method, func(c rune) bool { return c < 'A' || c > 'Z' }):
		return fault.New(fault.Invalid, "%q is no method of a request", clip(a.Method))
	case len(a.Headers) > maxFields:
		return fault.New(fault.Invalid, "a request has %d headers, %d are the most", len(a.Headers), maxFields)
	}
	switch a.Redirect {
	case "", "follow", "manual", "error":
		return nil
	}
	return fault.New(fault.Invalid, "redirect is follow, manual or error, not %q", clip(a.Redirect))
}

// egressMethods is the global fetch.
func egressMethods(c Client) methods {
	return methods{"fetch": on(func(ctx context.Context, r request, a fetchArgs) (script.Reply, error) {
		if err := a.check(); err != nil {
			return script.Reply{}, err
		}
		if c == nil {
			return script.Reply{}, fault.New(fault.Forbidden, "this app has no egress rule, so it reaches no other host").
				WithHint("add to the app: egress \"api.example.com\" { }")
		}
		lent := lend(r.Body)
		defer lent.end()
		q, err := a.outgoing(ctx, lent)
		if err != nil {
			return script.Reply{}, err
		}
		send := c.Do
		if a.Redirect == "manual" || a.Redirect == "error" {
			send = c.Once
		}
		resp, err := send(ctx, q)
		if err != nil {
			return script.Reply{}, err
		}
		return a.incoming(resp)
	})}
}

func (a fetchArgs) outgoing(ctx context.Context, lent *loan) (*http.Request, error) {
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%q cannot be asked for", clip(a.URL))
	}
	q := (&http.Request{Method: a.Method, URL: u, Header: http.Header{}}).WithContext(ctx)
	for _, f := range a.Headers {
		value, ok := narrow(f[1])
		if !ok {
			return nil, fault.New(fault.Invalid, "the header %q has a character that is no byte", clip(f[0]))
		}
		q.Header.Add(f[0], value)
	}
	if lent.from != nil {
		q.Body, q.ContentLength = lent, -1
	}
	return q, nil
}

func (a fetchArgs) incoming(resp *http.Response) (script.Reply, error) {
	if a.Redirect == "error" && resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.Header.Get("Location") != "" {
		resp.Body.Close()
		return script.Reply{}, fault.New(fault.Conflict, "%s redirects, and the request says not to follow", resp.Request.URL.Host)
	}
	out := fetchReply{Status: resp.StatusCode, URL: resp.Request.URL.String(), Headers: [][2]string{}}
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, v := range resp.Header[name] {
			out.Headers = append(out.Headers, [2]string{strings.ToLower(name), widen(v)})
		}
	}
	reply, err := value(out)
	if reply.Body = resp.Body; !bodied(a.Method, resp.StatusCode) {
		resp.Body.Close()
		reply.Body = nil
	}
	return reply, err
}

// bodied tells whether there is a body in an answer: for the script, none is not the
// same as an empty one.
func bodied(method string, status int) bool {
	return method != http.MethodHead && status != http.StatusNoContent && status != http.StatusResetContent && status != http.StatusNotModified
}

// maxHops is how often apps may ask each other on behalf of one request: two that
// ask each other for ever would take every machine of both.
const maxHops = 8

// hopsKey carries how many apps a request has gone through already.
type hopsKey struct{}

// fetchMethods is another app, or the files of this one.
func fetchMethods(name string, to Fetcher) methods {
	return methods{"fetch": on(func(ctx context.Context, r request, a fetchArgs) (script.Reply, error) {
		if err := a.check(); err != nil {
			return script.Reply{}, err
		}
		if r.hops >= maxHops {
			return script.Reply{}, fault.New(fault.Exhausted, "%s is asked by an app that was asked by an app, %d times over", name, r.hops).
				WithHint("do two apps ask each other?")
		}
		lent := lend(r.Body)
		defer lent.end()
		q := script.Request{Method: a.Method, URL: a.URL, Header: a.Headers, Info: script.Info{IP: r.info.IP, RequestID: r.info.RequestID, Person: r.info.Person}}
		if lent.from != nil {
			q.Body = lent
		}
		resp, err := to.Fetch(context.WithValue(ctx, hopsKey{}, r.hops+1), q)
		if err != nil {
			return script.Reply{}, hide(err, name)
		}
		text, err := json.Marshal(fetchReply{Status: resp.Status, Headers: append([][2]string{}, resp.Header...), URL: a.URL})
		return script.Reply{Value: text, Body: resp.Body}, err
	})}
}

// hide keeps what went wrong in another app from this one, but for its kind.
func hide(err error, name string) error {
	if _, thrown := errors.AsType[*script.Exception](err); thrown {
		return fault.New(fault.Unavailable, "%s failed to answer", name)
	}
	if kind := fault.KindOf(err); kind != fault.Internal {
		return fault.New(kind, "%s does not answer: %s", name, fault.Message(err))
	}
	return err
}

// loan is the body of a call for as long as the call lasts: transports read on when
// they have their answer.
type loan struct {
	from  io.Reader // nil where there is none
	ended atomic.Bool
}

func lend(body io.Reader) *loan { return &loan{from: body} }

var errReturned = fault.New(fault.Unavailable, "the answer came before the body was sent")

// Read implements io.Reader.
func (l *loan) Read(p []byte) (int, error) {
	if l.ended.Load() {
		return 0, errReturned
	}
	return l.from.Read(p)
}

// Close implements io.Closer.
func (*loan) Close() error { return nil }

// end takes the body back.
func (l *loan) end() { l.ended.Store(true) }

// widen makes text of the bytes of a header, one character each, as Fetch has it.
func widen(value string) string {
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
}

// narrow is the way back. It fails on a character that is no byte.
func narrow(value string) (string, bool) {
	bytes := make([]byte, 0, len(value))
	for _, r := range value {
		if r > 0xff {
			return "", false
		}
		bytes = append(bytes, byte(r))
	}
	return string(bytes), true
}
