package storage

import (
	"context"
	"strings"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Served reports whether a filter is one that an index serves, and what SQLite
// says how it would look for it.
func (c *Collection) Served(ctx context.Context, filter string) (bool, string, error) {
	f, err := parseFilter([]byte(filter))
	if err != nil {
		return false, "", err
	}
	t, err := c.table(ctx)
	if err != nil {
		return false, "", err
	}
	w := c.where(f)
	var plan []string
	err = c.docs.db.Read(ctx, func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`EXPLAIN QUERY PLAN SELECT body FROM `+t.name+` WHERE `+w.sql.String(), w.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			plan = append(plan, detail)
		}
		return rows.Err()
	})
	return served(f, c.docs.indexes), strings.Join(plan, "\n"), err
}

// FilterSQL returns the condition a filter becomes.
func FilterSQL(filter []byte, indexes []Index) (string, []any, error) {
	f, err := parseFilter(filter)
	if err != nil {
		return "", nil, err
	}
	w := newClause(indexes)
	w.filter(f)
	return w.sql.String(), w.args, nil
}
