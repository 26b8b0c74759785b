package queue

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Message is a job to be.
type Message struct {
	Body     []byte        // up to 256 KiB
	Delay    time.Duration // it is not delivered before; up to a year
	Key      string        // while a job of the queue with this key is not done or dead, another is not added
	Priority int           // the higher goes first; jobs of one priority go as they were sent
}

const (
	maxBody  = 256 << 10
	maxDelay = 366 * 24 * time.Hour
	maxBatch = 1000
	maxKey   = 512
)

// The states of a job, as they are in its row.
const (
	ready = iota
	later
	dead
)

// Send puts jobs into a queue, all or none, and returns their ids in order: of a
// job whose key was taken, the id of the one that has it. They are on the disk,
// as far as the database's durability goes, when it returns. The error's kind is
// NotFound if the app has no such queue, Invalid for a job out of bounds.
func (s *Store) Send(ctx context.Context, queue string, messages ...Message) (ids []int64, err error) {
	err = s.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		ids, err = s.Put(tx, queue, messages...)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Poke()
	return ids, nil
}

// Put is Send as part of a transaction of the caller, who calls Poke when it is
// committed: the jobs exist if and only if what else is in it does.
func (s *Store) Put(tx *sqlite.Tx, queue string, messages ...Message) ([]int64, error) {
	if _, err := s.declared(queue); err != nil {
		return nil, err
	}
	if len(messages) > maxBatch {
		return nil, fault.New(fault.Invalid, "%d jobs at once, more than %d", len(messages), maxBatch)
	}
	now := s.now()
	ids := make([]int64, 0, len(messages))
	for _, m := range messages {
		if err := m.check(); err != nil {
			return nil, err
		}
		id, err := put(tx, queue, m, now)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (m Message) check() error {
	switch {
	case len(m.Body) > maxBody:
		return fault.New(fault.Invalid, "a job of %d bytes, more than %d", len(m.Body), maxBody).
			WithHint("store what is large and send its name")
	case m.Delay < 0 || m.Delay > maxDelay:
		return fault.New(fault.Invalid, "a delay of %s is not between 0 and a year", m.Delay)
	case len(m.Key) > maxKey:
		return fault.New(fault.Invalid, "a key of %d bytes, more than %d", len(m.Key), maxKey)
	}
	return nil
}

func put(tx *sqlite.Tx, queue string, m Message, now time.Time) (id int64, err error) {
	state, key := ready, any(nil)
	if m.Delay > 0 {
		state = later
	}
	if m.Key != "" {
		key = m.Key
	}
	body := m.Body
	if body == nil {
		body = []byte{}
	}
	err = tx.QueryRow(`INSERT INTO fazt_job (queue, body, priority, key, sent, state, due, attempts, error) VALUES (?, ?, ?, ?, ?, ?, ?, 0, '')
		ON CONFLICT DO NOTHING RETURNING id`,
		queue, body, m.Priority, key, millis(now), state, millis(now.Add(m.Delay))).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRow(`SELECT id FROM fazt_job WHERE queue = ? AND key = ? AND state < 2`, queue, m.Key).Scan(&id)
	}
	return id, err
}
