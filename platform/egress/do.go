package egress

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Do sends a request and follows redirects, each judged like the first. Of req it
// takes method, URL, header, body, its length and GetBody. The caller closes the
// answer's body; its Request has only the method and URL that answered. Errors
// are faults with a Code of this package, or Invalid for what is no request.
func (c *Client) Do(ctx context.Context, req *http.Request) (*http.Response, error) {
	return c.do(ctx, req, true)
}

// Once is Do without redirects: their answers are handed back.
func (c *Client) Once(ctx context.Context, req *http.Request) (*http.Response, error) {
	return c.do(ctx, req, false)
}

func (c *Client) do(ctx context.Context, req *http.Request, follow bool) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.config.Limits.Time, errTime)
	h := c.firstHop(req)
	if err := c.enter(ctx); err != nil {
		cancel()
		h.close()
		return nil, err
	}
	end := sync.OnceFunc(func() { cancel(); <-c.slots })
	resp, err := c.hops(context.WithValue(ctx, askerKey{}, ctx), h, follow)
	if err != nil {
		end()
		return nil, err
	}
	// An answer that nobody closes gives its place back when its time is up.
	context.AfterFunc(ctx, end)
	resp.Body.(*answer).end = end
	return resp, nil
}

func (c *Client) enter(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Exhausted, "%d requests to elsewhere are open already", c.config.Limits.AtOnce).WithCode(CodeAtOnce).
			WithHint("read or cancel the body of each answer")
	}
}

// hop is one request of a chain of redirects.
type hop struct {
	method  string
	url     *url.URL
	header  http.Header
	body    io.ReadCloser
	length  int64
	again   func() (io.ReadCloser, error) // nil: the body can be read once
	strange bool                          // another host chose it: nobody's credentials go with it
}

func (c *Client) firstHop(req *http.Request) hop {
	h := hop{method: req.Method, url: req.URL, header: http.Header{}, length: req.ContentLength}
	if h.method == "" {
		h.method = http.MethodGet
	}
	for name, values := range req.Header {
		if name = textproto.CanonicalMIMEHeaderKey(name); !notForCode(name) {
			h.header[name] = append(h.header[name], values...)
		}
	}
	if _, told := h.header["User-Agent"]; !told {
		h.header.Set("User-Agent", "fazt")
	}
	if req.Body != nil && req.Body != http.NoBody {
		h.body = &upload{client: c, from: req.Body, left: c.config.Limits.Sent}
	}
	if req.GetBody != nil {
		h.again = func() (io.ReadCloser, error) {
			b, err := req.GetBody()
			return &upload{client: c, from: b, left: c.config.Limits.Sent}, err
		}
	}
	return h
}

func (h hop) close() {
	if h.body != nil {
		h.body.Close()
	}
}

// notForCode tells whether a header belongs to the connection, or to the
// transport, which unpacks answers itself.
func notForCode(name string) bool {
	return strings.HasPrefix(name, "Proxy-") || slices.Contains([]string{
		"Accept-Encoding", "Connection", "Content-Length", "Expect", "Host", "Http2-Settings", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	}, name)
}

func (c *Client) hops(ctx context.Context, h hop, follow bool) (*http.Response, error) {
	var before target
	for n := 0; ; n++ {
		t, err := c.target(h.method, h.url)
		if err != nil {
			h.close()
			return nil, err
		}
		if n > 0 && !t.same(before) {
			h = h.amongStrangers()
		}
		before = t
		resp, err := c.send(ctx, h, t)
		if err != nil || !follow || !redirects(resp) {
			return resp, err
		}
		io.CopyN(io.Discard, resp.Body, 2<<10) // a short page is read, so that the connection serves again
		resp.Body.Close()
		if n == c.config.Limits.Redirects {
			return nil, fault.New(fault.Exhausted, "%s redirects more than %d times", t.host, n).WithCode(CodeRedirects).WithSubject(t.host)
		}
		if h, err = c.next(h, t, resp); err != nil {
			return nil, err
		}
	}
}

// send makes one request. What comes back knows nothing of what was added to it;
// its body is an *answer.
func (c *Client) send(ctx context.Context, h hop, t target) (*http.Response, error) {
	header, err := h.headerFor(t)
	if err != nil {
		h.close()
		return nil, err
	}
	at := t.url(h.url)
	req := (&http.Request{
		Method: h.method, URL: at, Host: at.Host, Header: header, Body: h.body, ContentLength: h.length, GetBody: h.again,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	resp, err := c.transport.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body.Close()
		err = errProtocol
	}
	if err != nil {
		return nil, c.failed(ctx, t.host, err)
	}
	resp.Request = &http.Request{Method: h.method, URL: at}
	resp.Body = &answer{client: c, ctx: ctx, host: t.host, from: resp.Body, left: c.config.Limits.Body, end: func() {}}
	return resp, nil
}

// headerFor returns the header of a request to t with what t's rule adds.
func (h hop) headerFor(t target) (http.Header, error) {
	out := h.header.Clone()
	if h.strange || len(t.rule.Header) == 0 {
		return out, nil
	}
	if t.scheme != "https" {
		return nil, fault.New(fault.Forbidden, "the egress rule of %s adds headers, which needs https", t.host).
			WithCode(CodeDenied).WithSubject(t.host)
	}
	for name, value := range t.rule.Header {
		v := value()
		if v == "" || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return nil, fault.New(fault.Invalid, "the egress rule of %s has no proper value for the header %s", t.host, name).WithSubject(t.host).
				WithHint("the value must be one line")
		}
		out[http.CanonicalHeaderKey(name)] = []string{v}
	}
	return out, nil
}
