package limit_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge/limit"
)

// heap is the bytes that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A request that passes, or does not, allocates nothing.
func TestAskingAllocatesNothing(t *testing.T) {
	b, r := limit.NewBuckets(), limit.Rate{PerSecond: 500, Burst: 1000}
	now := time.Duration(0)
	for name, f := range map[string]func(){
		"a client that passes":     func() { now += time.Second; b.Take(client(1), r, now) },
		"a client that is refused": func() { b.Take(client(2), limit.Rate{PerSecond: 500, Burst: 1}, now) },
		"clients that come and go": func() { now += time.Second; b.Take(client(int(now)), r, now) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for name, p := range map[string]limit.Policy{
		"free":        {},
		"rate":        {Rate: limit.Rate{PerSecond: 1, Burst: 1}},
		"concurrency": {Concurrency: 1},
		"egress":      {EgressMonth: 100},
		"passes":      {Rate: limit.Rate{PerSecond: 1e9}, Concurrency: 1, EgressMonth: 1 << 40},
	} {
		a, now := limit.NewApp(p), time.Unix(1_000_000, 0)
		a.Enter(now)
		if n := testing.AllocsPerRun(1000, func() {
			if !a.Enter(now).Refused() {
				a.Spend(1)
				a.Leave()
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkTakeHit(b *testing.B) {
	buckets, r := limit.NewBuckets(), limit.Rate{PerSecond: 500, Burst: 1000}
	buckets.Take(client(0), r, 0)
	b.ReportAllocs()
	now := time.Duration(0)
	for b.Loop() {
		now += time.Microsecond
		buckets.Take(client(0), r, now)
	}
}

// BenchmarkTakeMillion asks for one of a million clients in no order, which are
// all under way.
func BenchmarkTakeMillion(b *testing.B) {
	const million = 1_000_000
	before := heap()
	buckets := limit.NewBuckets()
	keys := make([]limit.Key, 1<<16)
	for n := range million {
		buckets.Take(client(n), slow(), 0)
	}
	grown := heap() - before - int64(len(keys)*len(limit.Key{}))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range keys {
		keys[i] = client(random.IntN(million))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		buckets.Take(keys[n%len(keys)], slow(), time.Second)
		n++
	}
	b.ReportMetric(float64(grown)/million, "B/key")
}

// BenchmarkTakeNew is a flood of clients that were never seen, in a table that
// is full of clients under way.
func BenchmarkTakeNew(b *testing.B) {
	buckets := limit.NewBuckets()
	n := 0
	for ; n < 2_000_000; n++ {
		buckets.Take(client(n), slow(), 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		buckets.Take(client(n), slow(), time.Second)
		n++
	}
}

func BenchmarkTakeParallel(b *testing.B) {
	buckets, r := limit.NewBuckets(), limit.Rate{PerSecond: 500, Burst: 1000}
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			buckets.Take(client(n%1000), r, time.Duration(n)*time.Microsecond)
		}
	})
}

func BenchmarkKeyOf(b *testing.B) {
	a := addr("2001:db8:1:2:3:4:5:6")
	b.ReportAllocs()
	for b.Loop() {
		limit.KeyOf(a, 64)
	}
}

func BenchmarkEnter(b *testing.B) {
	a := limit.NewApp(limit.Policy{Rate: limit.Rate{PerSecond: 1e9, Burst: 1e9}, Concurrency: 64, EgressMonth: 1 << 60})
	now := time.Unix(1_800_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		if !a.Enter(now).Refused() {
			a.Spend(1000)
			a.Leave()
		}
	}
}
