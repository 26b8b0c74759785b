package static

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
)

const (
	// cachedFile is the size in bytes up to which a file is kept in memory.
	// Beyond it sendfile from the system's own cache is as fast.
	cachedFile = 256 << 10
	// defaultCache is the bytes a cache holds if none are said.
	defaultCache = 64 << 20
	// slotCost is what an entry of the cache takes beside its bytes.
	slotCost = 256
)

// Cache keeps small files of all apps of a node in memory by their digest, so a
// new release of an app finds what did not change. Bytes are immutable; a hit
// follows one pointer, takes no lock and writes nothing but, once in a while, a
// mark that the bytes were of use. What has no mark is dropped first.
type Cache struct {
	limit int64

	mu    sync.Mutex
	slots map[slotKey]*slot // guarded by mu
	ring  []*slot           // guarded by mu; all slots, in no order that matters
	hand  int               // guarded by mu; next slot of the ring to judge
	bytes int64             // guarded by mu
}

type slotKey struct {
	digest blob.Digest
	form   form
}

// slot holds one file's bytes until they are dropped.
type slot struct {
	key  slotKey
	cost int64
	body atomic.Pointer[[]byte] // nil once dropped
	used atomic.Bool
}

// NewCache returns a cache of at most limit bytes; 0 is 64 MiB.
func NewCache(limit int64) *Cache {
	if limit <= 0 {
		limit = defaultCache
	}
	return &Cache{limit: limit, slots: map[slotKey]*slot{}}
}

// Bytes returns how much memory the cache holds.
func (c *Cache) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

// read returns the bytes of a representation, from memory if they are there.
func (c *Cache) read(store *blob.Store, rep *representation) ([]byte, error) {
	if s := rep.held.Load(); s != nil {
		if body := s.body.Load(); body != nil {
			if !s.used.Load() { // a store on every hit would make processors fight for the line
				s.used.Store(true)
			}
			return *body, nil
		}
	}
	return c.fill(store, rep)
}

// fill finds the slot another handler made, or reads the file.
func (c *Cache) fill(store *blob.Store, rep *representation) ([]byte, error) {
	key := slotKey{rep.blob, rep.form}
	if body, ok := c.share(key, rep); ok {
		return body, nil
	}
	body, err := load(store, rep)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.slots[key]
	if s == nil {
		if s = c.insertLocked(key, body); s == nil {
			return body, nil
		}
	}
	rep.held.Store(s)
	return body, nil
}

func (c *Cache) share(key slotKey, rep *representation) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.slots[key]
	if s == nil {
		return nil, false
	}
	s.used.Store(true)
	rep.held.Store(s)
	return *s.body.Load(), true
}

// insertLocked makes room for a new slot; nil if it could never fit.
func (c *Cache) insertLocked(key slotKey, body []byte) *slot {
	s := &slot{key: key, cost: int64(len(body)) + slotCost}
	if s.cost > c.limit {
		return nil
	}
	for c.bytes+s.cost > c.limit {
		c.judgeLocked()
	}
	s.body.Store(&body)
	c.slots[key] = s
	c.ring = append(c.ring, s)
	c.bytes += s.cost
	return s
}

// judgeLocked takes the mark off the next slot of the ring, or drops the slot if
// it has none.
func (c *Cache) judgeLocked() {
	if c.hand >= len(c.ring) {
		c.hand = 0
	}
	s := c.ring[c.hand]
	if s.used.Swap(false) {
		c.hand++
		return
	}
	last := len(c.ring) - 1
	c.ring[c.hand], c.ring[last] = c.ring[last], nil
	c.ring = c.ring[:last]
	delete(c.slots, s.key)
	s.body.Store(nil)
	c.bytes -= s.cost
}

// load reads a whole file. One that is not as long as it was when the handler
// was made is not served.
func load(store *blob.Store, rep *representation) ([]byte, error) {
	f, err := store.Open(rep.blob, rep.form.encoding())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body := make([]byte, rep.size)
	if _, err := io.ReadFull(f, body); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "read file %q", rep.name)
	}
	var more [1]byte
	if n, _ := f.Read(more[:]); n > 0 {
		return nil, damaged(rep.name, rep.blob)
	}
	if !store.Sound(rep.blob, rep.form.encoding(), body) { // once for each time that memory is filled
		return nil, damaged(rep.name, rep.blob)
	}
	return body, nil
}
