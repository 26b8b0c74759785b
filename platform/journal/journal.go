// Package journal is the append-only record of what happened on the node: who
// did what to which thing, and how it ended. Each entry carries the hash of the
// one before, so that an edited, removed, moved or invented entry is found. The
// reconcile loop and the operations write it, inside the transaction of the
// change they record. It refuses to know what the actions mean.
package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

//go:embed migration/*.sql
var migrations embed.FS

// Entry is one thing that happened.
type Entry struct {
	Seq     uint64          `json:"seq"`              // from 1, without gaps; set by Append
	Time    time.Time       `json:"time"`             // UTC; set by Append if zero
	Actor   string          `json:"actor"`            // "local:1000", "token:ci", "loop"
	Action  string          `json:"action"`           // "apply", "pause"
	Target  string          `json:"target"`           // an address, a revision; may be empty
	Outcome string          `json:"outcome"`          // "ok", "failed", "exit 9"
	Detail  json.RawMessage `json:"detail,omitempty"` // compact JSON, or nil
	Prev    string          `json:"prev"`             // hash of the entry before, empty for the first; set by Append
	Hash    string          `json:"hash"`             // 64 hex digits over all of the above; set by Append
}

// Head names the newest entry. Kept outside the node, it shows a journal that
// was cut short, which the chain alone cannot.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Filter chooses entries. Empty fields choose all.
type Filter struct {
	Limit  int       // at most this many; 0 is 100
	Before uint64    // only entries with a smaller seq
	After  uint64    // only entries with a larger seq
	Oldest bool      // the oldest first
	Since  time.Time // only entries from this time on
	Actor  string
	Action string
	Target string
}

// Journal reads and writes the entries of one database.
type Journal struct {
	db *sqlite.DB

	mu      sync.Mutex
	changed chan struct{} // closed when there is something new; guarded by mu
}

// Open prepares the journal's table in db.
func Open(ctx context.Context, db *sqlite.DB) (*Journal, error) {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "journal", files); err != nil {
		return nil, err
	}
	return &Journal{db: db, changed: make(chan struct{})}, nil
}

// Changed returns a channel that is closed when there is something new. Ask for
// it before List, and nothing is missed in between.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Announce tells those who follow that a transaction with entries is on the
// disk. Whoever commits one calls it.
func (j *Journal) Announce() {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.changed)
	j.changed = make(chan struct{})
}

// Append writes e behind the newest entry and returns it with Seq, Time, Prev
// and Hash. It is on the disk when the caller's transaction is.
func (j *Journal) Append(tx *sqlite.Tx, e Entry) (Entry, error) {
	last, err := head(tx)
	if err != nil {
		return Entry{}, err
	}
	if e.Detail, err = compact(e.Detail); err != nil {
		return Entry{}, fault.Wrap(fault.Internal, err, "journal entry %q has a bad detail", e.Action)
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC().Round(0)
	e.Seq, e.Prev = last.Seq+1, last.Hash
	e.Hash = e.sum()
	_, err = tx.Exec(`INSERT INTO journal (seq, time, actor, action, target, outcome, detail, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(e.Seq), e.Time.UnixNano(), e.Actor, e.Action, e.Target, e.Outcome, string(e.Detail), e.Prev, e.Hash)
	return e, err
}

// Head returns the newest entry's place and hash, zero for an empty journal.
func (j *Journal) Head(ctx context.Context) (Head, error) {
	var h Head
	err := j.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		h, err = head(tx)
		return err
	})
	return h, err
}

func head(tx *sqlite.Tx) (Head, error) {
	var h Head
	err := tx.QueryRow(`SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1`).Scan(&h.Seq, &h.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Head{}, nil
	}
	return h, err
}

// List returns the entries that match, newest first unless asked otherwise.
func (j *Journal) List(ctx context.Context, f Filter) ([]Entry, error) {
	query, args := f.query()
	var list []Entry
	err := j.db.Read(ctx, func(tx *sqlite.Tx) error {
		return each(tx, func(e Entry) error {
			list = append(list, e)
			return nil
		}, query, args...)
	})
	return list, err
}

func (f Filter) query() (string, []any) {
	query, args := columns+` WHERE seq < ?`, []any{int64(f.Before)}
	if f.Before == 0 {
		args[0] = int64(1<<63 - 1)
	}
	for _, c := range []struct{ column, value string }{{"actor", f.Actor}, {"action", f.Action}, {"target", f.Target}} {
		if c.value != "" {
			query += ` AND ` + c.column + ` = ?`
			args = append(args, c.value)
		}
	}
	if !f.Since.IsZero() {
		query, args = query+` AND time >= ?`, append(args, f.Since.UnixNano())
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	query, args = query+` AND seq > ?`, append(args, int64(f.After))
	if f.Oldest {
		return query + ` ORDER BY seq LIMIT ?`, append(args, f.Limit)
	}
	return query + ` ORDER BY seq DESC LIMIT ?`, append(args, f.Limit)
}

const columns = `SELECT seq, time, actor, action, target, outcome, detail, prev, hash FROM journal`

func each(tx *sqlite.Tx, fn func(Entry) error, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e Entry
		var nanos int64
		var detail string
		if err := rows.Scan(&e.Seq, &nanos, &e.Actor, &e.Action, &e.Target, &e.Outcome, &detail, &e.Prev, &e.Hash); err != nil {
			return err
		}
		e.Time = time.Unix(0, nanos).UTC()
		if detail != "" {
			e.Detail = json.RawMessage(detail)
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sum hashes all fields but Hash, each behind its length: no two entries have
// the same bytes.
func (e Entry) sum() string {
	var b []byte
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time.UnixNano()))
	for _, field := range []string{e.Actor, e.Action, e.Target, e.Outcome, string(e.Detail), e.Prev} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func compact(detail json.RawMessage) (json.RawMessage, error) {
	if len(detail) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, detail); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
