package queue

import (
	"cmp"
	"crypto/rand"
	"slices"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Job is a job that is delivered, or looked at.
type Job struct {
	ID       int64
	Queue    string
	Body     []byte
	Key      string
	Priority int
	Sent     time.Time
	Attempts int       // deliveries, with the one under way
	State    string    // "ready", "delayed", "running", "dead"
	Due      time.Time // of a delayed job; of a running one, the end of its lease; of a dead one, when it was given up
	Error    string    // of the last attempt that failed
}

const columns = `id, queue, body, coalesce(key, ''), priority, sent, attempts, state, due, lease IS NOT NULL, error`

func scan(row interface{ Scan(...any) error }) (Job, error) {
	var j Job
	var sent, due int64
	var state int
	var leased bool
	err := row.Scan(&j.ID, &j.Queue, &j.Body, &j.Key, &j.Priority, &sent, &j.Attempts, &state, &due, &leased, &j.Error)
	j.Sent = at(sent)
	switch {
	case state == ready:
		j.State = "ready"
		return j, err
	case state == dead:
		j.State = "dead"
	case leased:
		j.State = "running"
	default:
		j.State = "delayed"
	}
	j.Due = at(due)
	return j, err
}

func query(tx *sqlite.Tx, text string, args ...any) (jobs []Job, err error) {
	rows, err := tx.Query(text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		j, err := scan(rows)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, rows.Err()
}

// promote makes ready what was delayed until now, and what was delivered to
// somebody who did not answer in time.
func promote(tx *sqlite.Tx, now time.Time) error {
	_, err := tx.Exec(`UPDATE fazt_job SET state = 0, lease = NULL WHERE state = 1 AND due <= ?`, millis(now))
	return err
}

// grace is how much longer a lease is than the delivery may take, so that an
// answer in the last moment is heard.
const grace = 10 * time.Second

// claim leases a batch of ready jobs for one delivery. A job whose last delivery
// has ended without an answer too often is not delivered again: it may be what
// ends the process.
func claim(tx *sqlite.Tx, q Queue, now time.Time) (jobs []Job, lease string, err error) {
	lease = rand.Text()
	taken, err := query(tx, `UPDATE fazt_job SET state = 1, lease = ?, due = ?, attempts = attempts + 1
		WHERE id IN (SELECT id FROM fazt_job WHERE state = 0 AND queue = ? ORDER BY priority DESC, id LIMIT ?) RETURNING `+columns,
		lease, millis(now.Add(q.Lease+grace)), q.Name, q.Batch)
	if err != nil {
		return nil, "", err
	}
	for _, j := range taken {
		if j.Attempts <= 1+q.Retries {
			jobs = append(jobs, j)
			continue
		}
		if _, err := tx.Exec(`UPDATE fazt_job SET state = 2, lease = NULL, due = ?, attempts = attempts - 1, error = ? WHERE id = ?`,
			millis(now), cmp.Or(j.Error, "its deliveries ended without an answer"), j.ID); err != nil {
			return nil, "", err
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int { return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.ID, b.ID)) })
	return jobs, lease, nil
}

// Back-off between attempts: 5 s (or what the queue says), 15 s, 45 s and so on, at most an hour, each
// spread over half of it so that what failed together does not return together.
const (
	firstPause = 5 * time.Second
	lastPause  = time.Hour
)

// pause returns how long to wait after the given attempt.
func (s *Store) pause(q Queue, attempts int) time.Duration {
	d := cmp.Or(q.Pause, firstPause)
	for i := 1; i < attempts && d < lastPause; i++ {
		d *= 3
	}
	d = min(d, lastPause)
	return d/2 + time.Duration(s.jitter()*float64(d/2))
}

// settle records what became of one delivery. Jobs whose lease was over, and
// which somebody else has by now, are left alone.
func (s *Store) settle(tx *sqlite.Tx, q Queue, lease string, jobs []Job, a Answer, failed error) error {
	now := s.now()
	for _, j := range jobs {
		delay, retry := a.Retry[j.ID]
		if !retry && (failed == nil || slices.Contains(a.Ack, j.ID)) {
			if _, err := tx.Exec(`DELETE FROM fazt_job WHERE id = ? AND lease = ?`, j.ID, lease); err != nil {
				return err
			}
			continue
		}
		if err := s.again(tx, q, lease, j, delay, retry, failed, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) again(tx *sqlite.Tx, q Queue, lease string, j Job, delay time.Duration, asked bool, failed error, now time.Time) error {
	text := "the app asked for another attempt"
	if failed != nil {
		text = shorten(failed.Error())
	}
	if j.Attempts > q.Retries {
		_, err := tx.Exec(`UPDATE fazt_job SET state = 2, lease = NULL, due = ?, error = ? WHERE id = ? AND lease = ?`,
			millis(now), text, j.ID, lease)
		if err != nil {
			return err
		}
		return s.bury(tx, q)
	}
	if !asked || delay < 0 {
		delay = s.pause(q, j.Attempts)
	}
	_, err := tx.Exec(`UPDATE fazt_job SET state = 1, lease = NULL, due = ?, error = ? WHERE id = ? AND lease = ?`,
		millis(now.Add(min(delay, maxDelay))), text, j.ID, lease)
	return err
}

// bury forgets the dead that were kept long enough.
func (s *Store) bury(tx *sqlite.Tx, q Queue) error {
	if q.Keep <= 0 {
		return nil
	}
	_, err := tx.Exec(`DELETE FROM fazt_job WHERE queue = ? AND state = 2 AND due < ?`, q.Name, millis(s.now().Add(-q.Keep)))
	return err
}

// giveBack undoes a delivery that did not take place, or not to its end: what was
// done by then is done.
func giveBack(tx *sqlite.Tx, lease string, done []int64, due time.Time) error {
	for _, id := range done {
		if _, err := tx.Exec(`DELETE FROM fazt_job WHERE id = ? AND lease = ?`, id, lease); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`UPDATE fazt_job SET lease = NULL, due = ?, attempts = attempts - 1 WHERE state = 1 AND lease = ?`, millis(due), lease)
	return err
}

// shorten keeps an error's text readable in a table, and a row small.
func shorten(text string) string {
	if len(text) > 1000 {
		text = text[:1000] + "…"
	}
	return text
}
