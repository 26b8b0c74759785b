package sqlite

import (
	"strings"

	driver "modernc.org/sqlite"
)

// lens is the authorizer of a question: it lets through what reads, but not from
// what is withheld. It belongs to one connection.
type lens struct {
	withheld func(table, column string) bool
	secret   string // what was asked for and is withheld
	denied   bool   // something was not let through
}

func (l *lens) authorize(action driver.AuthorizerActionCode, a, b, database, _ string) driver.AuthorizerReturnCode {
	if l.allows(action, a, b, database) {
		return driver.AuthorizerOK
	}
	l.denied = true
	return driver.AuthorizerDeny
}

// allows is the whole of what a question may do. The meaning of a and b depends on
// the action: https://www.sqlite.org/c3ref/c_alter_table.html.
func (l *lens) allows(action driver.AuthorizerActionCode, a, b, database string) bool {
	if database != "" && database != "main" {
		return false
	}
	switch action {
	case driver.AuthSelect, driver.AuthRecursive:
		return true
	case driver.AuthRead:
		return l.read(strings.ToLower(a), strings.ToLower(b))
	case driver.AuthPragma:
		return describes(a)
	case driver.AuthFunction:
		return safe(b)
	}
	return false
}

// read judges a column, also where a view, an index or a condition reads it. SQLite
// names no column where only the rows of a table are counted.
func (l *lens) read(table, column string) bool {
	if of, is := strings.CutPrefix(table, "pragma_"); is {
		return describes(of)
	}
	switch {
	case table == "sqlite_master" || table == "sqlite_sequence":
		return true
	case strings.HasPrefix(table, "sqlite_"), table == "dbstat": // samples of what columns hold, and raw pages
		return false
	case l.withheld == nil:
		return true
	case l.withheld(table, ""):
		l.secret = "table " + table
		return false
	case column != "" && l.withheld(table, column):
		l.secret = "column " + table + "." + column
		return false
	}
	return true
}

// SecretName reports whether a column is named like one that holds secrets. What
// is so is to be withheld until somebody who knows says otherwise.
func SecretName(column string) bool {
	column = strings.ToLower(column)
	for _, word := range []string{"token", "hash", "secret", "sealed", "key", "password", "salt", "credential", "cookie"} {
		if strings.Contains(column, word) {
			return true
		}
	}
	return false
}
