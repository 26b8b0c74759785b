package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Docs is one set of collections of documents, as one user has it or as the app
// has it.
type Docs struct {
	view
	indexes []Index
	guard   *Guard // of somebody who may not do everything; nil for the app's code
}

// Index is a declared index over fields of the documents of a set. A unique one
// refuses a second document of a collection with the same values; documents that
// lack a field do not count.
type Index struct {
	Name   string
	On     []string // fields, "author.name"; those that are compared first come first
	Unique bool
}

// Docs returns a set of collections. That its name or an index cannot be one is
// told by its methods.
func (a *App) Docs(name string, indexes []Index) *Docs {
	d := &Docs{a.view("docs", name), indexes, nil}
	for _, i := range indexes {
		if err := i.check(); d.err == nil {
			d.err = err
		}
	}
	return d
}

// User returns the documents of one user: the same methods, other documents. Neither
// the app's own nor those of other users can be addressed through it.
func (d *Docs) User(id string) *Docs { return &Docs{d.user(id), d.indexes, d.guard} }

// Collection returns a collection, which exists while it has documents.
func (d *Docs) Collection(name string) *Collection { return &Collection{*d, name} }

// Collection is a collection of documents. A document is a JSON object of at most
// 1 MiB, nested at most 64 deep, whose member "_id" names it. Filters, orders and
// groups know "_version", "_created" and "_updated" (in milliseconds) as fields too.
type Collection struct {
	docs Docs
	name string
}

// Doc is a document.
type Doc struct {
	ID               string
	Version          int64           // higher than that of whatever the set held before
	Created, Updated time.Time       // to the millisecond
	Body             json.RawMessage // the whole object, "_id" first
}

func (i Index) check() error {
	if !bindName().MatchString(i.Name) {
		return fault.New(fault.Invalid, "%q is no name of an index", i.Name)
	}
	if len(i.On) == 0 || len(i.On) > 8 {
		return fault.New(fault.Invalid, "index %q is on %d fields, 1 to 8 are possible", i.Name, len(i.On))
	}
	for _, f := range i.On {
		if _, err := parsePath(f); err != nil {
			return fault.Wrap(fault.Invalid, err, "index %q", i.Name)
		}
	}
	return nil
}

// Ensure makes the table of the set and the declared indexes that are missing.
// Every method does so; calling it before the first saves a visitor the waiting.
// The error's kind is Conflict if documents contradict a unique index.
func (d *Docs) Ensure(ctx context.Context) error {
	_, err := d.table(ctx)
	return err
}

// docTable is where the documents of a set are.
type docTable struct {
	name  string // of the table
	store int64
}

// table returns the set's table, which it makes at the first use.
func (d *Docs) table(ctx context.Context) (t docTable, err error) {
	if t.store, err = d.store(ctx); err != nil {
		return t, err
	}
	t.name = fmt.Sprintf("fazt_doc_%d", t.store)
	definition := fmt.Sprint(t.store, d.indexes)
	d.mu.Lock()
	ready := d.ready[definition]
	d.mu.Unlock()
	if ready {
		return t, nil
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		ready, err = d.complete(tx, t.name)
		return err
	})
	if err == nil && !ready {
		err = d.db.Write(ctx, func(tx *sqlite.Tx) error { return d.makeTable(tx, t.name) })
	}
	if err != nil {
		return t, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ready[definition] = true
	return t, nil
}

func (d *Docs) makeTable(tx *sqlite.Tx, name string) error {
	if _, err := tx.Exec(`CREATE TABLE IF NOT EXISTS ` + name + ` (
		id         INTEGER PRIMARY KEY,
		owner      TEXT NOT NULL,
		collection TEXT NOT NULL,
		key        TEXT NOT NULL,
		body       TEXT NOT NULL,
		version    INTEGER NOT NULL,
		created    INTEGER NOT NULL,
		updated    INTEGER NOT NULL,
		UNIQUE (owner, collection, key)
	) STRICT`); err != nil {
		return err
	}
	for _, i := range d.indexes {
		if _, err := tx.Exec(i.statement(name)); err != nil {
			if code(err) == codeUnique {
				return fault.Wrap(fault.Conflict, err, "documents of %q contradict the unique index %q", d.name, i.Name).
					WithHint("remove the documents that are there twice, or declare the index without unique")
			}
			return err
		}
	}
	return d.tellPlanner(tx, name)
}

// complete reports whether the table and all indexes are there, which is what is
// found but for the first time.
func (d *Docs) complete(tx *sqlite.Tx, name string) (bool, error) {
	have, err := column[string](tx, `SELECT name FROM sqlite_schema WHERE tbl_name = ?`, name)
	for _, i := range d.indexes {
		if !slices.Contains(have, i.inTable(name)) {
			return false, err
		}
	}
	return slices.Contains(have, name), err
}

// tellPlanner gives SQLite statistics of the indexes. Without any it takes ten
// documents for what one owner has in one collection, and would rather look at
// all of them than use the fields behind; so it is told of a million, of which a
// field leaves ten. These are no measurements: they hold it to the index that the
// developer declared for the purpose.
func (d *Docs) tellPlanner(tx *sqlite.Tx, name string) error {
	if _, err := tx.Exec(`ANALYZE fazt_secret`); err != nil { // of a few rows: it makes sqlite_stat1
		return err
	}
	fields := map[string]int{"sqlite_autoindex_" + name + "_1": 1}
	for _, i := range d.indexes {
		fields[i.inTable(name)] = len(i.On)
	}
	for index, n := range fields {
		if _, err := tx.Exec(`DELETE FROM sqlite_stat1 WHERE idx = ?`, index); err != nil {
			return err
		}
		stat := "1000000 1000000 1000000" + strings.Repeat(" 10", n-1) + " 1"
		if _, err := tx.Exec(`INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)`, name, index, stat); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`ANALYZE sqlite_schema`) // reads sqlite_stat1 again, no more
	return err
}

// statement creates the index. Its name holds what it is on, so an index that is
// declared otherwise is another one. The key makes an order complete, so that a
// sorted page is read in the order of the index.
func (i Index) statement(table string) string {
	var on []string
	for _, f := range i.On {
		p, _ := parsePath(f) // checked by Docs
		on = append(on, indexed(p))
	}
	unique := "UNIQUE "
	if !i.Unique {
		unique, on = "", append(on, "key")
	}
	return `CREATE ` + unique + `INDEX IF NOT EXISTS ` + i.inTable(table) + ` ON ` + table + ` (owner, collection, ` + strings.Join(on, ", ") + `)`
}

func (i Index) inTable(table string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %v", i.On, i.Unique))
	return table + "_" + hex.EncodeToString(sum[:6])
}

func indexed(p path) string {
	if column, _ := p.own(); column != "" {
		return column
	}
	return "json_extract(body, " + p.literal() + ")"
}

// Prune drops indexes of the set that are no longer declared. It is for when no
// release runs any more that declared them.
func (d *Docs) Prune(ctx context.Context) error {
	t, err := d.table(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, i := range d.indexes {
		keep[i.inTable(t.name)] = true
	}
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		have, err := column[string](tx, `SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL`, t.name)
		if err != nil {
			return err
		}
		for _, name := range have {
			if keep[name] {
				continue
			}
			if _, err := tx.Exec(`DROP INDEX ` + name); err != nil {
				return err
			}
		}
		return nil
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.ready)
	return err
}
