package storage

import (
	"slices"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// schema is what an app's tables offer to a release, each thing with what is said of
// it: "column note.word" → "TEXT NOT NULL".
type schema map[string]thing

type thing struct {
	table string // it belongs to; empty for tables and views, and what belongs to a view
	text  string
	binds bool // it refuses rows that were fine without it
}

// guestTables chooses the tables that are the app's, as m.
const guestTables = ` FROM sqlite_schema AS m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name NOT LIKE 'fazt\_%' ESCAPE '\'`

// readSchema returns the schema. Checks are not told apart: SQLite has them only as
// text of the table.
func readSchema(tx *sqlite.Tx) (schema, error) {
	s := schema{}
	for _, part := range []string{
		`SELECT 'table ' || m.name, '', '', FALSE` + guestTables,
		`SELECT 'column ' || m.name || '.' || x.name, m.name, concat_ws(' ', x.type, iif(x."notnull", 'NOT NULL', NULL), 'DEFAULT ' || x.dflt_value,
				iif(x.pk, 'PRIMARY KEY ' || x.pk, NULL), iif(x.hidden > 1, 'GENERATED', NULL)), x."notnull" AND x.dflt_value IS NULL AND NOT x.pk
			FROM (SELECT m.name` + guestTables + `) AS m, pragma_table_xinfo(m.name) AS x`,
		`SELECT 'unique index ' || m.name || ' (' || (SELECT group_concat(ifnull(i.name, 'an expression'), ', ') FROM pragma_index_info(l.name) AS i) || ')',
				m.name, iif(l.partial, (SELECT sql FROM sqlite_schema WHERE name = l.name), ''), TRUE
			FROM (SELECT m.name` + guestTables + `) AS m, pragma_index_list(m.name) AS l WHERE l."unique"`,
		`SELECT 'foreign key ' || m.name || '.' || f."from", m.name, concat(f."table", '.', f."to", ' ', f.on_update, ' ', f.on_delete), TRUE
			FROM (SELECT m.name` + guestTables + `) AS m, pragma_foreign_key_list(m.name) AS f`,
		`SELECT 'view ' || name, '', sql, FALSE FROM sqlite_schema WHERE type = 'view'`,
		`SELECT 'trigger ' || t.name, iif(t.tbl_name IN (SELECT m.name` + guestTables + `), t.tbl_name, ''), t.sql, TRUE
			FROM sqlite_schema AS t WHERE t.type = 'trigger'`,
	} {
		if err := s.add(tx, part); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s schema) add(tx *sqlite.Tx, query string) error {
	rows, err := tx.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var t thing
		if err := rows.Scan(&name, &t.table, &t.text, &t.binds); err != nil {
			return err
		}
		s[name] = t
	}
	return rows.Err()
}

const mayUse = ", which the release before may use"

// losses tells what a release that was written for s would miss in another schema:
// what is gone, what differs, and what refuses its rows now.
func (s schema) losses(now schema) (all []string) {
	for name, was := range s {
		is, there := now[name]
		switch {
		case !there && was.table != "" && !now.has(was.table): // the table tells
		case !there:
			all = append(all, "drops the "+name+mayUse)
		case is.text != was.text:
			all = append(all, "changes the "+name+mayUse)
		}
	}
	for name, is := range now {
		if _, was := s[name]; !was && is.binds && s.has(is.table) {
			all = append(all, "adds the "+name+", which may refuse what the release before writes")
		}
	}
	slices.Sort(all)
	return all
}

func (s schema) has(table string) bool {
	_, ok := s["table "+table]
	return ok
}

// checkForeignKeys refuses rows that refer to nothing.
func checkForeignKeys(tx *sqlite.Tx) error {
	broken, err := column[string](tx, `SELECT DISTINCT "table" FROM pragma_foreign_key_check LIMIT 1`)
	if err == nil && len(broken) > 0 {
		err = fault.New(fault.Conflict, "rows of the table %q refer to rows that are not there", broken[0])
	}
	return err
}
