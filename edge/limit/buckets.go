package limit

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

const (
	// shardCount divides the lock, and the pause while a table grows: the
	// largest has 12,288 slots, which a busy machine moved in 0.4 ms.
	shardCount = 128
	// shardSlots is the most slots of a shard. One million clients are 7,800 a
	// shard and leave a third of the slots free, so that next to none finds its
	// windows full; 128 shards of 12,288 slots of 16 bytes are 25 MB.
	shardSlots = 12 << 10
)

// Buckets holds a token bucket for each client, all of one rate. Strangers
// choose the keys, so its memory has a fixed end: a bucket that is full again
// carries no information and its slot is free, and where all are taken the
// bucket nearest to full gives way. It may be used by many at once.
//
// It lets through what golang.org/x/time/rate does, which holds App's rate. A
// million of its limiters in a map are 164 MB, and somebody would have to sweep
// them.
type Buckets struct {
	seed   maphash.Seed // so that nobody can choose keys of one slot
	pace   atomic.Pointer[pace]
	shards []shard
	most   int // slots of a shard
}

// NewBuckets returns buckets that are all full. Empty, they take 8 KB; they grow
// with the clients that are under way and shrink when those are fewer.
func NewBuckets() *Buckets { return newBuckets(shardCount, shardSlots) }

func newBuckets(shards, most int) *Buckets {
	b := &Buckets{seed: maphash.MakeSeed(), shards: make([]shard, shards), most: most}
	b.pace.Store(&pace{})
	return b
}

// Take takes one token for a request of k at now, the time since some fixed
// moment. Without one it takes nothing and returns how long it is until there
// is one, never longer than the rate needs for one token.
//
// All callers pass the same rate, until a commit changes it. What clients have
// used by then they still have used, whatever the new numbers are: it comes back
// at the old rate up to the first call with the new one, and at the new rate
// from there on. Used is at most a whole burst, so a smaller burst leaves nobody
// further behind than empty. A call without a rate passes and uses nothing.
func (b *Buckets) Take(k Key, r Rate, now time.Duration) (wait time.Duration, ok bool) {
	if r.None() {
		return 0, true
	}
	clock, burst := b.clock(r.PerSecond, now), float64(r.burst())
	hash := maphash.Bytes(b.seed, k[:])
	s := &b.shards[scale(hash>>windowBits, 64-windowBits, len(b.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	// Callers read their time before they get here: one that was overtaken must
	// not turn it back.
	s.clock = max(s.clock, clock)
	at := s.bucket(hash, b.most)
	used := min(max(at.full-s.clock, 0), burst)
	if lacking := used + 1 - burst; lacking > 0 {
		if wait := r.untilTokens(lacking); wait > 0 {
			at.full = s.clock + used
			return wait, false
		}
	}
	at.full = s.clock + used + 1
	return 0, true
}

// Stats tells what buckets cost and whether they were too few.
type Stats struct {
	Bytes   int64  // of memory
	Clients int    // whose bucket is not full
	Evicted uint64 // buckets that gave way although they were not full
}

// Stats counts as of the latest Take, shard by shard.
func (b *Buckets) Stats() Stats {
	total, clock := Stats{Bytes: int64(len(b.shards)) * shardBytes}, b.latest()
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		total.Bytes += int64(len(s.slots)) * slotBytes
		total.Clients += s.live(max(clock, s.clock))
		total.Evicted += s.evicted
		s.mu.Unlock()
	}
	return total
}

func (b *Buckets) latest() (clock float64) {
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		clock = max(clock, s.clock)
		s.mu.Unlock()
	}
	return clock
}

// pace is the clock of all buckets. It counts tokens, not time: those that
// anybody's bucket was given since the beginning. What a bucket lacks is the
// distance between two readings, and stays when the rate changes, without a look
// at any bucket. After ten years at one rate a reading is still within 70 ns.
type pace struct {
	perSecond float64
	tokens    float64       // at since
	since     time.Duration // of the last change
}

func (p *pace) at(now time.Duration) float64 {
	return p.tokens + float64(max(now-p.since, 0))/float64(time.Second)*p.perSecond
}

// clock reads the clock, and lets it go faster or slower from now on if the rate
// has changed.
func (b *Buckets) clock(perSecond float64, now time.Duration) float64 {
	for {
		p := b.pace.Load()
		if p.perSecond == perSecond {
			return p.at(now)
		}
		b.pace.CompareAndSwap(p, &pace{perSecond: perSecond, tokens: p.at(now), since: max(now, p.since)})
	}
}
