package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Part is one part of an upload. Parts are joined by their numbers.
type Part struct {
	Number int // 1 to 10000
	Size   int64
	ETag   string // sha256 of its bytes, in hex
}

const (
	maxParts = 10_000
	// uploadLife is how long an upload may take; R2 gives it as long.
	uploadLife = 7 * 24 * time.Hour
	// sweepUploads is how many that took longer are removed at a time.
	sweepUploads = 4
)

// CreateUpload begins a file that comes in parts, and returns the id of the upload.
// Its parts count as bytes of the store; after seven days without an end they are
// removed.
func (f *Files) CreateUpload(ctx context.Context, key string, o FileOptions) (id string, err error) {
	store, err := f.ready(ctx, &o, key)
	if err != nil {
		return "", err
	}
	if err := f.sweepUploads(ctx); err != nil {
		return "", err
	}
	id = f.ids.next()
	return id, f.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`INSERT INTO fazt_upload (id, store, owner, key, type, meta, created) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			id, store, f.owner, []byte(key), o.Type, []byte(o.Meta), now())
		return err
	})
}

// PutPart keeps one part; a part of the same number is replaced. The error's kind is
// NotFound if there is no such upload.
func (f *Files) PutPart(ctx context.Context, key, id string, number int, r io.Reader) (p Part, err error) {
	if number < 1 || number > maxParts {
		return p, fault.New(fault.Invalid, "%d is no number of a part, 1 to %d are", number, maxParts)
	}
	store, _, err := f.upload(ctx, key, id)
	if err != nil {
		return p, err
	}
	room, err := f.room(ctx, store, f.quota)
	if err != nil {
		return p, err
	}
	s, err := f.bytes.write(ctx, r, room)
	if err != nil {
		return p, err
	}
	var old string
	err = f.db.Write(ctx, func(tx *sqlite.Tx) error {
		old, err = f.savePart(tx, store, key, id, number, s)
		return err
	})
	f.drop(err, s.name, old)
	return Part{number, s.size, s.etag}, err
}

func (f *Files) savePart(tx *sqlite.Tx, store int64, key, id string, number int, s stored) (old string, err error) {
	if _, err := f.findUpload(tx, store, key, id); err != nil {
		return "", err
	}
	var size int64
	err = tx.QueryRow(`SELECT blob, size FROM fazt_part WHERE upload = ? AND number = ?`, id, number).Scan(&old, &size)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	if _, err := f.count(tx, store, 0, s.size-size, f.quota); err != nil {
		return "", err
	}
	_, err = tx.Exec(`INSERT INTO fazt_part (upload, number, blob, size, etag) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET blob = excluded.blob, size = excluded.size, etag = excluded.etag`, id, number, s.name, s.size, s.etag)
	return old, err
}

// CompleteUpload makes the file of the parts, which must be named in order with
// their etags. Parts that are not named are dropped. While it joins them, the disk
// holds both. The error's kind is Invalid if a part is not there or another, NotFound
// if there is no such upload.
func (f *Files) CompleteUpload(ctx context.Context, key, id string, parts []Part) (info FileInfo, err error) {
	store, all, err := f.upload(ctx, key, id)
	if err != nil {
		return info, err
	}
	named, err := choose(parts, all)
	if err != nil {
		return info, err
	}
	s, err := f.bytes.write(ctx, &joint{f: &f.bytes, parts: named}, -1)
	if err != nil {
		return info, err
	}
	var old []string
	err = f.db.Write(ctx, func(tx *sqlite.Tx) error {
		info, old, err = f.finish(tx, store, key, id, s)
		return err
	})
	f.drop(err, s.name, old...)
	return info, err
}

// finish replaces an upload by its file.
func (f *Files) finish(tx *sqlite.Tx, store int64, key, id string, s stored) (info FileInfo, gone []string, err error) {
	info, err = f.findUpload(tx, store, key, id)
	if err != nil {
		return info, nil, err
	}
	gone, freed, err := f.dropUpload(tx, id)
	if err != nil {
		return info, nil, err
	}
	old, err := f.load(tx, store, key)
	if err != nil {
		return info, nil, err
	}
	info, err = f.save(tx, store, old, s, info, freed)
	return info, append(gone, old.blob), err
}

// AbortUpload drops an upload and its parts. That there is none is no error.
func (f *Files) AbortUpload(ctx context.Context, key, id string) error {
	store, _, err := f.upload(ctx, key, id)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err == nil {
		err = f.bytes.mark()
	}
	if err != nil {
		return err
	}
	var gone []string
	err = f.db.Write(ctx, func(tx *sqlite.Tx) error {
		var freed int64
		if gone, freed, err = f.dropUpload(tx, id); err != nil {
			return err
		}
		_, err = f.count(tx, store, 0, -freed, 0)
		return err
	})
	if err == nil {
		f.bytes.remove(gone...)
	}
	return err
}

// partRow is a part that is there.
type partRow struct {
	Part
	blob string
}

// upload returns the parts of an upload of this user.
func (f *Files) upload(ctx context.Context, key, id string) (store int64, parts []partRow, err error) {
	if store, err = f.ready(ctx, &FileOptions{}, key); err != nil {
		return 0, nil, err
	}
	err = f.db.Read(ctx, func(tx *sqlite.Tx) error {
		if _, err := f.findUpload(tx, store, key, id); err != nil {
			return err
		}
		rows, err := tx.Query(`SELECT number, size, etag, blob FROM fazt_part WHERE upload = ? ORDER BY number`, id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p partRow
			if err := rows.Scan(&p.Number, &p.Size, &p.ETag, &p.blob); err != nil {
				return err
			}
			parts = append(parts, p)
		}
		return rows.Err()
	})
	return store, parts, err
}

// findUpload returns what the file of an upload will be.
func (f *Files) findUpload(tx *sqlite.Tx, store int64, key, id string) (info FileInfo, err error) {
	var meta json.RawMessage
	err = tx.QueryRow(`SELECT type, meta FROM fazt_upload WHERE id = ? AND store = ? AND owner = ? AND key = ?`,
		id, store, f.owner, []byte(key)).Scan(&info.Type, (*[]byte)(&meta))
	if errors.Is(err, sql.ErrNoRows) {
		return info, fault.New(fault.NotFound, "no upload of the file %q has this id", key).WithHint("begin a new one: it may have ended, or taken longer than seven days")
	}
	info.Key, info.Meta = key, meta
	return info, err
}

// dropUpload removes the rows of an upload, and returns what they named.
func (c *core) dropUpload(tx *sqlite.Tx, id string) (gone []string, freed int64, err error) {
	if err := tx.QueryRow(`SELECT ifnull(sum(size), 0) FROM fazt_part WHERE upload = ?`, id).Scan(&freed); err != nil {
		return nil, 0, err
	}
	if gone, err = column[string](tx, `DELETE FROM fazt_part WHERE upload = ? RETURNING blob`, id); err != nil {
		return nil, 0, err
	}
	_, err = tx.Exec(`DELETE FROM fazt_upload WHERE id = ?`, id)
	return gone, freed, err
}

// sweepUploads removes some uploads that nobody ended, of whatever store.
func (c *core) sweepUploads(ctx context.Context) error {
	before := now() - uploadLife.Milliseconds()
	old := false
	err := c.db.Read(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM fazt_upload WHERE created < ?)`, before).Scan(&old)
	})
	if err != nil || !old {
		return err
	}
	if err := c.bytes.mark(); err != nil {
		return err
	}
	var gone []string
	err = c.db.Write(ctx, func(tx *sqlite.Tx) error {
		gone = nil
		ids, err := column[string](tx, `SELECT id FROM fazt_upload WHERE created < ? ORDER BY created LIMIT ?`, before, sweepUploads)
		if err != nil {
			return err
		}
		for _, id := range ids {
			var store int64
			if err := tx.QueryRow(`SELECT store FROM fazt_upload WHERE id = ?`, id).Scan(&store); err != nil {
				return err
			}
			blobs, freed, err := c.dropUpload(tx, id)
			if err != nil {
				return err
			}
			if _, err := c.count(tx, store, 0, -freed, 0); err != nil {
				return err
			}
			gone = append(gone, blobs...)
		}
		return nil
	})
	if err == nil {
		c.bytes.remove(gone...)
	}
	return err
}

// choose finds the parts that are named.
func choose(named []Part, all []partRow) (chosen []partRow, err error) {
	there := map[int]partRow{}
	for _, p := range all {
		there[p.Number] = p
	}
	last := 0
	for _, n := range named {
		p, ok := there[n.Number]
		if !ok || p.ETag != n.ETag {
			return nil, fault.New(fault.Invalid, "part %d with this etag is not there", n.Number)
		}
		if n.Number <= last {
			return nil, fault.New(fault.Invalid, "part %d comes after part %d", n.Number, last)
		}
		last = n.Number
		chosen = append(chosen, p)
	}
	if len(chosen) == 0 {
		return nil, fault.New(fault.Invalid, "no parts are named")
	}
	return chosen, nil
}

// joint reads parts one after the other.
type joint struct {
	f     *folder
	parts []partRow
	now   io.ReadCloser
}

func (j *joint) Read(b []byte) (int, error) {
	for {
		if j.now == nil {
			if len(j.parts) == 0 {
				return 0, io.EOF
			}
			var err error
			if j.now, err = j.f.open(j.parts[0].blob, 0, j.parts[0].Size); err != nil {
				return 0, fault.Wrap(fault.Conflict, err, "part %d was replaced meanwhile", j.parts[0].Number)
			}
			j.parts = j.parts[1:]
		}
		n, err := j.now.Read(b)
		if err != io.EOF {
			return n, err
		}
		j.now.Close()
		if j.now = nil; n > 0 {
			return n, nil
		}
	}
}
