package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// busyWait is what a client is told to wait for while an app answers as many
// requests as it may: nobody knows when one of them ends.
const busyWait = time.Second

// Policy is what one app may take. Zero is no limit, in every field.
type Policy struct {
	Rate        Rate
	Concurrency int           // requests at once
	Body        int64         // bytes of a request's body; the edge puts it on the body
	Wall        time.Duration // for one request; the edge puts it on the request's context
	EgressMonth int64         // bytes of answers in a calendar month, UTC
}

// App is the running side of one app's limits: it survives the swap that brings
// another Policy. It may be used by many at once.
type App struct {
	mu      sync.Mutex
	policy  Policy
	tokens  *rate.Limiter // nil without a rate
	latest  time.Time     // the latest Enter
	running int           // requests
	month   month
	bytes   int64 // sent in month
}

// NewApp returns an app that has used nothing of what it may.
func NewApp(p Policy) *App {
	a := &App{}
	a.Set(p)
	return a
}

// Set changes what the app may take. What it has left of its rate, the requests
// it is answering and the bytes it has sent are kept: a smaller number refuses
// newcomers and cuts nobody. The new rate counts from the latest request on.
func (a *App) Set(p Policy) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policy = p
	limit, burst := rate.Limit(p.Rate.PerSecond), p.Rate.burst()
	switch {
	case p.Rate.None():
		a.tokens = nil
	case a.tokens == nil:
		a.tokens = rate.NewLimiter(limit, burst)
	default:
		a.tokens.SetLimitAt(a.latest, limit)
		a.tokens.SetBurstAt(a.latest, burst)
	}
}

// Policy returns what the app may take.
func (a *App) Policy() Policy {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.policy
}

// Enter asks for one request to pass. One that is not refused must Leave when it
// has been answered; one that is refused uses nothing, and Wait says for how
// long asking again is pointless.
func (a *App) Enter(now time.Time) Refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now)
	if now.After(a.latest) {
		a.latest = now // the limiter would pay twice for time that was turned back
	}
	switch p := &a.policy; {
	case p.EgressMonth > 0 && a.bytes >= p.EgressMonth:
		return Refusal{ByEgress, a.month.left(now)}
	case p.Concurrency > 0 && a.running >= p.Concurrency:
		return Refusal{ByConcurrency, busyWait}
	case a.tokens != nil && !a.tokens.AllowN(a.latest, 1): // last, as it takes
		return Refusal{ByRate, p.Rate.untilTokens(1 - a.tokens.TokensAt(a.latest))}
	}
	a.running++
	return Refusal{}
}

// Leave ends a request that had passed.
func (a *App) Leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = max(a.running-1, 0)
}

// Running is how many requests the app is answering.
func (a *App) Running() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running
}
