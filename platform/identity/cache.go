package identity

import (
	"sync"
	"time"
)

// mostCached is how many sessions are kept in memory, and how many tokens, at
// about 1 KB each.
const mostCached = 16 << 10

// cache holds what was looked up by the hash of a token, and the uses that are
// not written down yet. What it answers is what the table would: whoever changes
// the table calls forget afterwards.
type cache[T any] struct {
	mu      sync.Mutex
	most    int
	epoch   uint64               // guarded by mu: counts forget
	entries map[digest]*entry[T] // guarded by mu
	dropped map[string]use       // guarded by mu: uses of entries that are gone, by id
}

type entry[T any] struct {
	value        *T
	id, person   string
	audience     string
	idle         time.Duration // 0: it does not end by not being used
	made, ends   time.Time
	use, written use
}

// use is when, and from which address, something was last used.
type use struct {
	at   time.Time
	from string
}

func newCache[T any](most int) *cache[T] {
	return &cache[T]{most: most, entries: map[digest]*entry[T]{}, dropped: map[string]use{}}
}

// answer is what the cache knows.
type answer int

const (
	unknown answer = iota
	refused
	given
	unused // for too long, as far as the cache knows: uses of children are in the table
)

// get looks a token up and notes its use. It allocates nothing.
func (c *cache[T]) get(hash digest, audience, from string, now time.Time) (*T, answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[hash]
	if e == nil {
		return nil, unknown
	}
	switch {
	case e.audience != audience || !holds(now, e.made, e.ends):
		return nil, refused
	case e.unused(now):
		c.drop(hash, e)
		return nil, unused
	}
	if now.After(e.use.at) {
		e.use = use{now, from}
	}
	return e.value, given
}

func (e *entry[T]) unused(now time.Time) bool { return e.idle > 0 && now.Sub(e.use.at) >= e.idle }

// drop lets go of an entry, but not of its last use.
func (c *cache[T]) drop(hash digest, e *entry[T]) {
	if e.use != e.written {
		c.dropped[e.id] = e.use
	}
	delete(c.entries, hash)
}

// now returns the count that put wants: taken before the table is read, it shows
// whether what was read may have changed since.
func (c *cache[T]) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// put keeps what was read from the table.
func (c *cache[T]) put(epoch uint64, hash digest, e *entry[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return
	}
	for old, victim := range c.entries { // in random order
		if len(c.entries) < c.most {
			break
		}
		c.drop(old, victim)
	}
	e.written = e.use
	if last, ok := c.dropped[e.id]; ok && last.at.After(e.use.at) {
		e.use = last
	}
	c.entries[hash] = e
}

// forget drops what is known of a person, and what is being read now.
func (c *cache[T]) forget(person string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for hash, e := range c.entries {
		if e.person == person {
			c.drop(hash, e)
		}
	}
}

// end drops what is over, and what is being read now: the table has it no more.
func (c *cache[T]) end(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for hash, e := range c.entries {
		if !now.Before(e.ends) || e.unused(now) {
			c.drop(hash, e)
		}
	}
}

// uses takes the uses that are not written down.
func (c *cache[T]) uses() map[string]use {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.dropped
	c.dropped = map[string]use{}
	for _, e := range c.entries {
		if e.use != e.written {
			taken[e.id], e.written = e.use, e.use
		}
	}
	return taken
}

// giveBack takes back uses that could not be written.
func (c *cache[T]) giveBack(uses map[string]use) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, u := range uses {
		if u.at.After(c.dropped[id].at) {
			c.dropped[id] = u
		}
	}
}
