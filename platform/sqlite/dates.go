package sqlite

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Dated reports whether the driver makes times of a column's text, by which what
// was written is lost: it does where the column is declared as a date.
func Dated(columns []*sql.ColumnType) bool {
	return slices.ContainsFunc(columns, func(c *sql.ColumnType) bool {
		return slices.Contains([]string{"DATE", "DATETIME", "TIMESTAMP"}, c.DatabaseTypeName())
	})
}

// Undated returns a query of the same rows and values with so many columns, where
// these are expressions and have no declared type.
func Undated(query string, columns int) string {
	var names, values []string
	for i := range columns {
		names = append(names, fmt.Sprint("c", i))
		values = append(values, fmt.Sprint("+c", i))
	}
	return `WITH "the rows" (` + strings.Join(names, ", ") + ") AS (\n" + strings.TrimRight(query, "; \t\r\n") + "\n)" +
		" SELECT " + strings.Join(values, ", ") + ` FROM "the rows"`
}
