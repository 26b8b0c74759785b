package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Manifest says what a backup holds: the folder has data.db, files/ as an app's own
// has it, and manifest.json, which is this.
type Manifest struct {
	Format   int              `json:"format"` // 1
	App      string           `json:"app"`    // it was made of
	Time     time.Time        `json:"time"`   // at which it began; everything acknowledged before is in it
	Database BackupFile       `json:"database"`
	Rows     map[string]int64 `json:"rows"` // by table
	Files    []BackupFile     `json:"files"`
}

// BackupFile is one file of a backup.
type BackupFile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

const (
	manifestName = "manifest.json"
	databaseName = "data.db"
	filesName    = "files"
)

// Backup copies what the app keeps into a new folder, which is there when it is
// complete: the database as of one moment while writers go on, and its files, linked
// where the disk can, since they never change. The key that the app signs with is not
// in it: whoever gets hold of a backup must not be able to sign. The error's kind is
// Conflict if there is something at dir.
func (a *App) Backup(ctx context.Context, dir string) (m Manifest, err error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return m, fault.New(fault.Conflict, "there is something at %q already", dir).WithSubject(dir)
	}
	temp := dir + ".partial"
	defer os.RemoveAll(temp)
	if err := freshDir(temp); err != nil {
		return m, err
	}
	m = Manifest{Format: 1, App: a.id, Time: time.Now().UTC(), Files: []BackupFile{}}
	defer a.bytes.hold()() // before the database is copied: what that names must not go
	if err := a.db.Backup(ctx, filepath.Join(temp, databaseName)); err != nil {
		return m, err
	}
	if err := forgetSecrets(ctx, filepath.Join(temp, databaseName)); err != nil {
		return m, err
	}
	if err := m.describe(ctx, temp); err != nil {
		return m, err
	}
	if err := transfer(ctx, m.Files, a.bytes.dir, filepath.Join(temp, filesName)); err != nil {
		return m, err
	}
	b, err := json.MarshalIndent(m, "", "\t")
	if err == nil {
		err = writeSynced(filepath.Join(temp, manifestName), b)
	}
	if err != nil {
		return m, err
	}
	return m, settleDir(temp, dir)
}

// describe fills in what the copy of the database holds.
func (m *Manifest) describe(ctx context.Context, dir string) error {
	path := filepath.Join(dir, databaseName)
	err := within(ctx, path, func(tx *sqlite.Tx) (err error) {
		if m.Rows, err = countRows(tx); err != nil {
			return err
		}
		m.Files, err = namedFiles(tx)
		return err
	})
	if err != nil {
		return err
	}
	m.Database, err = hashFile(ctx, path)
	return err
}

// forgetSecrets overwrites the keys of the app in a copy of its database.
func forgetSecrets(ctx context.Context, path string) error {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Reserved: reserved, Readers: 1})
	if err != nil {
		return err
	}
	err = db.Write(ctx, func(tx *sqlite.Tx) error {
		for _, statement := range []string{`PRAGMA secure_delete = ON`, `DELETE FROM fazt_secret`} {
			if _, err := tx.Exec(statement); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, db.Close())
}

// within runs fn on a database that is nobody else's.
func within(ctx context.Context, path string, fn func(*sqlite.Tx) error) error {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Reserved: reserved, Readers: 1})
	if err != nil {
		return err
	}
	return errors.Join(db.Read(ctx, fn), db.Close())
}

// namedFiles lists the bytes that rows name.
func namedFiles(tx *sqlite.Tx) ([]BackupFile, error) {
	files := []BackupFile{}
	rows, err := tx.Query(`SELECT blob, etag, size FROM fazt_file UNION ALL SELECT blob, etag, size FROM fazt_part ORDER BY blob`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f BackupFile
		if err := rows.Scan(&f.Name, &f.SHA256, &f.Size); err != nil {
			return nil, err
		}
		f.Name = blobPath(f.Name)
		files = append(files, f)
	}
	return files, rows.Err()
}

// countRows counts every table: ours as we, the app's as its guest.
func countRows(tx *sqlite.Tx) (map[string]int64, error) {
	names, err := column[string](tx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, name := range names {
		if counts[name], err = countTable(tx, name); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// Verify checks a backup: the bytes of the database and of every file, the structure
// of the database, its foreign keys, and that it has the rows and files it had. The
// error's kind is Invalid, and names what is wrong. The folder must be writable.
func Verify(ctx context.Context, dir string) (m Manifest, err error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return m, fault.Wrap(fault.Invalid, err, "%q is no backup", dir).WithSubject(dir)
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Format != 1 {
		return m, fault.New(fault.Invalid, "the manifest of %q is not one that this fazt reads", dir).WithSubject(dir)
	}
	if m.Database.Name != databaseName {
		return m, damaged(m.Database.Name, "is no name of a database")
	}
	for _, f := range append([]BackupFile{m.Database}, m.Files...) {
		if err := verifyFile(ctx, dir, f); err != nil {
			return m, err
		}
	}
	return m, within(ctx, filepath.Join(dir, databaseName), func(tx *sqlite.Tx) error { return m.verifyRows(tx) })
}

func verifyFile(ctx context.Context, dir string, want BackupFile) error {
	path := filepath.Join(dir, databaseName)
	if want.Name != databaseName {
		if !isBlobPath(want.Name) {
			return damaged(want.Name, "is no name of a file")
		}
		path = filepath.Join(dir, filesName, want.Name)
	}
	got, err := hashFile(ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return damaged(want.Name, "is not there")
	case err != nil:
		return err
	case got.Size != want.Size || got.SHA256 != want.SHA256:
		return damaged(want.Name, "has other bytes than were written")
	}
	return nil
}

func (m Manifest) verifyRows(tx *sqlite.Tx) error {
	found, err := column[string](tx, `PRAGMA integrity_check(3)`)
	if err != nil {
		return err
	}
	if len(found) != 1 || found[0] != "ok" {
		return damaged(databaseName, "is damaged: "+found[0])
	}
	if err := checkForeignKeys(tx); err != nil {
		return damaged(databaseName, err.Error())
	}
	counts, err := countRows(tx)
	if err != nil {
		return err
	}
	for name, n := range counts {
		if was, ok := m.Rows[name]; !ok || was != n || len(counts) != len(m.Rows) {
			return damaged(databaseName, "has other rows than it had in "+name)
		}
	}
	files, err := namedFiles(tx)
	if err != nil {
		return err
	}
	if len(files) != len(m.Files) {
		return damaged(manifestName, "lists other files than the database")
	}
	for i, f := range files {
		if f != m.Files[i] {
			return damaged(manifestName, "lists other files than the database")
		}
	}
	return nil
}

func damaged(name, what string) error {
	return fault.New(fault.Invalid, "%s of the backup %s", name, what).WithSubject(name).WithHint("take another backup")
}

func hashFile(ctx context.Context, path string) (f BackupFile, err error) {
	in, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer in.Close()
	hash := sha256.New()
	f.Name = filepath.Base(path)
	f.Size, err = pour(ctx, hash, io.Reader(in), -1)
	f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return f, err
}
