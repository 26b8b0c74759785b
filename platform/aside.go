package platform

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/mail"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/usage"
)

const (
	recordName = "node.db"
	asideName  = recordName + ".damaged-"
	// checkedAlways is the size in bytes up to which the record is looked through
	// at every start, and not only after a bad end.
	checkedAlways = 16 << 20
)

// openRecord opens node.db. A file that is damaged is set aside, and an empty
// one takes its place: a node that follows a repository is whole again after
// its first pass, and any node can be told what to serve.
func (p *Platform) openRecord(ctx context.Context) error {
	if err := p.missRecord(); err != nil {
		return err
	}
	err := p.readRecord(ctx)
	if !sqlite.Damaged(err) {
		return err
	}
	return p.Replace(ctx, err)
}

// missRecord takes a record that is gone, beside data of apps, for one that was set
// aside: nobody knows any more whose the data is, so all of it stays.
func (p *Platform) missRecord() error {
	if _, err := os.Stat(filepath.Join(p.Dir, recordName)); !errors.Is(err, fs.ErrNotExist) || len(p.Aside()) > 0 {
		return nil
	}
	ids, err := p.Apps.List()
	if len(ids) == 0 || err != nil {
		return err
	}
	name := p.asideName(time.Now())
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return fault.Wrap(fault.Unavailable, err, "note that %q is gone", recordName)
	}
	p.log.Error("the node's record is gone, and what apps keep is there: an empty one takes its place",
		"component", "platform", "file", name, "lost", lostWithRecord)
	return syncFolder(p.Dir)
}

const lostWithRecord = "history, holds, trash and people"

// Replace sets the record aside, as reading it has shown that it is damaged, and
// opens an empty one. What the parts of the record were is not to be used any
// more.
func (p *Platform) Replace(ctx context.Context, why error) error {
	if p.DB != nil {
		_ = p.DB.Close() // what cannot be moved into the damaged file stays beside it
		p.DB = nil
	}
	name, err := p.setAside(time.Now())
	if err != nil {
		return errors.Join(why, err)
	}
	p.log.Error("the node's record is damaged: it was set aside, and an empty one takes its place",
		"component", "platform", "file", name, "lost", lostWithRecord, "error", why)
	return p.readRecord(ctx)
}

func (p *Platform) readRecord(ctx context.Context) (err error) {
	path := filepath.Join(p.Dir, recordName)
	if p.DB, err = sqlite.Open(ctx, path, sqlite.Options{}); err != nil {
		p.DB = nil
		return err
	}
	if info, err := os.Stat(path); p.unclean || err == nil && info.Size() <= checkedAlways {
		if err := p.DB.Check(ctx); err != nil {
			return err
		}
	}
	if p.Journal, err = journal.Open(ctx, p.DB); err != nil {
		return err
	}
	if p.Releases, err = release.Open(ctx, p.DB); err != nil {
		return err
	}
	if p.Usage, err = usage.Open(ctx, p.DB); err != nil {
		return err
	}
	if p.People, err = identity.Open(ctx, identity.Config{DB: p.DB, Key: filepath.Join(p.Dir, identity.KeyFile), Clock: p.Clock.Now, Sure: p.Clock.Sure, Log: p.log}); err != nil {
		return err
	}
	p.Mail, err = mail.Open(ctx, mail.Options{DB: p.DB, Sealer: p.People, Log: p.log, Now: p.Clock.Now})
	return err
}

// setAside renames the record and what SQLite keeps beside it, the log first:
// beside a new file it would be deleted.
func (p *Platform) setAside(now time.Time) (name string, err error) {
	name = p.asideName(now)
	for _, suffix := range []string{"-wal", "-shm", ""} {
		err := os.Rename(filepath.Join(p.Dir, recordName+suffix), name+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fault.Wrap(fault.Unavailable, err, "set %q aside", recordName)
		}
		failpoint.Reached("platform.aside")
	}
	return name, syncFolder(p.Dir)
}

// asideName is a name that nothing has yet.
func (p *Platform) asideName(now time.Time) string {
	for at := now.UTC(); ; at = at.Add(time.Second) {
		name := filepath.Join(p.Dir, asideName+at.Format("20060102T150405Z"))
		if taken, err := filepath.Glob(name + "*"); err == nil && len(taken) == 0 {
			return name
		}
	}
}

// Aside lists the damaged records that were set aside and that nobody has taken
// away, oldest first.
func (p *Platform) Aside() []string {
	names, err := filepath.Glob(filepath.Join(p.Dir, asideName+"*"))
	if err != nil { // the pattern is good
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return strings.HasSuffix(name, "-wal") || strings.HasSuffix(name, "-shm")
	})
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "sync %q", dir)
	}
	return nil
}
