package limit_test

import (
	"math"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge/limit"
)

func TestRefusal(t *testing.T) {
	seen := map[string]limit.Kind{}
	for kind, status := range map[limit.Kind]int{
		limit.ByClient: 429, limit.ByRate: 429, limit.ByConcurrency: 503, limit.ByEgress: 503,
	} {
		r := limit.Refusal{Kind: kind}
		if !r.Refused() || r.Status() != status {
			t.Errorf("%s = %d", kind, r.Status())
		}
		if other, ok := seen[r.Error()]; ok {
			t.Errorf("%s and %s give the same reason", kind, other)
		}
		seen[r.Error()] = kind
	}
	if (limit.Refusal{}).Refused() {
		t.Error("nothing is a refusal")
	}
	for wait, want := range map[time.Duration]int64{
		-time.Second: 1, 0: 1, 1: 1, time.Second: 1, time.Second + 1: 2, 90 * time.Minute: 5400, math.MaxInt64: 9223372037,
	} {
		if got := (limit.Refusal{Kind: limit.ByRate, Wait: wait}).RetryAfter(); got != want {
			t.Errorf("%s = %d, want %d", wait, got, want)
		}
	}
}
