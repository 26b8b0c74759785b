package limit_test

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge/limit"
)

// client is the key of the nth client.
func client(n int) (k limit.Key) {
	k[0] = 4
	binary.BigEndian.PutUint64(k[1:], uint64(n))
	return k
}

// evenly draws a rate whose tokens are whole steps of time apart. What one rate
// gives in a step takes another some nanoseconds, so that no decision hangs on
// the rounding of one.
func evenly(t *rapid.T) limit.Rate {
	return limit.Rate{
		PerSecond: float64(rapid.SampledFrom([]int{1, 2, 5, 10, 50, 100, 500, 1000}).Draw(t, "per second")),
		Burst:     rapid.IntRange(1, 12).Draw(t, "burst"),
	}
}

const step = 8 * time.Microsecond // divides the time of a token of each rate of evenly

// pause draws some time, often around that of a few tokens.
func pause(t *rapid.T, r limit.Rate) time.Duration {
	token := time.Duration(float64(time.Second) / r.PerSecond)
	return rapid.OneOf(
		rapid.Just(time.Duration(0)),
		rapid.SampledFrom([]time.Duration{token, token - step, token + step, token / 2 / step * step, 3 * token, 20 * token}),
		rapid.Map(rapid.IntRange(0, 1_000_000), func(n int) time.Duration { return time.Duration(n) * step }),
	).Draw(t, "pause")
}

// It lets through what one golang.org/x/time/rate.Limiter per client lets
// through, however often the rate changes meanwhile, and asks to wait as long.
func TestTakeIsALimiterPerClient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := evenly(t)
		buckets := limit.NewBuckets()
		if rapid.Bool().Draw(t, "small") {
			buckets = limit.NewSmallBuckets(64) // in which clients share windows, and there is growth
		}
		start := time.Unix(1_000_000, 0)
		now := time.Duration(0)
		limiters := map[int]*rate.Limiter{}
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now += pause(t, r)
			if rapid.IntRange(0, 20).Draw(t, "commit") == 0 {
				r.PerSecond = evenly(t).PerSecond
				buckets.Take(client(-1), r, now)
				for _, l := range limiters {
					l.SetLimitAt(start.Add(now), rate.Limit(r.PerSecond))
				}
			}
			who := rapid.IntRange(0, 24).Draw(t, "client")
			if limiters[who] == nil {
				limiters[who] = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
			}
			want := limiters[who].AllowN(start.Add(now), 1)
			wait, got := buckets.Take(client(who), r, now)
			if got != want {
				t.Fatalf("client %d at %s: %v, want %v", who, now, got, want)
			}
			if !got {
				lacking := 1 - limiters[who].TokensAt(start.Add(now))
				if need := time.Duration(lacking / r.PerSecond * 1e9); (wait-need).Abs() > 2 || wait <= 0 {
					t.Fatalf("wait %s, want %s", wait, need)
				}
			}
		}
		if n := buckets.Stats().Evicted; n > 0 {
			t.Fatalf("%d buckets gave way", n)
		}
	})
}

// Who waits as long as it was told to passes, and is not told more than one
// token takes.
func TestWaitingHelps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := limit.Rate{PerSecond: rapid.Float64Range(1e-3, 1e7).Draw(t, "rate"), Burst: rapid.IntRange(1, 5).Draw(t, "burst")}
		buckets := limit.NewBuckets()
		now := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "now"))
		for range 20 {
			wait, ok := buckets.Take(client(0), r, now)
			if ok {
				continue
			}
			if seconds := wait.Seconds(); seconds > 1/r.PerSecond*(1+1e-9) {
				t.Fatalf("wait %s for a token at %v a second", wait, r.PerSecond)
			}
			now += wait + 100 // the clock's own rounding, after a day
			if _, ok := buckets.Take(client(0), r, now); !ok {
				t.Fatalf("refused after %s", wait)
			}
		}
	})
}

// passes counts how many requests of a client pass at once.
func passes(b *limit.Buckets, k limit.Key, r limit.Rate, now time.Duration) (n int) {
	for ; n < 10_000; n++ {
		if _, ok := b.Take(k, r, now); !ok {
			return n
		}
	}
	return n
}

// A change of the limits keeps what was used.
func TestAChangeKeepsWhatWasUsed(t *testing.T) {
	const hour = time.Hour
	before := limit.Rate{PerSecond: 1, Burst: 100}
	for name, c := range map[string]struct {
		used  int
		after limit.Rate
		wait  time.Duration // after the change
		want  int           // pass
	}{
		"faster, at once":    {100, limit.Rate{PerSecond: 50, Burst: 100}, 0, 0},
		"faster":             {100, limit.Rate{PerSecond: 50, Burst: 100}, time.Second, 50},
		"slower":             {100, limit.Rate{PerSecond: 0.1, Burst: 100}, 20 * time.Second, 2},
		"larger burst":       {60, limit.Rate{PerSecond: 1, Burst: 150}, 0, 90},
		"smaller burst":      {60, limit.Rate{PerSecond: 1, Burst: 70}, 0, 10},
		"burst below used":   {60, limit.Rate{PerSecond: 1, Burst: 10}, 0, 0},
		"and then one token": {60, limit.Rate{PerSecond: 1, Burst: 10}, time.Second, 1},
		"everything":         {60, limit.Rate{PerSecond: 2, Burst: 10}, 5 * time.Second, 10},
	} {
		t.Run(name, func(t *testing.T) {
			b := limit.NewBuckets()
			for range c.used {
				b.Take(client(0), before, hour)
			}
			if c.used >= c.after.Burst || c.wait > 0 {
				if passes(b, client(1), c.after, hour) != c.after.Burst {
					t.Error("a new client has not the new burst")
				}
				if _, ok := b.Take(client(0), c.after, hour); ok {
					t.Error("the change made a gift")
				}
			}
			if got := passes(b, client(0), c.after, hour+c.wait); got != c.want {
				t.Errorf("%d pass, want %d", got, c.want)
			}
		})
	}
}

func TestNoRateIsNoLimit(t *testing.T) {
	b := limit.NewBuckets()
	for _, r := range []limit.Rate{{}, {Burst: 1}, {PerSecond: -1, Burst: 1}, {PerSecond: math.NaN()}, {PerSecond: math.Inf(1)}} {
		if n := passes(b, client(0), r, 0); n != 10_000 {
			t.Errorf("%v lets %d pass", r, n)
		}
	}
	if n := b.Stats().Clients; n != 0 {
		t.Errorf("%d clients are known", n)
	}
	for r, want := range map[limit.Rate]int{{PerSecond: 20}: 20, {PerSecond: 0.1}: 1, {PerSecond: 2.5, Burst: -1}: 3} {
		if n := passes(limit.NewBuckets(), client(0), r, 0); n != want {
			t.Errorf("%v lets %d pass at once, want %d", r, n, want)
		}
	}
	if wait, ok := b.Take(client(0), limit.Rate{PerSecond: 1e-300}, 0); !ok {
		t.Errorf("a new client waits %s", wait)
	}
	if wait, ok := b.Take(client(0), limit.Rate{PerSecond: 1e-300}, 0); ok || wait != math.MaxInt64 {
		t.Errorf("wait %s, %v", wait, ok)
	}
}

// A caller that was overtaken by one with a later time gives nobody a token.
func TestTimeDoesNotTurnBack(t *testing.T) {
	b, r := limit.NewBuckets(), limit.Rate{PerSecond: 1, Burst: 5}
	if n := passes(b, client(0), r, time.Hour); n != 5 {
		t.Fatal(n)
	}
	for _, now := range []time.Duration{0, time.Hour - 1, -time.Hour, time.Hour} {
		if n := passes(b, client(0), r, now); n != 0 {
			t.Errorf("%d pass at %s", n, now)
		}
	}
	r.PerSecond = 2
	passes(b, client(0), r, 0) // a change, overtaken
	if n := passes(b, client(0), r, time.Hour+time.Second); n != 2 {
		t.Errorf("%d pass a second later", n)
	}
}

// slow is a rate at which everybody stays for hours.
func slow() limit.Rate { return limit.Rate{PerSecond: 0.001, Burst: 100} }

const megabyte = 1_000_000

// A million clients at once all have their own bucket, in 30 MB.
func TestAMillionClients(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("a million clients")
	}
	const million = 1_000_000
	b, before := limit.NewBuckets(), heap()
	exhausted := passes(b, client(-1), slow(), 0)
	for n := range million {
		b.Take(client(n), slow(), time.Duration(n)*time.Microsecond)
	}
	if grown := heap() - before; grown > 30*megabyte {
		t.Errorf("%d bytes", grown)
	}
	stats := b.Stats()
	if stats.Clients+int(stats.Evicted) != million+1 || stats.Evicted > 10 || stats.Bytes > 30*megabyte {
		t.Errorf("%+v", stats)
	}
	if n := passes(b, client(-1), slow(), time.Second); exhausted != 100 || n != 0 {
		t.Errorf("an exhausted client has %d among a million others, after %d", n, exhausted)
	}
	for n := 0; n < million; n += 10_007 {
		if left := passes(b, client(n), slow(), time.Second); left != 99 {
			t.Fatalf("client %d has %d left", n, left)
		}
	}
}

// Beyond what fits memory does not grow, and who has used least gives way.
func TestMoreClientsThanFit(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("three million clients")
	}
	b, before := limit.NewBuckets(), heap()
	for n := range 1000 {
		passes(b, client(-n-1), slow(), 0)
	}
	for n := range 3 * 1_000_000 {
		b.Take(client(n), slow(), time.Duration(n)*time.Microsecond)
	}
	if grown := heap() - before; grown > 30*megabyte {
		t.Errorf("%d bytes", grown)
	}
	if b.Stats().Evicted == 0 {
		t.Error("all fit")
	}
	for n := range 1000 {
		if left := passes(b, client(-n-1), slow(), 3*time.Second); left != 0 {
			t.Fatalf("an exhausted client has %d", left)
		}
	}
}

// In a table without room, the bucket nearest to full gives way: an exhausted
// one only for want of any other.
func TestTheNearestToFullGivesWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const slots = 8 // one window, so that everybody competes with everybody
		b := limit.NewSmallBuckets(slots)
		exhausted := rapid.IntRange(0, slots-1).Draw(t, "exhausted")
		others := rapid.IntRange(0, 100).Draw(t, "others")
		for n := range exhausted {
			passes(b, client(-n-1), slow(), 0)
		}
		for n := range others {
			for range rapid.IntRange(1, 99).Draw(t, "uses") {
				b.Take(client(n), slow(), 0)
			}
		}
		for n := range exhausted {
			if left := passes(b, client(-n-1), slow(), 0); left != 0 {
				t.Fatalf("exhausted client %d has %d", n, left)
			}
		}
		if want := max(exhausted+others-slots, 0); b.Stats().Evicted != uint64(want) {
			t.Fatalf("%d gave way, want %d", b.Stats().Evicted, want)
		}
	})
}

// A bucket that is full again is nobody's: clients that come and go need no more
// memory than those of one moment, and after a storm it is given back.
func TestMemoryFollowsTheClients(t *testing.T) {
	b := limit.NewBuckets()
	if n := b.Stats().Bytes; n > 10_000 {
		t.Errorf("%d bytes before the first client", n)
	}
	fast := limit.Rate{PerSecond: 1000, Burst: 10}
	now := time.Duration(0)
	come := func(n int) {
		for n := range n {
			now += 10 * time.Microsecond // a hundred are under way at once
			b.Take(client(n), fast, now)
		}
	}
	come(200_000)
	if n := b.Stats(); n.Bytes > 40_000 || n.Clients > 101 || n.Evicted > 0 {
		t.Errorf("%+v", n)
	}
	for n := range 50_000 {
		b.Take(client(n), fast, now)
	}
	storm := b.Stats().Bytes
	come(500_000)
	if n := b.Stats().Bytes; n > storm/4 {
		t.Errorf("%d bytes of %d are kept after a storm", n, storm)
	}
}

// Many at once get as many tokens as there are.
func TestTakeUnderLoad(t *testing.T) {
	b, r := limit.NewBuckets(), limit.Rate{PerSecond: 100, Burst: 1000}
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 2000 {
				if _, ok := b.Take(client(0), r, time.Hour); ok {
					passed.Add(1)
				}
				b.Take(client(n), r, time.Hour)
				b.Take(client(n), limit.Rate{PerSecond: float64(100 + n%2), Burst: 1000}, time.Hour) // commits
				if n%100 == 0 {
					b.Stats()
				}
			}
		})
	}
	all.Wait()
	// Client 0 also was one of the many: twice in each of the eight.
	if n := passed.Load(); n < 1000-16 || n > 1000 {
		t.Errorf("%d of 1000 passed", n)
	}
}
