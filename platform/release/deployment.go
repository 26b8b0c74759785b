package release

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Live is the outcome of a deployment that went into service. Every other
// outcome counts as failed; Failed is the plain one.
const (
	Live   = "live"
	Failed = "failed"
)

// Deployment is one attempt to bring an app to a revision.
type Deployment struct {
	ID         uint64        `json:"id"`  // set by Commit and Record; people see d-118
	App        string        `json:"app"` // the app as its caller names it
	Revision   string        `json:"revision"`
	Generation uint64        `json:"generation"` // it went live in, or was aimed at
	Author     string        `json:"author,omitempty"`
	Subject    string        `json:"subject,omitempty"`
	Trigger    string        `json:"trigger"` // "poll", "sync", "apply"
	Actor      string        `json:"actor"`
	Outcome    string        `json:"outcome"`
	Time       time.Time     `json:"time"`        // when it began; UTC
	Duration   time.Duration `json:"duration_ns"` // until it was live, or given up
	Files      uint64        `json:"files"`
	Bytes      int64         `json:"bytes"`
	Error      string        `json:"error,omitempty"`
}

// Label is the id as people see and type it: d-118.
func (d Deployment) Label() string { return fmt.Sprintf("d-%d", d.ID) }

// ParseID reads d-118 or 118. The error's kind is Invalid.
func ParseID(s string) (uint64, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(s, "d-"), 10, 63)
	if err != nil || id == 0 {
		return 0, fault.New(fault.Invalid, "%q is no deployment", s).WithHint("deployments are named like d-118")
	}
	return id, nil
}

// Filter chooses deployments. Empty fields choose all.
type Filter struct {
	App    string
	Failed bool   // only attempts that did not go live; the end of an app is none
	Limit  int    // at most this many; 0 is 100
	ID     uint64 // only this one

	Generation uint64 // only those of this one
}

// Record writes deployments without a new generation, such as those of a pass
// that failed, and sets their IDs.
func (s *Store) Record(tx *sqlite.Tx, list []Deployment) error {
	if err := s.fence(tx); err != nil {
		return err
	}
	return record(tx, list)
}

func record(tx *sqlite.Tx, list []Deployment) error {
	for i := range list {
		d := &list[i]
		r, err := tx.Exec(`INSERT INTO deployment
			(app, revision, generation, author, subject, "trigger", actor, outcome, time, duration, files, bytes, error)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			d.App, d.Revision, int64(d.Generation), d.Author, d.Subject, d.Trigger, d.Actor, d.Outcome,
			nanos(d.Time), int64(d.Duration), int64(d.Files), d.Bytes, d.Error)
		if err != nil {
			return err
		}
		id, err := r.LastInsertId()
		if err != nil {
			return err
		}
		d.ID = uint64(id)
	}
	return nil
}

const columns = `d.id, d.app, d.revision, d.generation, d.author, d.subject, d."trigger", d.actor, d.outcome,
	d.time, d.duration, d.files, d.bytes, d.error`

// Deployments returns those that match, newest first.
func (s *Store) Deployments(ctx context.Context, f Filter) ([]Deployment, error) {
	query, args := f.query()
	return s.deployments(ctx, query, args...)
}

func (f Filter) query() (string, []any) {
	query, args := `SELECT `+columns+` FROM deployment d WHERE true`, []any{}
	if f.App != "" {
		query, args = query+` AND d.app = ?`, append(args, f.App)
	}
	if f.Failed {
		query += ` AND d.outcome NOT IN ('live', 'parked', 'deleted', 'forgotten', 'moved')`
	}
	if f.ID != 0 {
		query, args = query+` AND d.id = ?`, append(args, int64(f.ID))
	}
	if f.Generation != 0 {
		query, args = query+` AND d.generation = ?`, append(args, int64(f.Generation))
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	return query + ` ORDER BY d.id DESC LIMIT ?`, append(args, f.Limit)
}

// Latest returns the newest deployment of each app that went live, by app. It
// steps from app to app through an index, so its cost is the number of apps
// whatever the length of their history.
func (s *Store) Latest(ctx context.Context) (map[string]Deployment, error) {
	list, err := s.deployments(ctx, `WITH RECURSIVE step (app) AS (
			SELECT min(app) FROM deployment WHERE outcome = 'live'
			UNION ALL
			SELECT (SELECT min(app) FROM deployment WHERE outcome = 'live' AND app > step.app) FROM step WHERE step.app IS NOT NULL
		)
		SELECT `+columns+` FROM step JOIN deployment d
		ON d.id = (SELECT max(id) FROM deployment WHERE outcome = 'live' AND app = step.app)`)
	if err != nil {
		return nil, err
	}
	latest := make(map[string]Deployment, len(list))
	for _, d := range list {
		latest[d.App] = d
	}
	return latest, nil
}

func (s *Store) deployments(ctx context.Context, query string, args ...any) ([]Deployment, error) {
	var list []Deployment
	err := s.db.Read(ctx, func(tx *sqlite.Tx) error {
		rows, err := tx.Query(query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d Deployment
			var at int64
			if err := rows.Scan(&d.ID, &d.App, &d.Revision, &d.Generation, &d.Author, &d.Subject, &d.Trigger, &d.Actor,
				&d.Outcome, &at, &d.Duration, &d.Files, &d.Bytes, &d.Error); err != nil {
				return err
			}
			d.Time = time.Unix(0, at).UTC()
			list = append(list, d)
		}
		return rows.Err()
	})
	return list, err
}
