package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// keepers are the apps in service that keep data.
func (n *node) keepers(ctx context.Context) (apps []spec.Object, err error) {
	objects, err := n.edge.Observe(ctx)
	for _, o := range objects {
		if o.Kind == spec.KindApp && o.Data != "" {
			apps = append(apps, o)
		}
	}
	return apps, err
}

// backup makes a backup of an app and restores it as a test. That this failed is
// written down beside it, and no error: it may be all there is.
func (n *node) backup(ctx context.Context, o spec.Object, by string, scheduled bool) (b backupView, err error) {
	n.shelf.making.Lock()
	defer n.shelf.making.Unlock()
	if err := n.roomForBackup(ctx, o); err != nil {
		return b, err
	}
	b = backupView{App: o.Name, Time: n.ground.Clock.Now().UTC().Truncate(time.Second), By: by, Scheduled: scheduled}
	b, err = n.shelf.put(b, func(w io.Writer) error { return n.pack(ctx, o, kindBackup, w) })
	if err != nil {
		return b, err
	}
	_, b, err = n.prove(ctx, b)
	return b, err
}

// backupFactor is how often what an app keeps is on the disk while it is backed up:
// the copy of the database, the archive, what is unpacked of it, and the test.
const backupFactor = 4

func (n *node) roomForBackup(ctx context.Context, o spec.Object) error {
	data, release, err := n.openData(ctx, o)
	if err != nil {
		return err
	}
	defer release()
	u, err := data.Usage(ctx)
	if err != nil {
		return err
	}
	return n.roomFor(backupFactor * (u.Database + u.Files))
}

// prove restores a backup of the node as a test, and writes down how that was.
func (n *node) prove(ctx context.Context, b backupView) (backupVerifyOut, backupView, error) {
	f, err := os.Open(n.shelf.path(b.ID, backupEnding))
	if err != nil {
		return backupVerifyOut{}, b, shelfFault(err)
	}
	defer f.Close()
	out, err := n.tryRestore(ctx, f, b.Size)
	if kind := fault.KindOf(err); err != nil && kind != fault.Invalid {
		return out, b, err // it says nothing of the backup
	}
	b.Verified, b.Problem = n.ground.Clock.Now().UTC().Truncate(time.Second), ""
	if err != nil {
		b.Verified, b.Problem = time.Time{}, err.Error()
		n.cfg.log.Error("a backup cannot be restored", "backup", b.ID, "error", err)
	}
	if b.Time.IsZero() || b.By == "" { // what was known of it is lost
		b.Time = out.Time
	}
	return out, b, n.shelf.note(b)
}

// tryRestore restores an archive as a node would, into a folder of its own.
func (n *node) tryRestore(ctx context.Context, r io.Reader, size int64) (out backupVerifyOut, err error) {
	u, err := n.unpack(ctx, r, size, false)
	if err != nil {
		return out, err
	}
	defer u.Close()
	out = backupVerifyOut{App: u.head.App, Kind: u.head.Kind, Time: u.head.Time, Version: u.head.Version, Rows: map[string]int64{}, Size: size}
	if u.head.Kind == kindExport {
		if err := u.checkBlobs(); err != nil {
			return out, err
		}
	}
	if u.data() == "" {
		return out, nil
	}
	m, err := storage.Verify(ctx, u.data())
	if err != nil {
		return out, err
	}
	failpoint.Reached("backup.verified")
	out.Rows, out.Files = m.Rows, len(m.Files)
	pool := storage.NewPool(filepath.Join(u.dir, "restored"), storage.Options{})
	data, err := pool.Restore(ctx, u.data(), "test", storage.Settings{})
	if err != nil {
		return out, errors.Join(err, pool.Close())
	}
	data.Close()
	return out, pool.Close()
}
