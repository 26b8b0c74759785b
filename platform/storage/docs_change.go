package storage

import (
	"context"
	"encoding/json"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Selector chooses documents to change: one by its id, or those a filter matches.
type Selector struct {
	ID        string
	Filter    json.RawMessage
	IfVersion int64 // with ID: only if this is its version; 0 does not ask
	Scan      bool  // may look at every document although no index serves the filter
}

// Update changes documents in one transaction and returns those that differ now,
// without their bodies. The change is a whole document, or what to do with fields:
// {"$set": {"a.b": 1}, "$unset": {"c": true}, "$inc": {"n": 1}, "$push": {"list": x},
// "$pull": {"list": x}}; $push takes {"$each": [...]} too. The error's kind is
// NotFound if nothing has the id, Conflict if it has another version or a unique
// index refuses, Exhausted if a filter matches more than 1,000 documents, or 40 MiB,
// Forbidden if a guard refuses.
func (c *Collection) Update(ctx context.Context, s Selector, change json.RawMessage) ([]Doc, error) {
	ch, err := parseChange(change)
	if err != nil {
		return nil, err
	}
	if ch.whole != nil && s.ID == "" {
		return nil, fault.New(fault.Invalid, "a whole document replaces one that is named by its id").WithHint("change fields with $set")
	}
	return c.each(ctx, s, func(tx *sqlite.Tx, t docTable, old Doc) (d Doc, changed bool, err error) {
		d, err = c.docs.apply(ch, old)
		if err != nil || string(d.Body) == string(old.Body) {
			return d, false, err
		}
		if !c.docs.lets(changes, d) {
			return d, false, c.refused("made into that", old)
		}
		d, err = c.replace(tx, t, old, d)
		return d, true, err
	}, changes)
}

func (c *Collection) replace(tx *sqlite.Tx, t docTable, old, d Doc) (_ Doc, err error) {
	if d.Version, err = c.docs.count(tx, t.store, 0, int64(len(d.Body)-len(old.Body)), 0); err != nil {
		return d, err
	}
	d.Created, d.Updated = old.Created, fromMillis(now())
	_, err = tx.Exec(`UPDATE `+t.name+` SET body = ?, version = ?, updated = ? WHERE owner = ? AND collection = ? AND key = ?`,
		string(d.Body), d.Version, millis(d.Updated), c.docs.owner, c.name, d.ID)
	return d, c.unique(err, t, d.ID)
}

// Remove deletes documents in one transaction and returns how many there were: none
// where nothing has the id. The error's kind is Conflict if it has another version,
// NotFound if a version is asked of what is not there, Exhausted if a filter matches
// more than 10,000 documents, or 100 MiB. Behind a guard, which looks at each, it is
// Forbidden if that refuses, NotFound for an id that nothing it shows has, and the
// bounds are those of Update.
func (c *Collection) Remove(ctx context.Context, s Selector) (int, error) {
	if s.ID == "" && c.docs.guard == nil {
		return c.clear(ctx, s)
	}
	removed, err := c.each(ctx, s, func(tx *sqlite.Tx, t docTable, old Doc) (Doc, bool, error) {
		if _, err := c.docs.count(tx, t.store, -1, -int64(len(old.Body)), 0); err != nil {
			return old, false, err
		}
		_, err := tx.Exec(`DELETE FROM `+t.name+` WHERE owner = ? AND collection = ? AND key = ?`, c.docs.owner, c.name, old.ID)
		return old, true, err
	}, removes)
	if s.ID != "" && s.IfVersion == 0 && c.docs.guard == nil && fault.KindOf(err) == fault.NotFound {
		return 0, nil
	}
	return len(removed), err
}

// What goes at once by a filter. The documents are not read, but the others wait for
// it, 40 to 80 µs for each.
const (
	maxClear      = 10_000
	maxClearBytes = 100 << 20
)

// clear removes what a filter matches by one statement.
func (c *Collection) clear(ctx context.Context, s Selector) (n int, err error) {
	f, t, err := c.selected(ctx, s)
	if err != nil {
		return 0, err
	}
	err = c.docs.db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := c.mayChoose(tx, t, f, s); err != nil {
			return err
		}
		var bytes int64
		w := c.where(f)
		from := ` FROM ` + t.name + ` WHERE ` + w.sql.String()
		err := tx.QueryRow(`SELECT count(*), ifnull(sum(octet_length(body)), 0)`+from, w.args...).Scan(&n, &bytes)
		switch {
		case err != nil || n == 0:
			return err
		case n > maxClear || bytes > maxClearBytes:
			return fault.New(fault.Exhausted, "the filter matches %d documents of %q with %d bytes, and %d with %d go at once", n, c.name, bytes, maxClear, maxClearBytes).
				WithHint(`narrow it; or find a page of them, and remove {"_id": {"$in": ids}}`)
		}
		if _, err := c.docs.count(tx, t.store, -int64(n), -bytes, 0); err != nil {
			return err
		}
		_, err = tx.Exec(`DELETE`+from, w.args...)
		return err
	})
	return n, err
}

// act is what is done with chosen documents.
type act string

const (
	changes act = "changed"
	removes act = "removed"
)

// lets tells whether the guard lets a document be acted on.
func (d *Docs) lets(a act, doc Doc) bool {
	switch {
	case d.guard == nil:
		return true
	case a == removes:
		return may(d.guard.Delete, doc)
	}
	return may(d.guard.Update, doc)
}

// selected checks what chooses documents, and reads its filter.
func (c *Collection) selected(ctx context.Context, s Selector) (f node, t docTable, err error) {
	switch {
	case s.ID == "" && len(s.Filter) == 0:
		return f, t, fault.New(fault.Invalid, "neither an id nor a filter").WithHint("{} is the filter that matches everything")
	case s.ID == "" && s.IfVersion != 0:
		return f, t, fault.New(fault.Invalid, "ifVersion is of one document, which its id names").WithHint("compare _version in the filter")
	}
	if f, err = parseFilter(s.Filter); err != nil {
		return f, t, err
	}
	t, err = c.table(ctx)
	return f, t, err
}

// each runs fn on every chosen document and returns what it changed.
func (c *Collection) each(ctx context.Context, s Selector, fn func(*sqlite.Tx, docTable, Doc) (Doc, bool, error), a act) (changed []Doc, err error) {
	f, t, err := c.selected(ctx, s)
	if err != nil {
		return nil, err
	}
	err = c.docs.db.Write(ctx, func(tx *sqlite.Tx) error {
		changed = nil
		ids, err := c.chosen(tx, t, f, s, a)
		if err != nil {
			return err
		}
		size := 0
		for _, id := range ids {
			if size > maxChange {
				return c.tooMany()
			}
			old, there, err := c.load(tx, t, id)
			if err == nil {
				err = c.expect(s, old, there && c.docs.shows(old))
			}
			if err == nil && !c.docs.lets(a, old) {
				err = c.refused(string(a), old)
			}
			if err != nil {
				return err
			}
			size += len(old.Body)
			d, differs, err := fn(tx, t, old)
			if err != nil {
				return err
			}
			if d.Body = nil; differs {
				changed = append(changed, d)
			}
		}
		return nil
	})
	return changed, err
}

// expect refuses a document that is not there, or has another version.
func (c *Collection) expect(s Selector, old Doc, there bool) error {
	switch {
	case !there:
		return fault.New(fault.NotFound, "no document %q in %q", s.ID, c.name)
	case s.ID == "" || s.IfVersion == 0 || old.Version == s.IfVersion:
		return nil
	}
	return fault.New(fault.Conflict, "document %q has version %d, not %d", s.ID, old.Version, s.IfVersion).
		WithHint("get it again, and decide anew")
}

// chosen returns the ids of the chosen documents.
func (c *Collection) chosen(tx *sqlite.Tx, t docTable, f node, s Selector, a act) (ids []string, err error) {
	if s.ID != "" {
		return []string{s.ID}, nil
	}
	if err := c.mayChoose(tx, t, f, s); err != nil {
		return nil, err
	}
	w := c.where(f)
	if c.docs.guard == nil {
		ids, err = column[string](tx, `SELECT key FROM `+t.name+` WHERE `+w.sql.String()+` ORDER BY key LIMIT ?`, append(w.args, maxWrite+1)...)
	} else {
		err = (&lookout{of: c, scan: s.Scan}).each(tx, t, w, func(d Doc) bool {
			if c.docs.lets(a, d) {
				ids = append(ids, d.ID)
			}
			return len(ids) > maxWrite
		})
	}
	if err != nil || len(ids) <= maxWrite {
		return ids, err
	}
	return nil, c.tooMany()
}

// mayChoose refuses a filter that would look at more than it may.
func (c *Collection) mayChoose(tx *sqlite.Tx, t docTable, f node, s Selector) error {
	if advice, scans := c.scans(f, nil); scans && !s.Scan {
		return c.mayScan(tx, t, advice)
	}
	return nil
}

// maxChange is how many bytes of documents one call changes: the others wait for
// it, 9 ms a MiB of text and 57 of small members.
const maxChange = 40 << 20

func (c *Collection) tooMany() error {
	return fault.New(fault.Exhausted, "the filter matches more than %d documents of %q, or %d bytes", maxWrite, c.name, maxChange).
		WithHint("narrow it, and change some at a time")
}
