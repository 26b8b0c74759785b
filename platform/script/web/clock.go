package web

import (
	"crypto/rand"
	"time"
)

// quota is how many random bytes one call may ask for, as the Web Cryptography API
// has it.
const quota = 65536

func timeOperations(ops map[string]Function) {
	begin := time.Now()
	ops["origin"] = func([]any) (any, error) { return millis(begin.Sub(time.Unix(0, 0))), nil }
	ops["now"] = func([]any) (any, error) { return millis(time.Since(begin)), nil }
	ops["random"] = func(args []any) (any, error) {
		b := make([]byte, min(max(number(args, 0), 0), quota))
		_, err := rand.Read(b)
		return encoded(b), err
	}
}

// millis is rounded to 5 µs, as browsers do it for what could be used to measure
// somebody else's work.
func millis(d time.Duration) float64 {
	return float64(d.Round(5*time.Microsecond)) / float64(time.Millisecond)
}
