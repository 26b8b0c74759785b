package sqlite

import (
	"context"
	"database/sql"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"

	"github.com/fazt-sh/fazt/platform/fault"
)

// ownerName keeps an owner usable as part of a table's name.
var ownerName = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}$`)

// Migrate brings the tables of one owner to the newest version among the
// migrations: goose's SQL files, 00001_name.sql and so on, in the root of fsys.
// Versions are counted per owner, in the table migration_OWNER behind the
// reserved prefix, if there is one. When the file is up to date this costs one
// query. A file written by a newer program is refused with Conflict.
func (d *DB) Migrate(ctx context.Context, owner string, migrations fs.FS) error {
	if !ownerName.MatchString(owner) {
		return fault.New(fault.Internal, "bad owner of migrations %q", owner)
	}
	newest, err := newestVersion(migrations)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "migrations of %q", owner)
	}
	table := d.o.Reserved + "migration_" + owner
	recorded, err := d.recordedVersion(ctx, table)
	if err != nil {
		return d.classify(err)
	}
	switch {
	case recorded == newest:
		return nil
	case recorded > newest:
		return fault.New(fault.Conflict, "database %q was written by a newer fazt: version %d of %s, this one knows %d",
			d.path, recorded, owner, newest).WithSubject(d.path).WithHint("start the newer version, or restore a backup made before it")
	}
	return d.classify(d.migrate(ctx, table, migrations))
}

// migrate runs goose, which wants connections of its own, while nobody writes.
func (d *DB) migrate(ctx context.Context, table string, migrations fs.FS) error {
	if err := d.line.enter(ctx); err != nil {
		return err
	}
	defer d.next(false)
	if d.batch != nil {
		d.commit()
	}
	pool, err := d.open(writing)
	if err != nil {
		return err
	}
	defer pool.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, migrations,
		goose.WithTableName(table),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "migrations of table %q", table)
	}
	_, err = p.Up(ctx)
	return err
}

// recordedVersion returns 0 when the owner was never here.
func (d *DB) recordedVersion(ctx context.Context, table string) (int64, error) {
	var version int64
	err := d.Write(ctx, func(tx *Tx) error {
		var there bool
		if err := tx.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?`, table).Scan(&there); err != nil || !there {
			return err
		}
		var v sql.NullInt64
		err := tx.QueryRow(`SELECT max(version_id) FROM ` + table + ` WHERE is_applied`).Scan(&v)
		version = v.Int64
		return err
	})
	return version, err
}

func newestVersion(migrations fs.FS) (int64, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, v)
	}
	if newest == 0 {
		return 0, fault.New(fault.Internal, "no .sql files")
	}
	return newest, nil
}
