package limit

import (
	"net/http"
	"time"
)

// Kind says what refused a request. The text labels counters and log lines:
// never rename one.
type Kind string

// The kinds. Whatever refuses for a while is here; what is too large or too slow
// is an error of the body.
const (
	Passed        Kind = ""            // nothing refused
	ByClient      Kind = "client"      // the rate of one client
	ByRate        Kind = "rate"        // the rate of one app
	ByConcurrency Kind = "concurrency" // as many requests of one app at once as it may have
	ByEgress      Kind = "egress"      // the bytes one app may send in a month
)

// Refusal is a request that did not pass, and how long it is until one may. The
// zero Refusal is a request that did. It is an error whose Status the edge
// answers with.
type Refusal struct {
	Kind Kind
	Wait time.Duration
}

// Refused reports whether the request must not pass.
func (r Refusal) Refused() bool { return r.Kind != Passed }

// Status is the HTTP status: 429 where there were too many requests, 503 where
// the app itself cannot do more whoever asks.
func (r Refusal) Status() int {
	switch r.Kind {
	case Passed:
		return http.StatusOK
	case ByClient, ByRate:
		return http.StatusTooManyRequests
	default:
		return http.StatusServiceUnavailable
	}
}

// RetryAfter is the value of the header Retry-After: whole seconds, rounded up,
// and one at least, as a client told to wait zero seconds does not wait.
func (r Refusal) RetryAfter() int64 {
	seconds := int64(r.Wait / time.Second)
	if r.Wait%time.Second > 0 {
		seconds++
	}
	return max(seconds, 1)
}

// Error implements error; a visitor may read it.
func (r Refusal) Error() string {
	switch r.Kind {
	case Passed:
		return "nothing was refused"
	case ByClient:
		return "there are too many requests from your address"
	case ByRate:
		return "this site gets more requests than it may answer"
	case ByConcurrency:
		return "this site is answering as many requests at once as it may"
	case ByEgress:
		return "this site has sent all it may send this month"
	default:
		return "this request is over a limit"
	}
}
