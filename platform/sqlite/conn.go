package sqlite

import (
	"container/list"
	"context"
	"database/sql"
	"net/url"
	"slices"
	"strconv"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/fazt-sh/fazt/platform/fault"
)

type direction bool

const (
	reading direction = false
	writing direction = true
)

// engine is the oldest SQLite that we trust a file to, as major, minor and patch
// in three digits each: older ones lack fixes that the tests stand on.
const engine = 3_054_001

func checkEngine(ctx context.Context, c *conn) error {
	var version string
	if err := c.scan(ctx, `SELECT sqlite_version()`, &version); err != nil {
		return err
	}
	if lib.SQLITE_VERSION_NUMBER < engine {
		return fault.New(fault.Internal, "fazt was built with SQLite %s, which is too old", version).
			WithHint("build it with the modules that go.mod names")
	}
	return nil
}

// open returns a pool of connections that stay open: opening one costs a
// millisecond of pragmas.
func (d *DB) open(to direction) (*sql.DB, error) {
	c, err := driver.NewConnector(d.dsn(to))
	if err != nil {
		return nil, err
	}
	connections := 1
	if to == reading {
		connections = d.o.Readers
	}
	p := sql.OpenDB(c)
	p.SetMaxOpenConns(connections)
	p.SetMaxIdleConns(connections)
	return p, nil
}

// pageSize is SQLite's own default.
const pageSize = 4096

// headroom is how far a single statement may grow the file over its bound before
// SQLite stops it in the middle; what a finished write holds is counted exactly.
const headroom = 64 << 20

// dsn is the only place where settings are made; every connection gets them.
func (d *DB) dsn(to direction) string {
	q := url.Values{
		"_busy_timeout": {"5000"},
		"_foreign_keys": {"1"},
		"_defensive":    {"1"}, // no writable_schema, no journal_mode=off
		"_dqs":          {"0"}, // a misspelt column is an error, not a string
		"_error_rc":     {"1"}, // messages of the failing call, not of an older one
		"_pragma": {
			"trusted_schema(0)",
			"cell_size_check(1)",
			"journal_size_limit(67108864)", // a burst leaves at most 64 MiB of log behind
		},
	}
	if to == reading {
		q.Set("mode", "ro")
		q.Set("_query_only", "1")
	} else {
		q.Set("mode", "rwc")
		q.Set("_journal_mode", "WAL")
		q.Set("_synchronous", [...]string{Full: "FULL", Normal: "NORMAL"}[d.o.Durability])
		if d.o.MaxBytes > 0 {
			q.Add("_pragma", "max_page_count("+strconv.FormatInt((d.o.MaxBytes+headroom)/pageSize, 10)+")")
		}
	}
	return (&url.URL{Scheme: "file", Path: d.path, RawQuery: q.Encode()}).String()
}

// conn is one connection with the statements compiled on it. One goroutine at a
// time uses it.
type conn struct {
	sql        *sql.Conn
	own, guest cache
	old        []*sql.Stmt // to be closed when no rows are open
	guard      guard

	armed bool // a commit is ours; see watch
	lost  bool // SQLite has rolled the transaction back
}

func (d *DB) dial(ctx context.Context, p *sql.DB) (*conn, error) {
	k, err := p.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{sql: k, own: newCache(), guest: newCache(), guard: guard{reserved: d.o.Reserved, reads: p == d.read}}
	if d.o.Reserved != "" {
		if err := c.restrict(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// watch makes the connection notice when SQLite rolls a transaction back by
// itself, which it does when a statement that writes is interrupted, finds the
// disk full, or says OR ROLLBACK. Statements behind that would each be a
// transaction of their own: no commit passes but the one we ask for.
func (c *conn) watch() error {
	return c.sql.Raw(func(dc any) error {
		h := dc.(driver.HookRegisterer)
		h.RegisterRollbackHook(func() { c.lost = true })
		h.RegisterCommitHook(func() int32 {
			if c.armed {
				return 0
			}
			return 1
		})
		return nil
	})
}

// run executes one of the statements that make transactions.
func (c *conn) run(ctx context.Context, query string) error {
	s, err := c.statement(ctx, false, query)
	if err != nil {
		return err
	}
	_, err = s.stmt.ExecContext(ctx)
	return err
}

// scan reads the one row of a statement of ours.
func (c *conn) scan(ctx context.Context, query string, into ...any) error {
	s, err := c.statement(ctx, false, query)
	if err != nil {
		return err
	}
	return s.stmt.QueryRowContext(ctx).Scan(into...)
}

// longest is the longest statement that is kept compiled: longer ones are
// written for one use.
const longest = 8 << 10

// statement compiles a query, or finds it compiled. Guests have their own
// shelf, so what was compiled for us without asking never runs for them. The driver
// runs all statements of a text, each with the same arguments: a guest's is one.
func (c *conn) statement(ctx context.Context, guest bool, query string) (compiled, error) {
	if err := c.speak(guest, query); err != nil {
		return compiled{}, err
	}
	shelf := &c.own
	if guest {
		shelf = &c.guest
	}
	if s, ok := shelf.get(query); ok {
		c.guard.deletes = s.deletes
		return s, nil
	}
	stmt, err := c.sql.PrepareContext(ctx, query)
	if err != nil {
		return compiled{}, err
	}
	s := compiled{query: query, stmt: stmt, deletes: slices.Clip(c.guard.deletes)}
	if guest {
		s.params, err = parameters(query)
	}
	if err != nil || len(query) > longest {
		c.old = append(c.old, stmt)
	} else {
		c.old = append(c.old, shelf.put(s)...)
	}
	return s, err
}

// sweep closes statements that are not kept. Their rows must be closed: they
// share their memory.
func (c *conn) sweep() {
	for _, s := range c.old {
		s.Close()
	}
	c.old = nil
}

func (c *conn) close() error {
	if c == nil {
		return nil
	}
	// SQLite keeps a connection, and the log, as long as there are statements.
	c.old = append(c.old, append(c.own.clear(), c.guest.clear()...)...)
	c.sweep()
	return c.sql.Close()
}

// shelfSize bounds the compiled statements of a connection, ours and the guests'
// each; the busiest of our own packages has about forty.
const shelfSize = 100

// cache keeps the statements used last.
type cache struct {
	order *list.List // of compiled, the newest in front
	found map[string]*list.Element
}

type compiled struct {
	query   string
	stmt    *sql.Stmt
	params  int      // of a guest's
	deletes []string // likewise: the guard heard of it when it was compiled
}

func newCache() cache { return cache{list.New(), map[string]*list.Element{}} }

func (c *cache) get(query string) (s compiled, ok bool) {
	e := c.found[query]
	if e == nil {
		return s, false
	}
	c.order.MoveToFront(e)
	return e.Value.(compiled), true
}

// put returns the statements that had to give way.
func (c *cache) put(s compiled) (old []*sql.Stmt) {
	c.found[s.query] = c.order.PushFront(s)
	if c.order.Len() > shelfSize {
		last := c.order.Remove(c.order.Back()).(compiled)
		delete(c.found, last.query)
		old = append(old, last.stmt)
	}
	return old
}

func (c *cache) clear() (old []*sql.Stmt) {
	for e := c.order.Front(); e != nil; e = e.Next() {
		old = append(old, e.Value.(compiled).stmt)
	}
	*c = newCache()
	return old
}
