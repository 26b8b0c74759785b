package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Inspection is what an operator sees of an app's storage.
type Inspection struct {
	Usage       Usage
	Stores      []StoreInfo      // by kind and name
	Collections []CollectionInfo // at most 1000 of each set
	Tables      []TableInfo      // of the app's SQL
}

// StoreInfo is one bucket, set of documents or store of files.
type StoreInfo struct {
	Kind, Name   string // "keys", "docs" or "files"
	Items, Bytes int64
	Users        int64 // who have something in it, the app itself not counted
}

// CollectionInfo is one collection, of all its users.
type CollectionInfo struct {
	Docs, Name              string
	Documents, Bytes, Users int64
}

// TableInfo is one table with its indexes.
type TableInfo struct {
	Name        string
	Rows, Bytes int64
}

// Inspect counts what the app keeps. Unlike Usage it reads whole tables.
func (a *App) Inspect(ctx context.Context) (i Inspection, err error) {
	if i.Usage, err = a.Usage(ctx); err != nil {
		return i, err
	}
	err = a.db.Read(ctx, func(tx *sqlite.Tx) error {
		if err := i.stores(tx); err != nil {
			return err
		}
		return i.tables(tx)
	})
	return i, err
}

func (i *Inspection) stores(tx *sqlite.Tx) error {
	stores, err := readStores(tx)
	if err != nil {
		return err
	}
	for id, s := range stores {
		table := map[string]string{"keys": "fazt_key WHERE store = ?", "files": "fazt_file WHERE store = ?", "docs": fmt.Sprintf("fazt_doc_%d WHERE ? > 0", s.id)}[s.Kind]
		if err := tx.QueryRow(`SELECT count(DISTINCT owner) FROM `+table+` AND owner <> ''`, s.id).Scan(&stores[id].Users); err != nil {
			return err
		}
		i.Stores = append(i.Stores, stores[id].StoreInfo)
		if s.Kind == "docs" {
			if err := i.collections(tx, s.Name, fmt.Sprintf("fazt_doc_%d", s.id)); err != nil {
				return err
			}
		}
	}
	return nil
}

type storeRow struct {
	StoreInfo
	id int64
}

// readStores lists the stores, but those of documents that have no table yet.
func readStores(tx *sqlite.Tx) (all []storeRow, err error) {
	rows, err := tx.Query(`SELECT id, kind, name, items, bytes FROM fazt_store WHERE kind <> 'docs'
			OR EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND sqlite_schema.name = 'fazt_doc_' || fazt_store.id) ORDER BY kind, name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s storeRow
		if err := rows.Scan(&s.id, &s.Kind, &s.Name, &s.Items, &s.Bytes); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

func (i *Inspection) collections(tx *sqlite.Tx, set, table string) error {
	rows, err := tx.Query(`SELECT collection, count(*), sum(octet_length(body)), count(DISTINCT nullif(owner, '')) FROM `+table+`
		GROUP BY collection ORDER BY collection LIMIT ?`, maxPage)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		c := CollectionInfo{Docs: set}
		if err := rows.Scan(&c.Name, &c.Documents, &c.Bytes, &c.Users); err != nil {
			return err
		}
		i.Collections = append(i.Collections, c)
	}
	return rows.Err()
}

func (i *Inspection) tables(tx *sqlite.Tx) error {
	names, err := column[string](tx, `SELECT m.name`+guestTables+` ORDER BY m.name`)
	if err != nil {
		return err
	}
	for _, name := range names {
		t := TableInfo{Name: name}
		if err := tx.QueryRow(`SELECT ifnull(sum(pgsize), 0) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = ?)`, name).Scan(&t.Bytes); err != nil {
			return err
		}
		if t.Rows, err = countTable(tx, name); err != nil {
			return err
		}
		i.Tables = append(i.Tables, t)
	}
	return nil
}

// countTable counts the rows of a table: of ours as we, of the app's as its guest.
func countTable(tx *sqlite.Tx, name string) (n int64, err error) {
	if !strings.HasPrefix(strings.ToLower(name), reserved) {
		tx = tx.Guest()
	}
	err = tx.QueryRow(`SELECT count(*) FROM "` + strings.ReplaceAll(name, `"`, `""`) + `"`).Scan(&n)
	return n, err
}
