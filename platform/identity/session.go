package identity

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// How long sessions last unless somebody says otherwise.
const (
	DefaultIdle     = 12 * time.Hour
	DefaultAbsolute = 7 * 24 * time.Hour
)

// New is what a session begins with.
type New struct {
	Person   string        // id
	Audience string        // the one host it is good for
	Parent   string        // id of the console session that an app's is a child of; else empty
	Agent    string        // what the browser calls itself
	Address  string        // where from
	Idle     time.Duration // it ends when not used for as long; 0 is DefaultIdle
	Absolute time.Duration // and after as long; 0 is DefaultAbsolute
	Factors  []string      // how the person was recognised, words; a child has its parent's
}

// Session is a person signed in at one host. Seen is as of when it was read.
type Session struct {
	ID       string    `json:"id"`
	Person   *Person   `json:"person"`
	Audience string    `json:"audience"`
	Parent   string    `json:"parent,omitempty"`
	Agent    string    `json:"agent,omitempty"`
	Address  string    `json:"address,omitempty"`
	Factors  []string  `json:"factors,omitempty"`
	Created  time.Time `json:"created"`
	Seen     time.Time `json:"seen"`
	Ends     time.Time `json:"ends"`

	idle time.Duration
}

// Begin makes a session and returns its token, of which only a hash is kept. A
// session with a parent ends with it, and its use counts as one of the parent.
func (d *Directory) Begin(ctx context.Context, n New) (token string, s Session, err error) {
	if n.Audience == "" {
		return "", s, fault.New(fault.Internal, "a session needs a host to be good for")
	}
	now := d.clock()
	s = Session{ID: newID(), Audience: n.Audience, Parent: n.Parent, Agent: clip(n.Agent, 256), Address: clip(n.Address, 64), Factors: words(n.Factors)}
	s.idle = orElse(n.Idle, DefaultIdle)
	s.Ends = now.Add(orElse(n.Absolute, DefaultAbsolute))
	s.Created, s.Seen = now, now
	token, hash := newBearer()
	err = d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		s, err = begin(tx, n.Person, hash, s)
		return err
	})
	if err != nil {
		return "", Session{}, err
	}
	return token, s, nil
}

// begin writes one session, within the bounds of its parent.
func begin(tx *sqlite.Tx, person string, hash digest, s Session) (Session, error) {
	p, err := personByID(tx, person)
	if err != nil {
		return s, err
	}
	if p.Disabled {
		return s, disabled(p)
	}
	if s.Parent != "" {
		parent, err := scanSession(tx.QueryRow(sessionQuery+` WHERE s.id = ? AND s.person = ?`, s.Parent, person))
		if errors.Is(err, sql.ErrNoRows) || err == nil && (parent.Parent != "" || !parent.alive(s.Created)) {
			return s, fault.New(fault.Unauthenticated, "the session that this one belongs to is over").WithHint("sign in again")
		}
		if err != nil {
			return s, err
		}
		s.Factors, s.idle = parent.Factors, min(s.idle, parent.idle)
		if parent.Ends.Before(s.Ends) {
			s.Ends = parent.Ends
		}
		if err := seen(tx, parent.ID, s.Created.UnixMilli()); err != nil {
			return s, err
		}
	}
	if _, err = tx.Exec(`INSERT INTO people_session (id, hash, person, audience, parent, agent, address, factors, created, seen, idle, ends)
		VALUES (?, ?, ?, ?, nullif(?, ''), ?, ?, ?, ?, ?, ?, ?)`, s.ID, hash[:], person, s.Audience, s.Parent, s.Agent, s.Address,
		strings.Join(s.Factors, " "), s.Created.UnixMilli(), s.Seen.UnixMilli(), s.idle.Milliseconds(), s.Ends.UnixMilli()); err != nil {
		return s, err
	}
	if _, err = tx.Exec(`UPDATE people_person SET seen = max(seen, ?) WHERE id = ?`, s.Seen.UnixMilli(), person); err != nil {
		return s, err
	}
	return scanSession(tx.QueryRow(sessionQuery+` WHERE s.id = ?`, s.ID))
}

const sessionQuery = `SELECT ` + personColumns + `, s.id, s.audience, coalesce(s.parent, ''), s.agent, s.address, s.factors, s.created, s.seen, s.idle, s.ends
	FROM people_session s JOIN people_person p ON p.id = s.person`

func scanSession(row scanner) (s Session, err error) {
	var factors string
	var created, seen, idle, ends int64
	p, err := scanPerson(row, &s.ID, &s.Audience, &s.Parent, &s.Agent, &s.Address, &factors, &created, &seen, &idle, &ends)
	s.Person, s.Factors, s.idle = &p, strings.Fields(factors), time.Duration(idle)*time.Millisecond
	s.Created, s.Seen, s.Ends = at(created), at(seen), at(ends)
	return s, err
}

// alive reports whether a session is neither over nor left unused.
func (s Session) alive(now time.Time) bool {
	return holds(now, s.Created, s.Ends) && now.Sub(s.Seen) < s.idle
}

// Session returns the session that a token opens at a host. What is cached costs
// no query and no allocation; what it returns must not be changed.
func (d *Directory) Session(token, audience string, now time.Time) (*Session, bool) {
	hash, ok := hashBearer(token)
	if !ok {
		return nil, false
	}
	switch s, known := d.sessions.get(hash, audience, "", now); known {
	case given:
		return s, true
	case refused:
		return nil, false
	case unused:
		if err := d.flushUses(context.Background()); err != nil {
			d.log.Warn("last uses of sessions were not written", "error", err)
			return nil, false
		}
	}
	return d.loadSession(hash, audience, now)
}

// loadSession asks the table, and keeps what is alive.
func (d *Directory) loadSession(hash digest, audience string, now time.Time) (*Session, bool) {
	epoch := d.sessions.now()
	var s Session
	err := d.db.Read(context.Background(), func(tx *sqlite.Tx) (err error) {
		s, err = scanSession(tx.QueryRow(sessionQuery+` WHERE s.hash = ? AND p.disabled = 0`, hash[:]))
		return err
	})
	if err != nil {
		if !errors.Is(err, sql.ErrNoRows) {
			d.log.Warn("a session could not be looked up", "error", err)
		}
		return nil, false
	}
	if !s.alive(now) {
		return nil, false
	}
	d.sessions.put(epoch, hash, &entry[Session]{value: &s, id: s.ID, person: s.Person.ID, audience: s.Audience,
		idle: s.idle, made: s.Created, ends: s.Ends, use: use{at: s.Seen}})
	if s.Audience != audience {
		return nil, false
	}
	d.sessions.get(hash, audience, "", now) // notes the use
	return &s, true
}

// Rotate gives a session another token, as one does when somebody has shown
// more of who they are; the old one is over. Factors are added to what it has.
func (d *Directory) Rotate(ctx context.Context, id string, factors ...string) (token string, s Session, err error) {
	token, hash := newBearer()
	now := d.clock()
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		s, err = scanSession(tx.QueryRow(sessionQuery+` WHERE s.id = ? AND p.disabled = 0`, id))
		if errors.Is(err, sql.ErrNoRows) || err == nil && !s.alive(now) {
			return fault.New(fault.Unauthenticated, "this session is over").WithHint("sign in again")
		}
		if err != nil {
			return err
		}
		s.Factors = words(append(s.Factors, factors...))
		s.Seen = at(now.UnixMilli())
		_, err = tx.Exec(`UPDATE people_session SET hash = ?, factors = ?, seen = ? WHERE id = ?`,
			hash[:], strings.Join(s.Factors, " "), now.UnixMilli(), id)
		return err
	})
	if err != nil {
		return "", Session{}, err
	}
	d.sessions.forget(s.Person.ID)
	return token, s, nil
}

// words are the distinct ones, in the order they came.
func words(list []string) []string {
	var kept []string
	for _, w := range strings.Fields(strings.Join(list, " ")) {
		if !slices.Contains(kept, w) {
			kept = append(kept, w)
		}
	}
	return kept
}

func orElse(span, usual time.Duration) time.Duration {
	if span <= 0 {
		return usual
	}
	return span
}
