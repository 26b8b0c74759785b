package storage

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// maxWrite is how many documents one call changes.
const maxWrite = 1000

// Insert adds up to 1000 documents in one transaction, and returns them without
// their bodies. A document without "_id" gets one that sorts by time. "_version",
// "_created" and "_updated" are left out of what is kept. The error's kind is
// Conflict if an id is there already, or a unique index has such a document.
func (c *Collection) Insert(ctx context.Context, docs ...json.RawMessage) (inserted []Doc, err error) {
	if len(docs) > maxWrite {
		return nil, fault.New(fault.Invalid, "%d documents at once, %d are the most", len(docs), maxWrite)
	}
	fresh := make([]Doc, len(docs))
	for i, b := range docs {
		if fresh[i], err = c.docs.document(b, ""); err != nil {
			return nil, err
		}
	}
	t, err := c.table(ctx)
	if err != nil {
		return nil, err
	}
	err = c.docs.db.Write(ctx, func(tx *sqlite.Tx) error {
		inserted = make([]Doc, 0, len(fresh))
		for _, d := range fresh {
			d, err := c.insert(tx, t, d)
			if err != nil {
				return err
			}
			d.Body = nil
			inserted = append(inserted, d)
		}
		return nil
	})
	return inserted, err
}

// document reads a document that comes in: its id, which is made where there is
// none, and its body as it is kept. With want, it must have that id or none.
func (d *Docs) document(b json.RawMessage, want string) (doc Doc, err error) {
	if err := checkJSON("the document", b, maxDocument); err != nil {
		return doc, err
	}
	o, err := parseObject(compact(b))
	if err != nil {
		return doc, fault.Wrap(fault.Invalid, err, "the document")
	}
	if id := o.get("_id"); id != nil && json.Unmarshal(id, &doc.ID) != nil {
		return doc, fault.New(fault.Invalid, `"_id" of the document is not a string`)
	}
	switch {
	case doc.ID == "" && want != "":
		doc.ID = want
	case doc.ID == "":
		doc.ID = d.ids.next()
	case want != "" && want != doc.ID:
		return doc, fault.New(fault.Invalid, `"_id" of a document cannot change`)
	}
	if err := checkText(`"_id" of the document`, doc.ID, maxKey); err != nil {
		return doc, err
	}
	for _, name := range []string{"_id", "_version", "_created", "_updated"} {
		o.remove(name)
	}
	for _, m := range o {
		if strings.HasPrefix(m.name, "$") {
			return doc, fault.New(fault.Invalid, "the field %s begins with $, as operators do", excerpt([]byte(m.name))).
				WithHint("filters and changes could not name it: give it another name")
		}
	}
	doc.Body = append(object{{"_id", quote(doc.ID)}}, o...).bytes()
	return doc, checkJSON("the document", doc.Body, maxDocument)
}

func (c *Collection) insert(tx *sqlite.Tx, t docTable, d Doc) (_ Doc, err error) {
	if d.Version, err = c.docs.count(tx, t.store, 1, int64(len(d.Body)), 0); err != nil {
		return d, err
	}
	at := now()
	d.Created, d.Updated = fromMillis(at), fromMillis(at)
	if c.docs.guard != nil && !may(c.docs.guard.Create, d) {
		return d, c.refused("created", d)
	}
	_, err = tx.Exec(`INSERT INTO `+t.name+` (owner, collection, key, body, version, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		c.docs.owner, c.name, d.ID, string(d.Body), d.Version, at, at)
	return d, c.unique(err, t, d.ID)
}

// unique tells of a document that is there already, and which index it is in.
func (c *Collection) unique(err error, t docTable, id string) error {
	if code(err) != codeUnique {
		return err
	}
	said := err.Error()
	if strings.Contains(said, t.name+".key") {
		return fault.New(fault.Conflict, "document %q is in %q already", id, c.name)
	}
	for _, i := range c.docs.indexes {
		if i.Unique && strings.Contains(said, i.inTable(t.name)) {
			return fault.New(fault.Conflict, "document %q cannot be in %q: the unique index %q, on %s, has another like it", id, c.name, i.Name, strings.Join(i.On, ", "))
		}
	}
	return fault.New(fault.Conflict, "document %q cannot be in %q: a unique index has another like it", id, c.name)
}
