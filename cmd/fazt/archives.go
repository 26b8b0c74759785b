package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/archive"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// What an archive of an app is, and what its pieces are called. An export has the
// files and the program of the app too, so that another node can serve it.
const (
	kindBackup = "backup"
	kindExport = "export"

	objectPiece = "app.json"
	dataPieces  = "data/"
	blobPieces  = "blob/"

	mostObject = 64 << 20 // bytes of an object with its file list: 50,000 files are 12 MB
)

// object finds an app in service or in the trash.
func (n *node) object(ctx context.Context, name string) (spec.Object, error) {
	addr, err := n.addrOf(ctx, name)
	if err != nil {
		return spec.Object{}, err
	}
	o, served, err := n.observe(ctx, addr)
	if served || err != nil {
		return o, err
	}
	p, err := n.parked(ctx, string(addr))
	if err != nil {
		return spec.Object{}, fault.New(fault.NotFound, "%s was never in service", name).WithSubject(name).WithHint("fazt app show %s says why", name)
	}
	return objectOf(p.Object)
}

// openData opens what an app keeps, as it is open already where the app is in
// service: a second opinion on its quota would be the one that counts.
func (n *node) openData(ctx context.Context, o spec.Object) (*storage.App, func(), error) {
	if o.Data == "" {
		return nil, nil, fault.New(fault.NotFound, "%s keeps nothing", o.Name).WithSubject(o.Name).WithHint("fazt app export %s has its files", o.Name)
	}
	if b, err := n.edge.Backend(o.Addr); err == nil && b.Store != nil && b.Store.ID() == o.Data {
		return b.Store, b.Close, nil
	} else if err == nil {
		b.Close()
	}
	a, err := n.ground.Apps.Open(ctx, o.Data, storage.Settings{})
	if err != nil {
		return nil, nil, err
	}
	return a, a.Close, nil
}

// pack writes an app as an archive: its declaration as it is served, what it keeps as
// of one moment, and for an export the bytes of its release.
func (n *node) pack(ctx context.Context, o spec.Object, kind string, w io.Writer) error {
	temp, err := os.MkdirTemp(n.ground.Temp, "pack-")
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "pack %s", o.Name)
	}
	defer os.RemoveAll(temp)
	head := archive.Head{Kind: kind, App: o.Name, Time: n.ground.Clock.Now().UTC(), Version: version}
	var m storage.Manifest
	if o.Data != "" {
		if m, err = n.copyData(ctx, o, filepath.Join(temp, "data")); err != nil {
			return err
		}
	}
	defer n.ground.Blobs.Hold()() // what the release has must not be swept meanwhile
	a, err := archive.NewWriter(&patientWriter{ctx, w}, head)
	if err != nil {
		return err
	}
	if err := a.AddJSON(objectPiece, o); err != nil {
		return err
	}
	if kind == kindExport {
		if err := n.packBlobs(a, o.Content); err != nil {
			return err
		}
	}
	if o.Data != "" {
		if err := packData(a, filepath.Join(temp, "data"), m); err != nil {
			return err
		}
	}
	return a.Close()
}

func (n *node) copyData(ctx context.Context, o spec.Object, dir string) (storage.Manifest, error) {
	data, release, err := n.openData(ctx, o)
	if err != nil {
		return storage.Manifest{}, err
	}
	defer release()
	return data.Backup(ctx, dir)
}

// packData adds a backup's files, in the order of their names.
func packData(a *archive.Writer, dir string, m storage.Manifest) error {
	names := []string{m.Database.Name}
	for _, f := range m.Files {
		names = append(names, "files/"+f.Name)
	}
	for _, name := range append(names, "manifest.json") {
		if err := a.AddFile(dataPieces+name, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	return nil
}

// digests lists the blobs of a release, each once, in order.
func digests(c *spec.Content) (list []string) {
	if c == nil {
		return nil
	}
	for _, f := range c.Files {
		list = append(list, f.Blob)
	}
	list = append(list, c.Program.Blobs()...)
	slices.Sort(list)
	return slices.Compact(list)
}

func (n *node) packBlobs(a *archive.Writer, c *spec.Content) error {
	for _, d := range digests(c) {
		if err := n.packBlob(a, blob.Digest(d)); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) packBlob(a *archive.Writer, d blob.Digest) error {
	size, there := n.ground.Blobs.Stat(d, blob.Identity)
	f, err := n.ground.Blobs.Open(d, blob.Identity)
	if err != nil || !there {
		return fault.Wrap(fault.Internal, cmp.Or(err, errNoBytes), "a file of the release is lost")
	}
	defer f.Close()
	return a.Add(blobPieces+string(d[:2])+"/"+string(d[2:]), size, f)
}

var errNoBytes = errors.New("its bytes are not there")

// patientWriter writes until its context ends.
type patientWriter struct {
	ctx context.Context
	w   io.Writer
}

// Write implements io.Writer.
func (p *patientWriter) Write(b []byte) (int, error) {
	if p.ctx.Err() != nil {
		return 0, fault.Wrap(fault.Unavailable, context.Cause(p.ctx), "pack an app")
	}
	return p.w.Write(b)
}

// unpacked is an archive of an app that is whole, in a folder. Close removes it.
type unpacked struct {
	head   archive.Head
	object spec.Object
	dir    string
	own    bool // the node made it of what it served itself
}

// Close removes the folder.
func (u *unpacked) Close() { _ = os.RemoveAll(u.dir) }

// data is where the backup of the app's data is, empty where it has none.
func (u *unpacked) data() string {
	if u.object.Data == "" {
		return ""
	}
	return filepath.Join(u.dir, "data")
}

// unpack reads an archive into a folder. Nothing is believed of it: it cannot have
// more bytes than its file, and must be whole to be looked at.
func (n *node) unpack(ctx context.Context, r io.Reader, size int64, durable bool) (_ *unpacked, err error) {
	if err := n.roomFor(2 * size); err != nil { // it and what is made of it
		return nil, err
	}
	u := &unpacked{}
	if u.dir, err = os.MkdirTemp(n.ground.Temp, "unpack-"); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "unpack an archive")
	}
	defer func() {
		if err != nil {
			u.Close()
		}
	}()
	a, err := archive.NewReader(r, archive.Limits{Bytes: size})
	if err != nil {
		return nil, err
	}
	u.head = a.Head()
	err = a.Unpack(ctx, u.dir, durable, func(name string) (bool, error) {
		if name == objectPiece {
			return true, a.JSON(mostObject, &u.object)
		}
		if !strings.HasPrefix(name, dataPieces) && !strings.HasPrefix(name, blobPieces) {
			return false, notAnApp("it has a piece %q", name)
		}
		return false, nil
	})
	if fault.KindOf(err) == fault.Exhausted {
		err = fault.New(fault.Invalid, "the archive is not whole: it speaks of more bytes than its file has").WithHint("use another backup: fazt backup list")
	}
	if err == nil {
		err = u.check()
	}
	return u, err
}

// check judges the object as the node's own record is judged.
func (u *unpacked) check() error {
	o := u.object
	digest, err := spec.Digest(o.Kind, o.Spec)
	switch {
	case u.head.Kind != kindBackup && u.head.Kind != kindExport:
		return notAnApp("it is %q", u.head.Kind)
	case err != nil || digest != o.Digest || o.Kind != spec.KindApp || o.Name != o.Addr.Name() || o.Name != u.head.App:
		return notAnApp("its declaration is not one")
	case o.Content == nil:
		return notAnApp("its declaration has no files")
	}
	return nil
}

func notAnApp(format string, args ...any) error {
	return fault.New(fault.Invalid, "the archive is not that of an app: "+format, args...)
}

// takeBlobs puts the files of an exported app into the node's store. Those that are
// in the archive under another name than their own refuse it.
func (n *node) takeBlobs(ctx context.Context, u *unpacked) error {
	batch := n.ground.Blobs.Batch()
	defer batch.Discard()
	for _, d := range digests(u.object.Content) {
		if !digestForm.MatchString(d) {
			return notAnApp("%q names no file", d)
		}
		if err := n.takeBlob(ctx, batch, u.blob(d), blob.Digest(d)); err != nil {
			return err
		}
	}
	return batch.Commit()
}

func (n *node) takeBlob(ctx context.Context, batch *blob.Batch, path string, want blob.Digest) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it may be in the store, or in the repository
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "read an archive")
	}
	defer f.Close()
	got, _, err := batch.Put(ctx, f, true)
	if err == nil && got != want {
		err = notAnApp("a file has other bytes than its name says")
	}
	return err
}

// roomFor refuses what would fill the disk.
func (n *node) roomFor(bytes int64) error {
	disk, err := n.ground.Disk()
	if err != nil || bytes <= 0 {
		return nil // nobody knows
	}
	left := disk
	left.Free -= min(left.Free, uint64(bytes))
	if left.Low() {
		return fault.New(fault.Exhausted, "the disk has %s free, and this takes %s", size(int64(disk.Free)), size(bytes)).
			WithHint("make room: fazt backup list shows what is kept")
	}
	return nil
}
