package storage

import (
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// maxPath is how many names a path may have: documents are no deeper.
const maxPath = maxDepth

// path names a field of a document: "author.name". Its parts are names of members;
// elements of arrays have none.
type path []string

func parsePath(s string) (path, error) {
	p := path(strings.Split(s, "."))
	if len(p) > maxPath || len(s) > maxKey {
		return nil, fault.New(fault.Invalid, "the field %s is too long", excerpt([]byte(s)))
	}
	for _, name := range p {
		if err := checkText("a name in the field "+excerpt([]byte(s)), name, maxKey); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// own are the fields that are columns, with the type json_type would tell.
func (p path) own() (column, kind string) {
	if len(p) != 1 {
		return "", ""
	}
	switch p[0] {
	case "_id":
		return "key", "text"
	case "_version":
		return "version", "integer"
	case "_created":
		return "created", "integer"
	case "_updated":
		return "updated", "integer"
	}
	return "", ""
}

func (p path) String() string { return strings.Join(p, ".") }

// sqlite returns the path as SQLite's JSON functions have it: $."author"."name".
func (p path) sqlite() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, name := range p {
		b.WriteByte('.')
		b.Write(quote(name))
	}
	return b.String()
}

// literal is the same as a string of SQL. Only paths of declared indexes become
// part of a statement; SQLite finds an index by the text of its expression.
func (p path) literal() string {
	return "'" + strings.ReplaceAll(p.sqlite(), "'", "''") + "'"
}
