package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Migration is one file of statements that changes the app's tables, once:
// 0001_name.sql. Of a file in goose's form only the part under "+goose Up" counts.
// One with the line "-- fazt: destructive" may take away what the release before
// it uses.
type Migration struct {
	Version     int64
	Name        string // of the file
	Digest      string // sha256 of the file, in hex
	Destructive bool

	statements []sqlite.Piece
}

const (
	maxMigration  = 1 << 20 // bytes of a file
	maxMigrations = 1000

	migrateTime = 5 * time.Minute // of all that are new, on the copy and again on the database
	growMost    = 4               // times what the database has, and
	growAlways  = 256 << 20       // bytes more, as a small one is also filled by migrations
)

var errMigrateTime = errors.New("migrations have " + migrateTime.String() + " at most")

var (
	migrationName = regexp.MustCompile(`^([0-9]{1,9})_[A-Za-z0-9_.-]+\.sql$`)
	destructive   = regexp.MustCompile(`(?m)^[ \t]*--[ \t]*fazt:[ \t]*destructive[ \t]*\r?$`)
	gooseUp       = regexp.MustCompile(`(?m)^[ \t]*--[ \t]*\+goose[ \t]+Up\b.*$`)
	gooseDown     = regexp.MustCompile(`(?m)^[ \t]*--[ \t]*\+goose[ \t]+Down\b.*$`)
)

// Pending returns the migrations of a folder that were not applied yet, in order.
// The error's kind is Conflict if an applied one was edited since, or if one would
// come before those that were applied; Invalid if a file is no migration.
func (s *SQL) Pending(ctx context.Context, files fs.FS) (pending []Migration, err error) {
	if s.err != nil {
		return nil, s.err
	}
	all, err := readMigrations(files)
	if err != nil {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *sqlite.Tx) error {
		pending, err = notApplied(tx, all)
		return err
	})
	return pending, err
}

// Applied returns the names of the migrations that were applied, in their order.
func (s *SQL) Applied(ctx context.Context) (names []string, err error) {
	if s.err != nil {
		return nil, s.err
	}
	err = s.db.Read(ctx, func(tx *sqlite.Tx) error {
		names, err = column[string](tx, `SELECT name FROM fazt_sql_migration ORDER BY version`)
		return err
	})
	return names, err
}

// Migrate applies the pending migrations in one transaction and returns them. They
// are first run on a copy of the database and judged there: what drops or changes
// something that was there before is refused with Conflict and its place, unless its
// file says that it is destructive. A statement that fails is told by its place too.
// In both cases nothing has changed, nor where they take too long or too much room.
// Other writes of the app wait while they run.
func (s *SQL) Migrate(ctx context.Context, files fs.FS) ([]Migration, error) {
	pending, err := s.Pending(ctx, files)
	if err != nil || len(pending) == 0 {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, migrateTime, errMigrateTime)
	defer cancel()
	if err := s.rehearse(ctx, pending); err != nil {
		return nil, err
	}
	err = s.db.Alone(ctx, func(tx *sqlite.Tx) error {
		if pending, err = notApplied(tx, pending); err != nil {
			return err
		}
		for _, m := range pending {
			if err := m.apply(ctx, tx, func(sqlite.Piece) error { return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	return pending, guestFault(ctx, err)
}

// rehearse runs the migrations on a copy and judges them.
func (s *SQL) rehearse(ctx context.Context, pending []Migration) error {
	path := filepath.Join(s.dir, ".migrate-"+newName()+".db")
	defer removeDatabase(path)
	if err := s.db.Backup(ctx, path); err != nil {
		return err
	}
	copied, err := sqlite.Open(ctx, path, sqlite.Options{Reserved: reserved, Durability: sqlite.Normal, Readers: 1})
	if err != nil {
		return err
	}
	defer copied.Close()
	return guestFault(ctx, copied.Alone(ctx, func(tx *sqlite.Tx) error {
		before, err := readSchema(tx)
		if err == nil {
			err = bound(tx)
		}
		if err != nil {
			return err
		}
		for _, m := range pending {
			if err := m.judge(ctx, tx, before); err != nil {
				return err
			}
		}
		return checkForeignKeys(tx)
	}))
}

// bound limits what migrations may make of a database: a statement that never ends would
// fill the disk.
func bound(tx *sqlite.Tx) error {
	var pages, size int64
	if err := tx.QueryRow(`SELECT page_count, page_size FROM pragma_page_count, pragma_page_size`).Scan(&pages, &size); err != nil {
		return err
	}
	_, err := tx.Exec(`PRAGMA max_page_count = ` + strconv.FormatInt(growMost*pages+growAlways/size, 10))
	return err
}

// judge applies a migration and refuses it for what it took from the schema that was
// there before all of them. Of what is missing at its end, the first statement after
// which it was missing is to blame: a table that is made anew under its old name is
// there again. Rows of such a table may be added and changed, and not deleted.
func (m Migration) judge(ctx context.Context, tx *sqlite.Tx, before schema) error {
	now, err := readSchema(tx)
	if err != nil {
		return err
	}
	known := before.losses(now) // by migrations that said so
	blame := map[string]sqlite.Piece{}
	var lost, deleted []string
	err = m.apply(ctx, tx, func(p sqlite.Piece) error {
		for _, table := range tx.Deletes() {
			if l := "deletes rows of the table " + table + mayUse; before.has(table) {
				deleted, blame[l] = append(deleted, l), p
			}
		}
		if now, err = readSchema(tx); err != nil {
			return err
		}
		lost = slices.DeleteFunc(before.losses(now), func(l string) bool { return slices.Contains(known, l) })
		for _, l := range lost {
			if _, there := blame[l]; !there {
				blame[l] = p
			}
		}
		return nil
	})
	if lost = append(deleted, lost...); err != nil || len(lost) == 0 || m.Destructive {
		return err
	}
	at := m.place(blame[lost[0]])
	return fault.New(fault.Conflict, "%s: this %s", at, lost[0]).
		WithSubject(at).WithHint("add instead, and take away in a later release; or write the line \"-- fazt: destructive\" into the file")
}

// place is where a statement begins, as errors name it: "0001_begin.sql:3".
func (m Migration) place(p sqlite.Piece) string { return m.Name + ":" + strconv.Itoa(p.Line) }

// apply runs the statements of a migration and records it.
func (m Migration) apply(ctx context.Context, tx *sqlite.Tx, after func(sqlite.Piece) error) error {
	for _, p := range m.statements {
		if _, err := tx.Guest().Exec(p.Text); err != nil {
			return m.failed(ctx, p, err)
		}
		if err := after(p); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`INSERT INTO fazt_sql_migration (version, name, digest, applied) VALUES (?, ?, ?, ?)`, m.Version, m.Name, m.Digest, millis(time.Now()))
	return err
}

// failed is the error of a statement, with its place.
func (m Migration) failed(ctx context.Context, p sqlite.Piece, err error) error {
	at := m.place(p)
	switch {
	case errors.Is(context.Cause(ctx), errMigrateTime):
		return fault.Wrap(fault.Invalid, errMigrateTime, "%s", at).WithSubject(at).WithHint("see that it ends, and split what takes long")
	case code(err)&0xff == codeFull && fault.CodeOf(err) != fault.CodeDiskFull:
		return fault.New(fault.Invalid, "%s: this makes the database too large", at).WithSubject(at).WithHint("see that it ends: it may make of it %d times as much and %d MiB", growMost, growAlways>>20)
	}
	f := fault.Wrap(fault.KindOf(guestFault(ctx, err)), err, "%s", at).WithSubject(at)
	if f.Kind == fault.Forbidden {
		return f.WithHint("a migration changes the tables of the app: no other file, no setting, and nothing whose name begins with %s", reserved)
	}
	return f
}

func notApplied(tx *sqlite.Tx, all []Migration) (pending []Migration, err error) {
	rows, err := tx.Query(`SELECT version, name, digest FROM fazt_sql_migration`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := map[int64]Migration{}
	newest := Migration{Version: -1}
	for rows.Next() {
		var m Migration
		if err := rows.Scan(&m.Version, &m.Name, &m.Digest); err != nil {
			return nil, err
		}
		if applied[m.Version] = m; m.Version > newest.Version {
			newest = m
		}
	}
	for _, m := range all {
		switch old, ok := applied[m.Version]; {
		case ok && old.Digest != m.Digest:
			return nil, fault.New(fault.Conflict, "%s was edited after it had been applied (as %s)", m.Name, old.Name).
				WithSubject(m.Name).WithHint("put it back, and write what you want into a new file")
		case ok:
		case m.Version < newest.Version:
			return nil, fault.New(fault.Conflict, "%s comes before %s, which is applied", m.Name, newest.Name).
				WithSubject(m.Name).WithHint("give it a higher number")
		default:
			pending = append(pending, m)
		}
	}
	return pending, rows.Err()
}

func readMigrations(files fs.FS) (all []Migration, err error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the migrations cannot be read")
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".sql") {
			continue
		}
		m, err := readMigration(files, e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	if len(all) > maxMigrations {
		return nil, fault.New(fault.Invalid, "there are %d migrations, %d are the most", len(all), maxMigrations)
	}
	slices.SortFunc(all, func(a, b Migration) int { return int(a.Version - b.Version) })
	for i := 1; i < len(all); i++ {
		if all[i].Version == all[i-1].Version {
			return nil, fault.New(fault.Invalid, "%s and %s have the same number", all[i-1].Name, all[i].Name).WithSubject(all[i].Name)
		}
	}
	return all, nil
}

func readMigration(files fs.FS, name string) (m Migration, err error) {
	parts := migrationName.FindStringSubmatch(name)
	if parts == nil {
		return m, fault.New(fault.Invalid, "%s is no name of a migration", excerpt([]byte(name))).WithSubject(name).WithHint("name it like 0001_begin.sql")
	}
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return m, fault.Wrap(fault.Invalid, err, "%s cannot be read", name).WithSubject(name)
	}
	if len(b) > maxMigration {
		return m, fault.New(fault.Invalid, "%s has %d bytes, %d are the most", name, len(b), maxMigration).WithSubject(name)
	}
	sum := sha256.Sum256(b)
	m = Migration{Name: name, Digest: hex.EncodeToString(sum[:]), Destructive: destructive.Match(b)}
	m.Version, err = strconv.ParseInt(parts[1], 10, 64)
	text := string(b)
	if down := gooseDown.FindStringIndex(text); down != nil {
		text = text[:down[0]]
	}
	if up := gooseUp.FindStringIndex(text); up != nil { // lines are counted from the begin of the file
		text = strings.Repeat("\n", strings.Count(text[:up[1]], "\n")) + text[up[1]:]
	}
	m.statements = sqlite.Split(text)
	return m, err
}

func removeDatabase(path string) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(path + suffix)
	}
}
