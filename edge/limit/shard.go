package limit

import "sync"

const (
	// window is how many neighbours a key may be in. A key has two windows and
	// goes to the emptier one, which fills a table to some four fifths before
	// any key finds both full; one window of twice the width fills a half of it.
	// Eight slots are two lines of the processor's cache.
	window = 8
	// windowBits of a hash choose the windows, half of them each; the rest
	// choose the shard. In a small table both may be the same window.
	windowBits = 56

	slotBytes  = 16
	shardBytes = 64
)

// slot is the bucket of one client.
type slot struct {
	hash uint64  // of its key: two of a million clients share one once in 10^7 tables
	full float64 // what the clock shows when the bucket is full again; the slot is free from then on
}

// shard is a part of the table with a lock of its own.
type shard struct {
	mu      sync.Mutex
	slots   []slot  // a multiple of window
	clock   float64 // the latest reading
	placed  int     // clients that came, since slots were last counted
	evicted uint64
	_       [8]byte // to a whole cache line, so that locks do not share one
}

// bucket returns the slot of a key, one that was free if it had none. A full
// table of less than most slots grows.
func (s *shard) bucket(hash uint64, most int) *slot {
	if s.slots == nil {
		s.slots = make([]slot, window)
	}
	at, found := s.find(hash)
	if found {
		return at
	}
	for s.fit(at, most) {
		at, _ = s.find(hash)
	}
	s.placed++
	if at.full > s.clock {
		s.evicted++
	}
	*at = slot{hash: hash, full: s.clock}
	return at
}

// find returns the slot of a key. If there is none, it is the slot to take: a
// free one in the emptier window, or else the one nearest to full.
func (s *shard) find(hash uint64) (at *slot, found bool) {
	one, two := s.window(hash), s.window(hash>>(windowBits/2))
	for i := range one {
		if one[i].hash == hash {
			return &one[i], true
		}
		if two[i].hash == hash {
			return &two[i], true
		}
	}
	first, free := s.place(one)
	if second, more := s.place(two); more > free || more == free && second.full < first.full {
		return second, false
	}
	return first, false
}

// window is the one that the last half of windowBits choose.
func (s *shard) window(hash uint64) *[window]slot {
	first := window * scale(hash, windowBits/2, len(s.slots)/window)
	return (*[window]slot)(s.slots[first:])
}

// place returns the slot of a window that is nearest to full, and how many are
// free.
func (s *shard) place(w *[window]slot) (nearest *slot, free int) {
	nearest = &w[0]
	for i := range w {
		if w[i].full <= s.clock {
			free++
		}
		if w[i].full < nearest.full {
			nearest = &w[i]
		}
	}
	return nearest, free
}

// fit makes the table larger if a key can only have a slot that is in use, and
// smaller if few are. It counts them once for every two newcomers a slot, so that
// it costs those next to nothing.
func (s *shard) fit(at *slot, most int) (changed bool) {
	size := len(s.slots)
	switch {
	case at.full > s.clock:
		size = min(2*size, most)
	case s.placed > 2*size:
		s.placed = 0
		if s.live(s.clock) <= size/8 {
			size = max(size/2/window*window, window)
		}
	}
	if size == len(s.slots) {
		return false
	}
	s.resize(size, most)
	return true
}

// resize moves the buckets that are not full to a table of size slots, or of
// more where they do not fit.
func (s *shard) resize(size, most int) {
	old := s.slots
	for {
		s.slots, s.placed = make([]slot, size), 0
		lost := s.move(old)
		if lost == 0 || size == most {
			s.evicted += lost
			return
		}
		size = min(2*size, most)
	}
}

// move fills an empty table and returns how many buckets gave way.
func (s *shard) move(old []slot) (lost uint64) {
	for _, o := range old {
		if o.full <= s.clock {
			continue
		}
		at, _ := s.find(o.hash)
		if at.full > s.clock {
			lost++
		}
		if at.full < o.full {
			*at = o
		}
	}
	return lost
}

// live counts the buckets that are not full.
func (s *shard) live(clock float64) (n int) {
	for i := range s.slots {
		if s.slots[i].full > clock {
			n++
		}
	}
	return n
}

// scale maps the last bits of a hash to one of n, evenly and without division.
func scale(hash uint64, bits, n int) int {
	return int(hash & (1<<bits - 1) * uint64(n) >> bits)
}
