// Package limit decides how much may pass: requests of one client, requests and
// bytes of one app, bytes and time of one body. The edge asks it after it knows
// who sent a request and again when it knows the app, and renders what it
// refuses. It refuses to know configuration, routes and connections; where it
// needs the time, the time is an argument, but for bodies, whose deadlines are
// the connection's.
package limit

import (
	"math"
	"time"
)

// Rate lets Burst requests pass at once and PerSecond in the long run. The zero
// Rate is no limit, as is one whose PerSecond is not a positive number. A Burst
// below one is what passes in one second, and one at least.
type Rate struct {
	PerSecond float64
	Burst     int
}

// None reports whether r is no limit.
func (r Rate) None() bool { return !(r.PerSecond > 0) || math.IsInf(r.PerSecond, 1) }

func (r Rate) burst() int {
	if r.Burst > 0 {
		return r.Burst
	}
	return int(min(max(math.Ceil(r.PerSecond), 1), math.MaxInt32))
}

// untilTokens is how long a bucket needs for that many tokens, in whole
// nanoseconds. Less than one is nothing: golang.org/x/time/rate rounds its own
// sums away like that, and both must agree.
func (r Rate) untilTokens(tokens float64) time.Duration {
	wait := tokens / r.PerSecond * float64(time.Second)
	if wait >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(wait)
}
