package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

// nodeDB names the node's own record among the databases.
const nodeDB = "node"

type sqlIn struct {
	Query   string            `arg:"" optional:"" help:"one statement that reads; - takes it from standard input" json:"query"`
	DB      string            `name:"db" object:"" default:"node" placeholder:"NAME" help:"node for its own record, or the name of an app for what that keeps" json:"db"`
	Param   map[string]string `help:"a value for :NAME in the query; a number, true, false and null are what they look like, all else and what is in double quotes is text" json:"params"`
	Limit   int               `default:"1000" help:"how many rows, at most 10000" json:"limit"`
	Schema  bool              `help:"list the tables and their columns instead" json:"schema"`
	Write   bool              `help:"change the data of an app: backed up first, in one transaction, confirmed by the app's name" json:"write"`
	CSV     bool              `name:"csv" help:"print comma-separated values" json:"-"`
	Confirm string            `json:"confirm"`
}

// DryRun reports whether it only reads.
func (in sqlIn) DryRun() bool { return !in.Write }

// Spares reports whether it only reads.
func (in sqlIn) Spares() bool { return !in.Write }

// Note is what was asked.
func (in sqlIn) Note() string {
	if in.Schema {
		return "schema"
	}
	return in.Query
}

// sqlOut is a table of values as JSON has them, but for a blob, {"hex": "00ff"}.
type sqlOut struct {
	DB        string              `json:"db"`
	Columns   []string            `json:"columns"`
	Rows      [][]json.RawMessage `json:"rows"`
	Truncated bool                `json:"truncated"`     // there are more rows
	Cut       string              `json:"cut,omitempty"` // by what: rows, bytes
	Changed   *int64              `json:"changed,omitempty"`
	Backup    string              `json:"backup,omitempty"` // made before a change
	Took      time.Duration       `json:"duration_ns"`
}

func sqlOps(n *node) []op.Op {
	return []op.Op{op.New(op.Row{
		Name: "sql", Group: groupData, Summary: "ask a database of the node, or change an app's", Effect: op.Destroy, Needs: op.Admin, Audited: true, Since: "0.5.0",
		Detail: "SQLite itself holds a query to reading, for 5 seconds and 10 MB at most, two at a time; columns that hold secrets are refused. What was asked is in the journal. " +
			"--write runs statements on the tables of an app as the app's own code would; never on the node's record.",
		Examples: []op.Example{
			{Command: "sql 'SELECT actor, action, count(*) FROM journal GROUP BY 1, 2'"},
			{Command: "@prod sql --db notes 'SELECT * FROM note WHERE id > :n' --param n=10 --csv"},
			{Command: "sql --db notes --schema"},
			{Command: "sql --db notes --write 'DELETE FROM note WHERE id = :id' --param id=7 --confirm notes"},
		},
		Exits: map[int]string{3: "it is no statement that SQLite understands", 4: "it does more than read, or asks for secrets", 5: "a change is not confirmed, or a constraint refuses it",
			6: "there is no such app, or it keeps nothing", 8: "it took too long, or two others are being answered"},
	}, on(n, func(ctx context.Context, n *node, in sqlIn) (sqlOut, error) { return n.sql(ctx, in) }))}
}

// mostRows bounds --limit.
const mostRows = 10_000

// schemaQuery lists what there is to ask for.
const schemaQuery = `SELECT m.name AS "table", x.name AS "column", x.type AS type FROM sqlite_schema AS m, pragma_table_xinfo(m.name) AS x
	WHERE m.type IN ('table', 'view') ORDER BY m.name, x.cid`

func (n *node) sql(ctx context.Context, in sqlIn) (sqlOut, error) {
	switch {
	case in.Schema && (in.Query != "" || in.Write):
		return sqlOut{}, fault.New(fault.Invalid, "--schema takes no query and changes nothing")
	case in.Schema:
		in.Query, in.Limit = schemaQuery, mostRows
	case in.Write:
		return n.sqlWrite(ctx, in)
	case in.Limit < 1 || in.Limit > mostRows:
		return sqlOut{}, fault.New(fault.Invalid, "--limit is 1 to %d, not %d", mostRows, in.Limit)
	}
	params, err := typedParams(in.Param)
	if err != nil {
		return sqlOut{}, err
	}
	a, withheld, err := n.ask(ctx, in.DB, sqlite.Question{Query: in.Query, Params: params, Rows: in.Limit})
	if err != nil {
		return sqlOut{}, err
	}
	if in.Schema {
		a = marked(a, withheld)
	}
	return sqlOut{DB: in.DB, Columns: a.Columns, Rows: jsonRows(a.Rows), Truncated: a.Cut != "", Cut: string(a.Cut), Took: a.Took}, nil
}

// ask asks the database that is named, and says what of it is withheld.
func (n *node) ask(ctx context.Context, db string, q sqlite.Question) (sqlite.Answer, func(table, column string) bool, error) {
	if db == nodeDB {
		q.Withheld = platform.Withheld
		a, err := n.console.Ask(ctx, n.ground.DB, q)
		return a, q.Withheld, err
	}
	o, err := n.object(ctx, db)
	if err != nil {
		return sqlite.Answer{}, nil, err
	}
	data, release, err := n.openData(ctx, o)
	if err != nil {
		return sqlite.Answer{}, nil, err
	}
	defer release()
	a, err := data.Ask(ctx, n.console, q)
	return a, storage.Withheld, err
}

// marked adds to a schema which columns are shown.
func marked(a sqlite.Answer, withheld func(table, column string) bool) sqlite.Answer {
	a.Columns = append(a.Columns, "shown")
	for i, row := range a.Rows {
		table, column := strings.ToLower(row[0].(string)), strings.ToLower(row[1].(string))
		shown := "yes"
		if withheld(table, "") || withheld(table, column) {
			shown = "no, it holds secrets"
		}
		a.Rows[i] = append(row, shown)
	}
	return a
}

// writeDeadline bounds a change, which others who write wait for.
const writeDeadline = 30 * time.Second

// sqlWrite changes an app's tables. The app is backed up before, so that what was
// not meant can be taken back.
func (n *node) sqlWrite(ctx context.Context, in sqlIn) (out sqlOut, err error) {
	if in.DB == nodeDB {
		return out, fault.New(fault.Forbidden, "--write changes the data of an app, never the node's record").
			WithHint("what the node holds comes from the repository and from commands, and its journal is append-only")
	}
	params, err := typedParams(in.Param)
	if err != nil {
		return out, err
	}
	var all []storage.Statement
	for _, s := range sqlite.Split(in.Query) {
		all = append(all, storage.Statement{Query: s.Text, Named: params})
	}
	if len(all) == 0 {
		return out, fault.New(fault.Invalid, "there is no statement to run")
	}
	o, err := n.object(ctx, in.DB)
	if err != nil {
		return out, err
	}
	b, err := n.backup(ctx, o, op.ActorFrom(ctx), false)
	if err == nil && !b.good() {
		err = fault.New(fault.Unavailable, "nothing was changed: the backup before it cannot be restored: %s", b.Problem).WithSubject(b.ID)
	}
	if err != nil {
		return out, err
	}
	data, release, err := n.openData(ctx, o)
	if err != nil {
		return out, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	begin := time.Now()
	results, err := data.SQL("SQL").Batch(ctx, all)
	if err != nil {
		return out, err
	}
	last, changed := results[len(results)-1], int64(0)
	for _, r := range results {
		changed += r.Meta.Changes
	}
	return sqlOut{DB: in.DB, Columns: slices.Concat([]string{}, last.Columns), Rows: jsonRows(last.Rows), Changed: &changed, Backup: b.ID, Took: time.Since(begin)}, nil
}

// typedParams reads values as JSON has them; what is none of them is text.
func typedParams(texts map[string]string) (map[string]any, error) {
	params := map[string]any{}
	for name, text := range texts {
		name = strings.TrimLeft(name, ":@$")
		if r, _ := utf8.DecodeRuneInString(name); r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return nil, fault.New(fault.Invalid, "%q cannot name a parameter", name).WithHint("it begins with a letter: --param id=7, and :id in the query")
		}
		params[name] = typed(text)
	}
	return params, nil
}

func typed(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.InputOffset() != int64(len(text)) {
		return text
	}
	switch v := v.(type) {
	case nil, string:
		return v
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
	}
	return text
}

// jsonRows are values of SQLite as JSON.
func jsonRows(rows [][]any) [][]json.RawMessage {
	all := make([][]json.RawMessage, len(rows))
	for i, row := range rows {
		all[i] = make([]json.RawMessage, len(row))
		for j, v := range row {
			all[i][j] = jsonValue(v)
		}
	}
	return all
}

// jsonValue keeps numbers as they are, and a real one apart from an integer. What
// JSON has no number for is text.
func jsonValue(v any) json.RawMessage {
	switch x := v.(type) {
	case float64:
		switch {
		case math.IsInf(x, 1):
			return json.RawMessage(`"Infinity"`)
		case math.IsInf(x, -1):
			return json.RawMessage(`"-Infinity"`)
		}
		text, _ := json.Marshal(x)
		if !strings.ContainsAny(string(text), ".eE") {
			text = append(text, ".0"...)
		}
		return text
	case []byte:
		v = hexValue{hex.EncodeToString(x)}
	}
	text, err := plainJSON(v)
	if err != nil { // no value of SQLite's is so
		return json.RawMessage("null")
	}
	return text
}

// hexValue is a blob.
type hexValue struct {
	Hex string `json:"hex"`
}

// mostQuery is the longest statement that SQLite is given.
const mostQuery = 1 << 20

// readQuery takes a query from standard input where - stands for it.
func (p *program) readQuery(in any) (any, error) {
	q, is := in.(sqlIn)
	if !is || q.Query != stdinName {
		return in, nil
	}
	text, err := io.ReadAll(io.LimitReader(p.stdin, mostQuery+1))
	switch {
	case err != nil:
		return in, fault.Wrap(fault.Unavailable, err, "read the query from standard input")
	case len(text) > mostQuery:
		return in, fault.New(fault.Exhausted, "the query on standard input has more than %s", size(mostQuery))
	case !utf8.Valid(text):
		return in, fault.New(fault.Invalid, "the query on standard input is no text")
	}
	q.Query = string(text)
	return q, nil
}
