package sqlite

import (
	"database/sql"
	"strconv"

	"github.com/fazt-sh/fazt/platform/fault"
)

// parameters returns how many values the one statement of a text takes, as SQLite
// numbers them (https://sqlite.org/lang_expr.html#varparam). The driver has no word
// for what sqlite3_prepare and sqlite3_bind_parameter_count say of either.
func parameters(text string) (int, error) {
	switch n := len(Split(text)); {
	case n == 0:
		return 0, fault.New(fault.Invalid, "there is no statement in the text")
	case n > 1:
		return 0, fault.New(fault.Invalid, "there are %d statements in one", n).
			WithHint("exec takes several, and batch several with parameters")
	}
	highest, seen := 0, map[string]bool{}
	for at, end := 0, 0; at < len(text); at = end {
		var kind byte
		end, kind = token(text, at)
		name := text[at:end]
		if kind != '?' || seen[name] {
			continue
		}
		if number, err := strconv.Atoi(name[1:]); name[0] == '?' && err == nil {
			highest = max(highest, number)
			continue
		}
		seen[name] = name != "?"
		highest++
	}
	return highest, nil
}

// takes refuses values that are too many or too few for a statement. Those that have
// names are found by them.
func (s compiled) takes(args []any) error {
	for _, a := range args {
		if _, named := a.(sql.NamedArg); named {
			return nil
		}
	}
	if len(args) == s.params {
		return nil
	}
	return fault.New(fault.Invalid, "the statement takes %d values, and %d are bound", s.params, len(args)).
		WithHint("bind takes a value for each ?, and one for each number up to the highest of ?1, ?2")
}
