package storage

import (
	"errors"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// column returns the one column of a query.
func column[T any](tx *sqlite.Tx, query string, args ...any) (all []T, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// SQLite's result codes that mean something to an app. https://sqlite.org/rescode.html
const (
	codeError      = 1
	codeReadOnly   = 8
	codeInterrupt  = 9
	codeFull       = 13
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codeAuth       = 23
	codeRange      = 25
	codeUnique     = codeConstraint | 8<<8
)

// code returns SQLite's extended result code of an error, 0 if it is not SQLite's.
func code(err error) int {
	var e interface {
		error
		Code() int
	}
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}
