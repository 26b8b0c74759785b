package storage

import (
	"bytes"
	"context"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// FileListOptions choose a page of files.
type FileListOptions struct {
	ListOptions
	After     string // a key; the first page begins behind it
	Delimiter string // keys that have it behind the prefix are told as one prefix up to it; "/" makes folders
}

// FilePage is a page of files in the order of the bytes of their keys.
type FilePage struct {
	Files    []FileInfo
	Prefixes []string // what Delimiter made of several
	Cursor   string   // for the next page; empty after the last
}

// List returns a page of the files whose keys begin with a prefix. What a delimiter
// makes one costs one search, however many files it stands for.
func (f *Files) List(ctx context.Context, o FileListOptions) (page FilePage, err error) {
	r, limit, err := o.bounds()
	if err != nil {
		return page, err
	}
	if len(o.Delimiter) > maxFileKey || len(o.After) > maxFileKey {
		return page, fault.New(fault.Invalid, "the delimiter, or the key to start after, is too long")
	}
	if from := append([]byte(o.After), 0); o.After != "" && bytes.Compare(from, r.from) > 0 {
		r.from = from
	}
	store, err := f.store(ctx)
	if err != nil {
		return page, err
	}
	err = f.db.Read(ctx, func(tx *sqlite.Tx) error {
		page, err = f.list(tx, store, r, limit, o)
		return err
	})
	return page, err
}

func (f *Files) list(tx *sqlite.Tx, store int64, r span, limit int, o FileListOptions) (page FilePage, err error) {
	for {
		left := limit - len(page.Files) - len(page.Prefixes)
		found, err := f.from(tx, store, r, left+1)
		if err != nil {
			return page, err
		}
		group := ""
		for i, info := range found {
			if i == left {
				page.Cursor = cursorAt(r.from)
				return page, nil
			}
			if group = o.group(info.Key); group != "" {
				break
			}
			page.Files = append(page.Files, info)
			r.from = append([]byte(info.Key), 0)
		}
		if group == "" {
			return page, nil
		}
		page.Prefixes = append(page.Prefixes, group)
		r.from = successor(group)
	}
}

// group returns the prefix that stands for a key, empty if the key stands for itself.
func (o FileListOptions) group(key string) string {
	if o.Delimiter == "" {
		return ""
	}
	rest := key[len(o.Prefix):]
	i := strings.Index(rest, o.Delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(o.Prefix)+i+len(o.Delimiter)]
}

func (f *Files) from(tx *sqlite.Tx, store int64, r span, limit int) (found []FileInfo, err error) {
	rows, err := tx.Query(`SELECT key, size, etag, type, meta, modified, version FROM fazt_file
		WHERE store = ? AND owner = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?`, store, f.owner, r.from, r.to, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i FileInfo
		var key []byte
		var modified int64
		if err := rows.Scan(&key, &i.Size, &i.ETag, &i.Type, (*[]byte)(&i.Meta), &modified, &i.Version); err != nil {
			return nil, err
		}
		i.Key, i.Modified = string(key), fromMillis(modified)
		found = append(found, i)
	}
	return found, rows.Err()
}
