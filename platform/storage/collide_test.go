package storage_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

// colliding returns 2^blocks keys of one FNV-1a sum: block after block it finds two
// continuations that lead to the same state, so every choice of them collides
// (A. Joux, "Multicollisions in iterated hash functions", 2004).
func colliding(blocks int) []string {
	keys := []string{""}
	for range blocks {
		a, b := collision(keys[0])
		next := make([]string, 0, 2*len(keys))
		for _, k := range keys {
			next = append(next, k+a, k+b)
		}
		keys = next
	}
	return keys
}

func collision(prefix string) (a, b string) {
	seen := map[uint32]string{}
	for i := 0; ; i++ {
		block := fmt.Sprintf("%06x", i)
		h := fnv.New32a()
		h.Write([]byte(prefix + block))
		if other, ok := seen[h.Sum32()]; ok {
			return other, block
		}
		seen[h.Sum32()] = block
	}
}

// Keys that a stranger chose to collide cost what any keys of their length do: what
// finds them is a tree, and no table of a hash that anybody knows.
func TestCollidingKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures, and not under the race detector")
	}
	collide := colliding(12)
	random := make([]string, len(collide))
	for i := range random {
		for len(random[i]) < len(collide[i]) {
			random[i] += fmt.Sprintf("%06x", rand.Uint32()&0xffffff)
		}
	}
	keys := open(t, storage.Settings{Durability: sqlite.Normal}).Keys("CACHE")
	cost := func(names []string) time.Duration {
		began := time.Now()
		for batch := range slices.Chunk(names, 500) {
			if _, err := keys.GetMany(t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(began)
	}
	for i := range collide {
		for _, name := range []string{collide[i], random[i]} {
			if _, err := keys.Put(t.Context(), name, storage.Value{Data: []byte("x")}, storage.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	hostile, usual := time.Hour, time.Hour // the best of some rounds: the rest is other people's work
	for range 9 {
		hostile, usual = min(hostile, cost(collide)), min(usual, cost(random))
	}
	if hostile > 2*usual {
		t.Errorf("%d colliding keys cost %s, others %s", len(collide), hostile, usual)
	}
	t.Logf("%d keys: colliding %s, random %s", len(collide), hostile, usual)
}
