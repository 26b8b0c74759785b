package queue

import (
	"context"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Once delivers what is ready in one queue, batch after batch, and returns when no
// more of it is: jobs that come back later are not waited for. With delayed, those
// that wait for their moment are ready now. It is for who wants to see jobs done one
// by one, as tests do, and not to be called beside Run. It returns the ids of the
// jobs that were delivered.
func (s *Store) Once(ctx context.Context, queue string, delayed bool, deliver Deliver) (ids []int64, err error) {
	q, err := s.declared(queue)
	if err != nil {
		return nil, err
	}
	now := s.now()
	if delayed {
		now = now.Add(maxDelay)
	}
	err = s.keep(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE fazt_job SET state = 0, lease = NULL WHERE state = 1 AND queue = ? AND due <= ?`, queue, millis(now))
		return err
	})
	if err != nil {
		return nil, err
	}
	r := &runner{Store: s, deliver: deliver}
	for ctx.Err() == nil {
		var jobs []Job
		var lease string
		err := s.keep(ctx, func(tx *sqlite.Tx) (err error) {
			jobs, lease, err = claim(tx, q, s.now())
			return err
		})
		if err != nil || len(jobs) == 0 {
			return ids, err
		}
		for _, j := range jobs {
			ids = append(ids, j.ID)
		}
		r.batch(ctx, q, lease, jobs)
	}
	return ids, ctx.Err()
}
