package edge

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/spec"
)

// limits are a snapshot's limits in the units a request is judged in.
type limits struct {
	client  limit.Rate
	prefix  int // bits of an IPv6 address that are one client
	url     int
	fields  int
	body    int64
	slow    limit.Bounds // of a body, but for its size
	timers  timers
	allowed spec.Limits // as declared, defaults filled
}

func limitsOf(l spec.Limits) limits {
	l = l.Filled()
	return limits{
		client: limit.Rate{PerSecond: l.RequestsPerIP.Rate, Burst: l.RequestsPerIP.Burst},
		prefix: l.IPv6Prefix, url: int(l.URL), fields: l.Headers, body: l.Body,
		slow: limit.Bounds{Time: millis(l.BodyTimeoutMS), Rate: max(l.MinBodyRate, 0)},
		timers: timers{header: millis(l.HeaderTimeoutMS), idle: millis(l.IdleTimeoutMS), write: millis(l.WriteTimeoutMS),
			headerBytes: int(l.HeaderBytes), streams: l.Streams},
		allowed: l,
	}
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// What no declared limit changes: more of these is never a person's browser.
const (
	queryKeys = 1000
	cookies   = 64
)

// admit takes a token of the client. It comes before anything that costs more
// than a look at the address.
func (s *Server) admit(x *exchange, r *http.Request) error {
	l := &x.snap.limits
	x.client = clientAddress(r, x.snap.trusted)
	wait, ok := s.clients.Take(limit.KeyOf(x.client, l.prefix), l.client, x.start.Sub(s.began))
	if !ok {
		return limit.Refusal{Kind: limit.ByClient, Wait: wait}
	}
	return nil
}

// precheck refuses what no app should have to look at.
func precheck(x *exchange, r *http.Request) error {
	l := &x.snap.limits
	switch {
	case len(r.RequestURI) > l.url:
		x.Header().Set("Connection", "close")
		return errLongURL
	case r.RequestURI == "*" || r.Method == http.MethodConnect:
		x.Header().Set("Connection", "close")
		return errRequest
	case strings.Count(r.URL.RawQuery, "&") >= queryKeys:
		return errRequest
	case tooManyCookies(r.Header):
		return errManyCookies
	case tooManyFields(r.Header, l.fields):
		return errManyFields
	}
	return nil
}

// tooManyFields counts header lines.
func tooManyFields(h http.Header, most int) bool {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	return n > most
}

// enter passes an app's own limits; conclude leaves again.
func enter(x *exchange, r *http.Request) error {
	if l := x.site.limits; l != nil { // the edge's own pages have none
		if refused := l.Enter(x.start); refused.Refused() {
			return refused
		}
		x.entered = true
	}
	if wall := x.site.policy.Wall; wall > 0 {
		x.until = x.start.Add(wall)
	}
	return boundBody(x, r)
}

// boundBody gives a request's body its size and its time. The connection reads
// what a handler leaves under the same deadline.
func boundBody(x *exchange, r *http.Request) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	most := x.snap.limits.body
	if own := x.site.policy.Body; own > 0 {
		most = own
	}
	if x.site.commands(r.URL.Path) {
		most = 0 // the API bounds what it reads, once it knows who asks
	}
	if most > 0 && r.ContentLength > most {
		x.Header().Set("Connection", "close")
		return errLargeBody
	}
	bounds := x.snap.limits.slow
	bounds.Size = most
	x.body = limit.NewBody(x.ResponseWriter, r.Body, bounds)
	r.Body = x.body
	return nil
}

// heardOut is how much of a body is read before it is refused.
const heardOut = 64 << 10

// hearOut reads a short body of HTTP/2 that nobody wanted before the refusal is
// sent: what is wrong with the request itself shows only then (RFC 9113, 8.1.1).
// HTTP/1 does so by itself.
func (x *exchange) hearOut(r *http.Request) {
	if x.body == nil || r.ProtoMajor != 2 || r.ContentLength > heardOut {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, heardOut) // an error ends the stream, and nobody reads the refusal
}
