package storage

import (
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Guard decides of each document what somebody may do with it. A function that is nil
// lets nothing through. They are called within transactions, so they wait for nobody.
type Guard struct {
	Read, Create, Update, Delete func(Doc) bool
}

// maxHidden is how many documents that its guard hides one call goes past, without
// the leave to scan.
const maxHidden = 10_000

// Guarded returns the documents as somebody has them who may not do everything. What
// they may not read is not there, whether it is asked for by its id, by a filter or as
// a count. What they may read and not change is refused by its id, and left as it is by
// a filter. A document must be theirs to change before and after. The error's kind is
// Forbidden where the guard refuses.
func (d *Docs) Guarded(g Guard) *Docs {
	guarded := *d
	guarded.guard = &g
	return &guarded
}

// may asks one function of a guard.
func may(allows func(Doc) bool, d Doc) bool { return allows != nil && allows(d) }

// shows tells whether the guard lets a document be read.
func (d *Docs) shows(doc Doc) bool { return d.guard == nil || may(d.guard.Read, doc) }

// refused is what becomes of a document that the guard keeps from somebody.
func (c *Collection) refused(act string, d Doc) error {
	return fault.New(fault.Forbidden, "the rules of %q do not let document %q of %q be %s", c.docs.name, d.ID, c.name, act)
}

// lookout goes past the documents of a query that are not to be seen.
type lookout struct {
	of     *Collection
	scan   bool
	skip   int // documents to leave out first
	hidden int
}

// passes tells whether a document is one of the answer.
func (l *lookout) passes(d Doc) (bool, error) {
	if !l.of.docs.shows(d) {
		l.hidden++
		if l.hidden > maxHidden && !l.scan {
			return false, fault.New(fault.Exhausted, "the rules of %q hide more than %d documents of %q that match", l.of.docs.name, maxHidden, l.of.name).
				WithHint("narrow the filter to what the rule asks for, or ask with scan")
		}
		return false, nil
	}
	if l.skip > 0 {
		l.skip--
		return false, nil
	}
	return true, nil
}

// bounds are the LIMIT and the OFFSET of a query. Behind a guard both are counted as
// the documents come (see look), as what it hides does not count.
func (d *Docs) bounds(q Query) []any {
	if d.guard != nil {
		return []any{-1, 0}
	}
	return []any{q.Limit + 1, q.Skip}
}

func (c *Collection) look(q Query) lookout {
	l := lookout{of: c, scan: q.Scan}
	if c.docs.guard != nil {
		l.skip = q.Skip
	}
	return l
}

// each goes through the documents that match and that the guard shows, by their ids,
// until fn says that it has enough.
func (l *lookout) each(tx *sqlite.Tx, t docTable, w *clause, fn func(Doc) (enough bool)) error {
	rows, err := tx.Query(`SELECT key, version, created, updated, body FROM `+t.name+` WHERE `+w.sql.String()+` ORDER BY key`, w.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDoc(rows, nil)
		if err != nil {
			return err
		}
		if shown, err := l.passes(d); err != nil {
			return err
		} else if shown && fn(d) {
			return nil
		}
	}
	return rows.Err()
}
