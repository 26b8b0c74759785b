// Package release remembers what the node serves: the objects of the current
// generation with their files, how each app came to be where it is, and how far
// the node has looked along its repository. The node boots from it with no
// repository at hand. The reconcile loop writes it, in one transaction with the
// journal; it refuses to know what an object's body says.
package release

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

//go:embed migration/*.sql
var migrations embed.FS

// Generation is one published state of the node.
type Generation struct {
	Number   uint64    `json:"number"`   // only grows; 0 is "never published"
	Revision string    `json:"revision"` // the revision it was made of
	Node     string    `json:"node"`     // the node it was evaluated for
	Author   string    `json:"author,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Time     time.Time `json:"time"` // when it was recorded; set by Commit if zero
}

// Object is one declared thing as it was last published.
type Object struct {
	Addr     string // app.notes
	Kind     string
	Name     string // as typed on the command line
	Revision string // where this release of it was made
	Digest   string // of its specification
	Body     []byte // canonical JSON without the file list
	Manifest []byte // JSON file list, nil for things without files

	// Damaged is set by reading where the row is not what was written: only the
	// address and the name may be shown, and nothing served.
	Damaged error
}

// Change is what one pass alters. Objects that are in none of the lists stay.
type Change struct {
	Generation  Generation
	Move        []Move       // new addresses, before anything else
	Put         []Object     // created or changed
	Drop        []string     // addresses that are gone; unknown ones are ignored
	Park        []Parking    // of the dropped ones: those that go to the trash
	Delete      []string     // of the dropped ones: those whose releases go too
	Unpark      []string     // addresses that leave the trash
	Deployments []Deployment // Commit sets ID, and Generation where it is 0
	Hold        []Hold
	Free        []HoldKey
	Plan        string // the saved plan that is spent with this; empty: none
}

// Move is an object's new address; what is kept of it goes along.
type Move struct {
	From, To         string
	FromName, ToName string
}

// Store reads and writes the releases of one database.
type Store struct {
	db    *sqlite.DB
	token int64 // of the lease; 0: none was taken, and any is respected
}

// Open prepares the tables in db.
func Open(ctx context.Context, db *sqlite.DB) (*Store, error) {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "release", files); err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// Commit writes the change in the caller's transaction: a row per changed
// object, its file list only where nothing has that yet, a release to go back to
// for each deployment that is live, the deployments and the generation. A
// generation that is not newer than the recorded one is refused with Conflict,
// and so is a writer whose lease is over.
func (s *Store) Commit(tx *sqlite.Tx, c Change) error {
	if err := s.fence(tx); err != nil {
		return err
	}
	if err := putGeneration(tx, c.Generation); err != nil {
		return err
	}
	for _, m := range c.Move {
		if err := move(tx, m); err != nil {
			return err
		}
	}
	if err := park(tx, c.Park, c.Generation.Time); err != nil {
		return err
	}
	for _, addr := range c.Drop {
		if _, err := tx.Exec(`DELETE FROM object WHERE addr = ?`, addr); err != nil {
			return err
		}
	}
	for _, addr := range c.Delete {
		if _, err := tx.Exec(`DELETE FROM kept WHERE addr = ?`, addr); err != nil {
			return err
		}
	}
	if err := s.Purge(tx, c.Unpark); err != nil {
		return err
	}
	if err := put(tx, &c); err != nil {
		return err
	}
	if c.Plan != "" {
		if _, err := tx.Exec(`INSERT OR IGNORE INTO spent (plan, time) VALUES (?, ?)`, c.Plan, nanos(c.Generation.Time)); err != nil {
			return err
		}
	}
	return setHolds(tx, c.Hold, c.Free)
}

// put writes the objects, the deployments and the releases they make.
func put(tx *sqlite.Tx, c *Change) error {
	var p packer
	lists := make(map[string][]byte, len(c.Put))
	objects := make(map[string]*Object, len(c.Put))
	for i := range c.Put {
		o := &c.Put[i]
		list, err := p.putObject(tx, *o)
		if err != nil {
			return err
		}
		lists[o.Addr], objects[o.Name] = list, o
	}
	for i := range c.Deployments {
		if c.Deployments[i].Generation == 0 {
			c.Deployments[i].Generation = c.Generation.Number
		}
	}
	if err := record(tx, c.Deployments); err != nil {
		return err
	}
	for _, d := range c.Deployments {
		if o := objects[d.App]; o != nil && d.Outcome == Live {
			if err := keep(tx, d.ID, *o, lists[o.Addr]); err != nil {
				return err
			}
		}
	}
	return nil
}

func putGeneration(tx *sqlite.Tx, g Generation) error {
	current, err := generation(tx)
	if err != nil {
		return err
	}
	if g.Number <= current.Number {
		return fault.New(fault.Conflict, "generation %d is not newer than %d", g.Number, current.Number)
	}
	_, err = tx.Exec(`INSERT INTO generation (number, revision, node, author, subject, time) VALUES (?, ?, ?, ?, ?, ?)`,
		int64(g.Number), g.Revision, g.Node, g.Author, g.Subject, nanos(g.Time))
	return err
}

func generation(tx *sqlite.Tx) (Generation, error) {
	var g Generation
	var at int64
	err := tx.QueryRow(`SELECT number, revision, node, author, subject, time FROM generation ORDER BY number DESC LIMIT 1`).
		Scan(&g.Number, &g.Revision, &g.Node, &g.Author, &g.Subject, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return Generation{}, nil
	}
	g.Time = time.Unix(0, at).UTC()
	return g, err
}

// putObject writes an object and returns the digest of its file list.
func (p *packer) putObject(tx *sqlite.Tx, o Object) ([]byte, error) {
	list, err := p.putList(tx, o.Manifest)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(`INSERT INTO object (addr, kind, name, revision, digest, body, list, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (addr) DO UPDATE SET kind = excluded.kind, name = excluded.name, revision = excluded.revision,
		digest = excluded.digest, body = excluded.body, list = excluded.list, sum = excluded.sum`,
		o.Addr, o.Kind, o.Name, o.Revision, o.Digest, string(o.Body), list, sum(o, list))
	return list, err
}

// Current returns the newest generation and all its objects, sorted by address:
// what a node needs to boot, in one consistent view and two queries. Rows that
// are not what was written are marked, not left out. Before the first Commit it
// returns generation 0 and no objects.
func (s *Store) Current(ctx context.Context) (Generation, []Object, error) {
	var g Generation
	var list []Object
	err := s.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		if g, err = generation(tx); err != nil {
			return err
		}
		list, err = objects(tx, `SELECT o.addr, o.kind, o.name, o.revision, o.digest, o.body, o.list, o.sum, l.packed
			FROM object o LEFT JOIN list l ON l.digest = o.list ORDER BY o.addr`)
		return err
	})
	if err != nil {
		return Generation{}, nil, err
	}
	return g, list, nil
}

// objects reads rows of nine columns: an object's, the digest of its list, the
// row's sum and the list.
func objects(tx *sqlite.Tx, query string, args ...any) ([]Object, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Object
	var u unpacker
	for rows.Next() {
		var o Object
		var digest, want, packed sql.RawBytes
		if err := rows.Scan(&o.Addr, &o.Kind, &o.Name, &o.Revision, &o.Digest, &o.Body, &digest, &want, &packed); err != nil {
			return nil, err
		}
		o.Damaged = o.check(digest, want)
		if o.Damaged == nil {
			o.Manifest, o.Damaged = u.list(o.Addr, digest, packed)
		}
		list = append(list, o)
	}
	return list, rows.Err()
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		t = time.Now()
	}
	return t.UnixNano()
}
