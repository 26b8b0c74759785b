package storage

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// sequence makes ids that sort by when they were made: UUIDs of version 7
// (RFC 9562), whose first random bits are a counter here, so that ids of one
// millisecond keep their order too.
type sequence struct {
	mu    sync.Mutex
	last  int64  // milliseconds of the last id; guarded by mu
	count uint16 // ids in it; guarded by mu
}

func (s *sequence) next() string {
	var id [16]byte
	rand.Read(id[8:])
	s.mu.Lock()
	at := time.Now().UnixMilli()
	switch {
	case at > s.last:
		s.last, s.count = at, 0
	case s.count == 0xfff: // 4,096 in a millisecond: borrow of the next one
		s.last, s.count = s.last+1, 0
	default:
		s.count++
	}
	binary.BigEndian.PutUint64(id[:8], uint64(s.last)<<16|0x7000|uint64(s.count))
	s.mu.Unlock()
	id[8] = id[8]&0x3f | 0x80
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
