package storage

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Files is one store of files, as one user has it or as the app has it. A file is
// bytes on the disk that never change, and a row that says which they are: it is
// there as a whole, or not at all.
type Files struct {
	view
	quota int64
}

// Files returns a store that may hold quota bytes, 0 without a bound of its own.
func (a *App) Files(name string, quota int64) *Files { return &Files{a.view("files", name), quota} }

// User returns the files of one user: the same methods, other files. Neither the
// app's own nor those of other users can be addressed through it.
func (f *Files) User(id string) *Files { return &Files{f.user(id), f.quota} }

// FileInfo is what is known of a file.
type FileInfo struct {
	Key      string
	Size     int64
	ETag     string // sha256 of the bytes, in hex
	Type     string // media type
	Meta     json.RawMessage
	Modified time.Time // to the millisecond
	Version  int64     // higher than that of whatever the store held before
}

// FileOptions say more of a file that is put.
type FileOptions struct {
	Type string          // "application/octet-stream" if it is empty
	Meta json.RawMessage // JSON of at most 8 KiB
	If   Condition       // what must hold of the file that is there; otherwise Conflict
}

// Condition asks something of a file before it is read or replaced. The zero value
// asks nothing.
type Condition struct {
	Match, NoneMatch []string  // etags; "*" stands for any file that is there
	ModifiedSince    time.Time // changed after this; a time in whole seconds compares seconds
	UnmodifiedSince  time.Time
}

// Range is a part of a file.
type Range struct {
	Offset, Length int64 // Length 0: to the end
	Suffix         int64 // or the last so many bytes
}

// File is a file to be read. Close its body.
type File struct {
	FileInfo
	Offset, Length int64         // of what the body has
	Body           io.ReadCloser // nil if the condition does not hold
}

const maxFileMeta = 8 << 10 // R2's bound

// Put keeps what r has, until then what was there before stays. More bytes than a
// quota has room for end it with Exhausted.
func (f *Files) Put(ctx context.Context, key string, r io.Reader, o FileOptions) (info FileInfo, err error) {
	store, err := f.ready(ctx, &o, key)
	if err != nil {
		return info, err
	}
	room, err := f.room(ctx, store, f.quota)
	if err != nil {
		return info, err
	}
	if err := f.early(ctx, store, key, o.If); err != nil {
		return info, err
	}
	s, err := f.bytes.write(ctx, r, room)
	if err != nil {
		return info, err
	}
	var old fileRow
	err = f.db.Write(ctx, func(tx *sqlite.Tx) error {
		if old, err = f.load(tx, store, key); err != nil {
			return err
		}
		if !o.If.holds(old.FileInfo, old.id != 0) {
			return unmet(key)
		}
		info, err = f.save(tx, store, old, s, FileInfo{Key: key, Type: o.Type, Meta: o.Meta}, 0)
		return err
	})
	f.drop(err, s.name, old.blob)
	return info, err
}

// early refuses what could not be kept, before its bytes are read.
func (f *Files) early(ctx context.Context, store int64, key string, c Condition) error {
	return f.db.Read(ctx, func(tx *sqlite.Tx) error {
		old, err := f.load(tx, store, key)
		if err == nil && !c.holds(old.FileInfo, old.id != 0) {
			err = unmet(key)
		}
		return err
	})
}

// drop removes the bytes that a transaction has left without a row: the new ones
// if it failed, the old ones if it did not.
func (f *Files) drop(err error, fresh string, old ...string) {
	if err != nil {
		old = []string{fresh}
	}
	f.bytes.remove(slices.DeleteFunc(old, func(name string) bool { return name == "" })...)
}

func (f *Files) ready(ctx context.Context, o *FileOptions, keys ...string) (store int64, err error) {
	for _, key := range keys {
		if err := checkKey(key, maxFileKey); err != nil {
			return 0, err
		}
	}
	if o.Type == "" {
		o.Type = "application/octet-stream"
	}
	if len(o.Type) > 255 || bytes.ContainsFunc([]byte(o.Type), func(r rune) bool { return r < ' ' || r > '~' }) {
		return 0, fault.New(fault.Invalid, "%s is no media type", excerpt([]byte(o.Type)))
	}
	if o.Meta != nil {
		if err := checkJSON("the metadata", o.Meta, maxFileMeta); err != nil {
			return 0, err
		}
	}
	return f.store(ctx)
}

// fileRow is a row; id 0: there is none.
type fileRow struct {
	FileInfo
	id   int64
	blob string
}

func (f *Files) load(tx *sqlite.Tx, store int64, key string) (r fileRow, err error) {
	var modified int64
	err = tx.QueryRow(`SELECT id, blob, size, etag, type, meta, modified, version FROM fazt_file WHERE store = ? AND owner = ? AND key = ?`,
		store, f.owner, []byte(key)).Scan(&r.id, &r.blob, &r.Size, &r.ETag, &r.Type, (*[]byte)(&r.Meta), &modified, &r.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return fileRow{}, nil
	}
	r.Key, r.Modified = key, fromMillis(modified)
	return r, err
}

// save writes the row of new bytes. Those of freed more are given back with it.
func (f *Files) save(tx *sqlite.Tx, store int64, old fileRow, s stored, info FileInfo, freed int64) (_ FileInfo, err error) {
	items := int64(1)
	if old.id != 0 {
		items = 0
	}
	if info.Version, err = f.count(tx, store, items, s.size-old.Size-freed, f.quota); err != nil {
		return info, err
	}
	info.Size, info.ETag, info.Modified = s.size, s.etag, fromMillis(now())
	_, err = tx.Exec(`INSERT INTO fazt_file (store, owner, key, blob, size, etag, type, meta, modified, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (store, owner, key) DO UPDATE SET blob = excluded.blob, size = excluded.size, etag = excluded.etag,
			type = excluded.type, meta = excluded.meta, modified = excluded.modified, version = excluded.version`,
		store, f.owner, []byte(info.Key), s.name, s.size, s.etag, info.Type, []byte(info.Meta), millis(info.Modified), info.Version)
	return info, err
}

// Head returns what is known of a file, and whether it is there.
func (f *Files) Head(ctx context.Context, key string) (FileInfo, bool, error) {
	r, err := f.row(ctx, key)
	return r.FileInfo, r.id != 0, err
}

func (f *Files) row(ctx context.Context, key string) (r fileRow, err error) {
	store, err := f.ready(ctx, &FileOptions{}, key)
	if err != nil {
		return r, err
	}
	err = f.db.Read(ctx, func(tx *sqlite.Tx) error {
		r, err = f.load(tx, store, key)
		return err
	})
	return r, err
}

// Get opens a file, or a part of it. If the condition does not hold, the body is
// nil. The error's kind is NotFound if there is no file, Invalid if it has no such
// part.
func (f *Files) Get(ctx context.Context, key string, part *Range, c Condition) (*File, error) {
	for {
		r, err := f.row(ctx, key)
		if err != nil {
			return nil, err
		}
		if r.id == 0 {
			return nil, fault.New(fault.NotFound, "no file %q", key)
		}
		file := &File{FileInfo: r.FileInfo, Length: r.Size}
		if !c.holds(r.FileInfo, true) {
			return file, nil
		}
		if file.Offset, file.Length, err = part.in(r.Size); err != nil {
			return nil, err
		}
		file.Body, err = f.bytes.open(r.blob, file.Offset, file.Length)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, diskFault(err, "open the file %q", key)
		}
		// Replaced or deleted since the row was read, or damaged.
		if again, err2 := f.row(ctx, key); err2 != nil || again.blob == r.blob {
			return nil, missingBytes(key, errors.Join(err, err2))
		}
	}
}

// Delete removes up to 1000 files in one transaction, and returns how many of them
// were there.
func (f *Files) Delete(ctx context.Context, keys ...string) (deleted int, err error) {
	if len(keys) > maxPage {
		return 0, fault.New(fault.Invalid, "%d keys at once, %d are the most", len(keys), maxPage)
	}
	store, err := f.ready(ctx, &FileOptions{}, keys...)
	if err != nil {
		return 0, err
	}
	if err := f.bytes.mark(); err != nil {
		return 0, err
	}
	var gone []string
	err = f.db.Write(ctx, func(tx *sqlite.Tx) error {
		gone = nil
		size := int64(0)
		for _, key := range keys {
			r, err := f.load(tx, store, key)
			if err != nil || r.id == 0 {
				if err != nil {
					return err
				}
				continue
			}
			if _, err := tx.Exec(`DELETE FROM fazt_file WHERE id = ?`, r.id); err != nil {
				return err
			}
			gone, size = append(gone, r.blob), size+r.Size
		}
		_, err := f.count(tx, store, -int64(len(gone)), -size, 0)
		return err
	})
	if err != nil {
		return 0, err
	}
	f.bytes.remove(gone...)
	return len(gone), nil
}

func unmet(key string) error {
	return fault.New(fault.Conflict, "the condition does not hold of the file %q", key).WithHint("look at it again, and decide anew")
}
