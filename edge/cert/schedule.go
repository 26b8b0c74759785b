package cert

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

const (
	// perMinute bounds the orders for new names, as a CA counts them by account
	// and by domain: a commit with a thousand hosts must not use up what
	// renewals need.
	perMinute = 5

	// atOnce bounds the orders that run: one may wait minutes for DNS.
	atOnce = 5

	// look is how often certificates are looked at when nothing else happens:
	// the clock may have jumped, or the machine slept.
	look = time.Minute
)

// choose says which hosts to order for now, and how long it takes until there
// may be more. Renewals go first, those that end soonest before others, and wait
// for nobody; new names come in order of arrival and within the budget, in which
// every order counts. starts are those of the last minute, running the number of
// orders under way.
func choose(now time.Time, hosts map[string]*host, starts []time.Time, running int, limited bool) ([]*host, time.Duration) {
	var due []*host
	wait := look
	for _, h := range hosts {
		at, ok := h.due()
		switch {
		case !ok || h.cancel != nil:
		case at.After(now):
			wait = min(wait, at.Sub(now))
		default:
			due = append(due, h)
		}
	}
	slices.SortFunc(due, first)
	budget := perMinute - len(starts)
	var chosen []*host
	for _, h := range due {
		fresh := limited && !h.settled() && len(h.waiters) == 0
		if running+len(chosen) >= atOnce {
			break // the end of an order looks again
		}
		if fresh && budget <= 0 {
			if len(starts) > 0 {
				wait = min(wait, time.Minute-now.Sub(starts[0]))
			}
			continue
		}
		budget--
		chosen = append(chosen, h)
	}
	return chosen, max(wait, time.Millisecond)
}

// first orders hosts by who gets a certificate first: those somebody waits for,
// those whose certificate ends, then new ones by arrival.
func first(a, b *host) int {
	rank := func(h *host) int {
		switch {
		case len(h.waiters) > 0:
			return 0
		case h.settled():
			return 1
		}
		return 2
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	if a.settled() && b.settled() {
		if c := a.pair.Leaf.NotAfter.Compare(b.pair.Leaf.NotAfter); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.seq, b.seq)
}

// recent drops what is older than a minute.
func recent(starts []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(starts, func(at time.Time) bool { return now.Sub(at) >= time.Minute })
}

// backoff is how long a host waits after so many failures in a row. A CA that
// said no counts its refusals (Let's Encrypt: five an hour), so it is asked five
// times in the first hour; what broke on the way is tried again soon.
func backoff(failures int, err error, now time.Time) time.Duration {
	steps := []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour}
	p := acme.Problem{}
	if said := errors.As(err, &p); said && p.Type != acme.ProblemTypeBadNonce && p.Type != acme.ProblemTypeServerInternal || errors.Is(err, errClock) {
		steps = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour}
	}
	wait := steps[min(failures, len(steps))-1]
	if p.Type == acme.ProblemTypeRateLimited {
		wait = max(wait, limitedFor(p.Detail, now))
	}
	return wait
}

// retryAfter is how Let's Encrypt says when a limit ends. The header that says
// the same is not passed on.
var retryAfter = regexp.MustCompile(`retry after (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC`)

func limitedFor(detail string, now time.Time) time.Duration {
	const unknown, most = 30 * time.Minute, 24 * time.Hour
	found := retryAfter.FindStringSubmatch(detail)
	if found == nil {
		return unknown
	}
	at, err := time.Parse(time.DateTime, found[1])
	if err != nil {
		return unknown
	}
	return min(max(at.Sub(now), time.Minute), most)
}
