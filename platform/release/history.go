package release

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Hold is somebody's word that goes before the repository's. What its fields
// mean is its caller's.
type Hold struct {
	Kind       string
	Addr       string // empty: the node
	Revision   string
	Version    string
	Deployment uint64
	Reason     string
	Actor      string
	Since      time.Time // UTC
	Until      time.Time // UTC; zero: for good
}

// HoldKey names a hold.
type HoldKey struct{ Kind, Addr string }

// Parking is an object on its way to the trash.
type Parking struct {
	Addr     string
	Until    time.Time
	Reason   string
	Revision string // the one that no longer asks for it
}

// Parked is an object in the trash.
type Parked struct {
	Object Object
	Reason string
	Gone   string    // the revision that no longer asked for it
	Since  time.Time // UTC
	Until  time.Time // UTC: Retain may drop it then
}

// Holds returns all holds, by kind and address.
func (s *Store) Holds(ctx context.Context) ([]Hold, error) {
	var list []Hold
	err := s.db.Read(ctx, func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`SELECT kind, addr, revision, version, deployment, reason, actor, since, until FROM hold ORDER BY kind, addr`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var h Hold
			var since, until int64
			if err := rows.Scan(&h.Kind, &h.Addr, &h.Revision, &h.Version, &h.Deployment, &h.Reason, &h.Actor, &since, &until); err != nil {
				return err
			}
			h.Since = time.Unix(0, since).UTC()
			if until != 0 {
				h.Until = time.Unix(0, until).UTC()
			}
			list = append(list, h)
		}
		return rows.Err()
	})
	return list, err
}

// SetHolds ends some holds and puts others, in the caller's transaction.
func (s *Store) SetHolds(tx *sqlite.Tx, put []Hold, free []HoldKey) error {
	if len(put)+len(free) == 0 {
		return nil
	}
	if err := s.fence(tx); err != nil {
		return err
	}
	return setHolds(tx, put, free)
}

func setHolds(tx *sqlite.Tx, put []Hold, free []HoldKey) error {
	for _, k := range free {
		if _, err := tx.Exec(`DELETE FROM hold WHERE kind = ? AND addr = ?`, k.Kind, k.Addr); err != nil {
			return err
		}
	}
	for _, h := range put {
		var until int64
		if !h.Until.IsZero() {
			until = h.Until.UnixNano()
		}
		if _, err := tx.Exec(`INSERT OR REPLACE INTO hold (kind, addr, revision, version, deployment, reason, actor, since, until)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			h.Kind, h.Addr, h.Revision, h.Version, int64(h.Deployment), h.Reason, h.Actor, nanos(h.Since), until); err != nil {
			return err
		}
	}
	return nil
}

// keep remembers the release that a deployment made.
func keep(tx *sqlite.Tx, id uint64, o Object, list []byte) error {
	_, err := tx.Exec(`INSERT INTO kept (deployment, addr, kind, name, revision, digest, body, list, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(id), o.Addr, o.Kind, o.Name, o.Revision, o.Digest, string(o.Body), list, sum(o, list))
	return err
}

// Release returns what a deployment put into service, marked where the record is
// not what was written. The error's kind is NotFound where it never was, or is
// not kept any more.
func (s *Store) Release(ctx context.Context, id uint64) (Object, error) {
	var list []Object
	err := s.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		list, err = objects(tx, `SELECT k.addr, k.kind, k.name, k.revision, k.digest, k.body, k.list, k.sum, l.packed
			FROM kept k LEFT JOIN list l ON l.digest = k.list WHERE k.deployment = ?`, int64(id))
		return err
	})
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "the release of d-%d is not kept", id).WithHint("fazt history lists those there are")
	}
	if err != nil {
		return Object{}, err
	}
	return list[0], nil
}

// Kept lists the deployments of an app whose releases are kept, newest first.
func (s *Store) Kept(ctx context.Context, addr string) ([]Deployment, error) {
	return s.deployments(ctx, `SELECT `+columns+` FROM kept k JOIN deployment d ON d.id = k.deployment
		WHERE k.addr = ? ORDER BY d.id DESC`, addr)
}

// move gives everything that is kept of an object a new address.
func move(tx *sqlite.Tx, m Move) error {
	for _, statement := range []struct {
		text string
		args []any
	}{
		{`DELETE FROM object WHERE addr = ?`, []any{m.From}},
		{`UPDATE kept SET addr = ?, name = ? WHERE addr = ?`, []any{m.To, m.ToName, m.From}},
		{`UPDATE deployment SET app = ? WHERE app = ?`, []any{m.ToName, m.FromName}},
		{`DELETE FROM hold WHERE addr = ?`, []any{m.From}},
	} {
		if _, err := tx.Exec(statement.text, statement.args...); err != nil {
			return err
		}
	}
	return nil
}

// park copies objects to the trash.
func park(tx *sqlite.Tx, list []Parking, at time.Time) error {
	for _, p := range list {
		if _, err := tx.Exec(`INSERT OR REPLACE INTO trash (addr, kind, name, revision, digest, body, list, sum, reason, gone, parked, until)
			SELECT addr, kind, name, revision, digest, body, list, sum, ?, ?, ?, ? FROM object WHERE addr = ?`,
			p.Reason, p.Revision, nanos(at), p.Until.UnixNano(), p.Addr); err != nil {
			return err
		}
	}
	return nil
}

// Trash returns what is parked, by address.
func (s *Store) Trash(ctx context.Context) ([]Parked, error) {
	var list []Parked
	err := s.db.Read(ctx, func(tx *sqlite.Tx) error {
		objects, err := objects(tx, `SELECT t.addr, t.kind, t.name, t.revision, t.digest, t.body, t.list, t.sum, l.packed
			FROM trash t LEFT JOIN list l ON l.digest = t.list ORDER BY t.addr`)
		if err != nil {
			return err
		}
		rows, err := tx.Query(`SELECT reason, gone, parked, until FROM trash ORDER BY addr`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for _, o := range objects {
			p := Parked{Object: o}
			var since, until int64
			if !rows.Next() {
				break
			}
			if err := rows.Scan(&p.Reason, &p.Gone, &since, &until); err != nil {
				return err
			}
			p.Since, p.Until = time.Unix(0, since).UTC(), time.Unix(0, until).UTC()
			list = append(list, p)
		}
		return rows.Err()
	})
	return list, err
}

// Records visits the objects that are in service or in the trash, at one moment and
// without their file lists. One that is not what was written is marked.
func (s *Store) Records(ctx context.Context, visit func(Object) error) error {
	return s.db.Read(ctx, func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`SELECT addr, kind, name, revision, digest, body, list, sum FROM object
			UNION ALL SELECT addr, kind, name, revision, digest, body, list, sum FROM trash`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var o Object
			var list, want []byte
			if err := rows.Scan(&o.Addr, &o.Kind, &o.Name, &o.Revision, &o.Digest, &o.Body, &list, &want); err != nil {
				return err
			}
			o.Damaged = o.check(list, want)
			if err := visit(o); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// Purge takes addresses out of the trash, in the caller's transaction. Unknown
// ones are ignored.
func (s *Store) Purge(tx *sqlite.Tx, addrs []string) error {
	for _, addr := range addrs {
		if _, err := tx.Exec(`DELETE FROM trash WHERE addr = ?`, addr); err != nil {
			return err
		}
	}
	return nil
}

// Spent reports whether a saved plan was carried out.
func (s *Store) Spent(ctx context.Context, plan string) (bool, error) {
	var n int
	err := s.db.Read(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT count(*) FROM spent WHERE plan = ?`, plan).Scan(&n)
	})
	return n > 0, err
}
