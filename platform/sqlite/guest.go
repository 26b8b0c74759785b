package sqlite

import (
	"errors"
	"slices"
	"strings"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Guest is the same transaction for statements that somebody else wrote. They
// are compiled and run under an authorizer that lets them read and write rows,
// and make, alter and drop tables, indexes, views, triggers and full-text tables,
// as long as nothing of it begins with the reserved prefix; that leaves them no
// files, no transactions, no settings; and that bounds their size. The error's
// kind is Forbidden for what is not theirs, Invalid for what SQLite does not
// understand, Conflict for what a constraint refuses.
//
// What guests made is to be touched through Guest only: a full-text table keeps
// statements of its own, compiled for who used it first.
func (t *Tx) Guest() *Tx { return &Tx{f: t.f, guest: true} }

// guard is what the authorizer of a connection knows about the statement that is
// compiled or runs. SQLite also asks it when it compiles one again, or compiles
// what a virtual table needs, in the middle of a run.
type guard struct {
	reserved string
	reads    bool     // the connection only reads
	on       bool     // the statement is a guest's
	text     string   // of it
	schema   bool     // it has changed the schema
	deletes  []string // tables whose rows it names to be deleted
	denied   driver.AuthorizerActionCode
}

// Deletes lists the tables whose rows the guest's statement that ran last is there to
// delete, as SQLite understands it: not what it does to its own tables to change the
// schema, nor what a trigger does. A table may be in the list more than once.
func (t *Tx) Deletes() []string {
	if g := &t.f.c.guard; !g.schema {
		return g.deletes
	}
	return nil
}

// bounds are SQLite's own, for connections that guests use; those whose default
// is not named here are harmless or follow from these.
// See https://www.sqlite.org/limits.html and https://www.sqlite.org/security.html.
func bounds() map[int]int {
	return map[int]int{
		lib.SQLITE_LIMIT_SQL_LENGTH:          1 << 20,
		lib.SQLITE_LIMIT_COLUMN:              200,
		lib.SQLITE_LIMIT_EXPR_DEPTH:          200,
		lib.SQLITE_LIMIT_COMPOUND_SELECT:     50,
		lib.SQLITE_LIMIT_VDBE_OP:             100_000,
		lib.SQLITE_LIMIT_FUNCTION_ARG:        100,
		lib.SQLITE_LIMIT_ATTACHED:            0,
		lib.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500, // matching is quadratic
		lib.SQLITE_LIMIT_TRIGGER_DEPTH:       50,
		lib.SQLITE_LIMIT_WORKER_THREADS:      0,
	}
}

// The largest value of a row: ours is SQLite's own, a guest's 2 MiB, since an
// expression can ask for one per column, and one per connection.
const (
	ownValue   = 1_000_000_000
	guestValue = 2 << 20
)

// restrict sets the bounds and the authorizer of a new connection.
func (c *conn) restrict() error {
	for id, n := range bounds() {
		if _, err := driver.Limit(c.sql, id, n); err != nil {
			return err
		}
	}
	return c.sql.Raw(func(dc any) error {
		return dc.(driver.AuthorizerRegisterer).RegisterAuthorizer(c.guard.authorize)
	})
}

// speak says whose statement comes next. What it says holds until the next one.
func (c *conn) speak(guest bool, query string) error {
	if c.guard.on != guest {
		value := ownValue
		if guest {
			value = guestValue
		}
		if _, err := driver.Limit(c.sql, lib.SQLITE_LIMIT_LENGTH, value); err != nil {
			return err
		}
	}
	c.guard.on, c.guard.text, c.guard.schema, c.guard.deletes, c.guard.denied = guest, query, false, nil, 0
	return nil
}

func (g *guard) authorize(action driver.AuthorizerActionCode, a, b, database, within string) driver.AuthorizerReturnCode {
	if g.on && action == driver.AuthDelete && within == "" {
		g.deletes = append(g.deletes, a)
	}
	if !g.on || g.allows(action, a, b, database) || within == "" && g.forgets(action, a) {
		return driver.AuthorizerOK
	}
	g.denied = action
	return driver.AuthorizerDeny
}

// advise adds to a refusal what to do in place of what was refused.
func (g *guard) advise(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Forbidden || f.Hint != "" {
		return err
	}
	switch g.denied {
	case driver.AuthTransaction, driver.AuthSavepoint:
		return f.WithHint("batch, exec and a migration are one transaction each; for others there is transaction(work)")
	case driver.AuthPragma:
		return f.WithHint("the pragmas are %s", strings.Join(describing(), ", "))
	case driver.AuthCreateTempTable, driver.AuthCreateTempView, driver.AuthCreateTempTrigger, driver.AuthCreateTempIndex:
		return f.WithHint("nothing is temporary, as each statement may have another connection: use WITH, or a table")
	case driver.AuthAttach, driver.AuthDetach:
		return f.WithHint("an app has the one database")
	}
	return err
}

// allows is the whole of what guests may do. The meaning of a and b depends on
// the action: https://www.sqlite.org/c3ref/c_alter_table.html.
func (g *guard) allows(action driver.AuthorizerActionCode, a, b, database string) bool {
	if action == driver.AuthAlterTable { // the only one with the database in front
		return a == "main" && g.change(b)
	}
	if database != "" && database != "main" && a != "sqlite_temp_master" { // ALTER looks for temporary views
		return false
	}
	switch action {
	case driver.AuthSelect, driver.AuthRecursive:
		return true
	case driver.AuthRead:
		return g.read(a)
	case driver.AuthInsert, driver.AuthDelete, driver.AuthUpdate:
		return !g.reads && g.write(action, a, b)
	case driver.AuthCreateTable, driver.AuthCreateView, driver.AuthDropTable, driver.AuthDropView:
		return g.change(a)
	case driver.AuthCreateIndex, driver.AuthCreateTrigger, driver.AuthDropIndex, driver.AuthDropTrigger:
		return g.change(a) && g.change(b)
	case driver.AuthCreateVTable, driver.AuthDropVTable:
		return g.change(a) && strings.EqualFold(b, "fts5")
	case driver.AuthReindex: // a part of CREATE INDEX
		return !strings.Contains(strings.ToLower(a), g.reserved)
	case driver.AuthPragma:
		return g.pragma(a)
	case driver.AuthFunction:
		return safe(b)
	}
	return false
}

func (g *guard) isReserved(name string) bool {
	return strings.HasPrefix(strings.ToLower(name), strings.ToLower(g.reserved))
}

// change judges a name in a statement that changes the schema. SQLite does not
// tell the new name of a table, nor the table behind a full-text index, a view
// or a foreign key: so the prefix may not be in such a statement at all.
func (g *guard) change(name string) bool {
	g.schema = true
	return !g.isReserved(name) && !strings.Contains(strings.ToLower(g.text), strings.ToLower(g.reserved))
}

func (g *guard) read(table string) bool {
	name := strings.ToLower(table)
	if of, ok := strings.CutPrefix(name, "pragma_"); ok {
		return g.pragma(of)
	}
	switch name {
	case "sqlite_master", "sqlite_temp_master", "sqlite_sequence":
		return true
	case "dbstat": // counts pages of every table
		return false
	}
	return !g.isReserved(name) && !strings.HasPrefix(name, "sqlite_")
}

// write allows what changing the schema does to SQLite's own tables; SQLite
// itself refuses a statement that names sqlite_master.
func (g *guard) write(action driver.AuthorizerActionCode, table, column string) bool {
	name := strings.ToLower(table)
	switch name {
	case "sqlite_master", "sqlite_temp_master":
		return true
	case "sqlite_sequence": // of a table that is dropped or renamed
		return g.schema && (action == driver.AuthDelete || action == driver.AuthUpdate && column == "name")
	}
	return !g.isReserved(name) && !strings.HasPrefix(name, "sqlite_")
}

// forgets allows SQLite to drop its statistics of what a statement drops. They have
// samples of every table, so no statement of a guest may name them.
func (g *guard) forgets(action driver.AuthorizerActionCode, table string) bool {
	if action != driver.AuthRead && action != driver.AuthDelete || !g.schema {
		return false
	}
	return (table == "sqlite_stat1" || table == "sqlite_stat4") && !strings.Contains(strings.ToLower(g.text), "sqlite_stat")
}

func (g *guard) pragma(name string) bool {
	return describes(name) || g.schema && strings.EqualFold(name, "quick_check") // ALTER TABLE ADD COLUMN asks it
}

// describing are the pragmas that tell about tables, and do nothing else.
func describing() []string {
	return []string{"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}
}

// describes reports whether a pragma is one of them, or what FTS5 asks.
func describes(pragma string) bool {
	name := strings.ToLower(pragma)
	return name == "data_version" || slices.Contains(describing(), name)
}

// safe lists the functions of guests: all that SQLite has built in, but those
// that load code, look into the file or the engine, or write to its log. The
// last line has those that ALTER TABLE uses; SQLite keeps them from others.
func safe(function string) bool {
	switch strings.ToLower(function) {
	case "->", "->>", "abs", "changes", "char", "coalesce", "concat", "concat_ws", "count", "format", "glob", "group_concat", "hex", "if",
		"ifnull", "iif", "instr", "last_insert_rowid", "length", "like", "likelihood", "likely", "lower", "ltrim", "max", "min", "nullif",
		"octet_length", "printf", "quote", "random", "randomblob", "replace", "round", "rtrim", "sign", "soundex", "sqlite_version",
		"string_agg", "substr", "substring", "subtype", "sum", "total", "total_changes", "trim", "typeof", "unhex", "unicode", "unistr",
		"unistr_quote", "unlikely", "upper", "zeroblob", "avg", "raise":
		return true
	case "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff", "current_date", "current_time", "current_timestamp":
		return true
	case "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh", "degrees", "exp", "floor", "ln", "log",
		"log10", "log2", "mod", "pi", "pow", "power", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc":
		return true
	case "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number":
		return true
	case "json", "json_array", "json_array_insert", "json_array_length", "json_error_position", "json_extract", "json_group_array",
		"json_group_object", "json_insert", "json_object", "json_patch", "json_pretty", "json_quote", "json_remove", "json_replace",
		"json_set", "json_type", "json_valid", "jsonb", "jsonb_array", "jsonb_array_insert", "jsonb_extract", "jsonb_group_array",
		"jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove", "jsonb_replace", "jsonb_set":
		return true
	case "bm25", "highlight", "snippet", "match", "fts5_get_locale", "fts5_insttoken", "fts5_locale":
		return true
	case "sqlite_rename_table", "sqlite_rename_column", "sqlite_rename_quotefix", "sqlite_rename_test", "sqlite_drop_column":
		return true
	}
	return false
}
