package edge

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// fetch is one distinct file the store does not have yet, and its bytes or why there are none.
type fetch struct {
	app  *candidate // the first that needs it
	file spec.File
	err  error
}

// importFiles brings the bytes of changed apps into the store, each distinct
// file once, several at a time, durable when it returns. It fills Blob and
// judges sizes; bytes that are missing or not what the manifest says are a
// fault of the apps that need them.
func (p *passing) importFiles(ctx context.Context) error {
	wanted, order := p.missing(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(order) == 0 {
		return nil
	}
	batch := p.server.config.Blobs.Batch()
	defer batch.Discard() // what a full disk did not let it keep, too
	if err := p.fetchAll(ctx, batch, order); err != nil {
		return err
	}
	if err := batch.Commit(); err != nil {
		return err
	}
	p.deliver(wanted)
	return nil
}

// missing fills in every Blob the node has already and returns the rest by git
// id, and in order.
func (p *passing) missing(ctx context.Context) (map[string]*fetch, []*fetch) {
	everywhere := sync.OnceValue(p.everywhere)
	each(len(p.apps), func(i int) {
		if c := &p.apps[i]; c.pending() && ctx.Err() == nil {
			p.resolve(c, everywhere)
		}
	})
	wanted := map[string]*fetch{}
	var order []*fetch
	for i := range p.apps {
		c := &p.apps[i]
		for _, file := range c.missing {
			if wanted[file.ID] == nil {
				wanted[file.ID] = &fetch{app: c, file: *file}
				order = append(order, wanted[file.ID])
			}
		}
	}
	return wanted, order
}

// resolve looks up what the node has of an app. At boot it must be all.
func (p *passing) resolve(c *candidate, everywhere func() map[string]string) {
	known := sync.OnceValue(func() map[string]string {
		if c.current == nil { // new, or under a new name
			return everywhere()
		}
		ids := make(map[string]string, len(c.current.content.Files))
		for _, f := range c.current.content.Files {
			ids[f.ID] = f.Blob
		}
		return ids
	})
	for i := range c.content.Files {
		file := &c.content.Files[i]
		if p.have(file, known) {
			continue
		}
		if p.desired.Files == nil {
			c.missing = nil
			c.fail(fault.New(fault.NotFound, "the bytes of %q are not in the store, or damaged", file.Path))
			return
		}
		file.Blob = ""
		c.missing = append(c.missing, file)
	}
}

// have looks for a file's bytes in the store under the digest its manifest
// has, or the digest the node remembers for its git id.
func (p *passing) have(file *spec.File, known func() map[string]string) bool {
	if p.stored(file.Blob, file.Size) {
		return true
	}
	remembered := known()[file.ID]
	if remembered == "" || remembered == file.Blob || !p.stored(remembered, file.Size) {
		return false
	}
	file.Blob = remembered
	return true
}

func (p *passing) stored(digest string, size int64) bool {
	if digest == "" {
		return false
	}
	p.server.config.Blobs.Use(blob.Digest(digest))
	found, ok := p.server.config.Blobs.Stat(blob.Digest(digest), "")
	if ok && found == size && p.desired.Verify {
		ok = p.server.config.Blobs.Scrub(blob.Digest(digest), nil) == nil
	}
	return ok && found == size
}

// everywhere indexes all files being served by their git id.
func (p *passing) everywhere() map[string]string {
	all := map[string]string{}
	for _, s := range p.old.sites {
		for _, f := range s.content.Files {
			all[f.ID] = f.Blob
		}
	}
	return all
}

// fetchAll reads the missing files into the batch. The error is one of the
// store or the context; a source's error stays with its file.
func (p *passing) fetchAll(ctx context.Context, batch *blob.Batch, order []*fetch) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	inline := packsInline(order)
	each(len(order), func(i int) {
		if ctx.Err() != nil {
			return
		}
		if err := p.fetchOne(ctx, batch, order[i], inline); err != nil {
			cancel(err)
		}
	})
	return context.Cause(ctx)
}

func (p *passing) fetchOne(ctx context.Context, batch *blob.Batch, f *fetch, inline bool) error {
	from, err := p.desired.Files(*f.app.object, f.file.Path)
	if err != nil {
		f.err = fault.Wrap(fault.KindOf(err), err, "reading %q", f.file.Path)
		return nil
	}
	defer from.Close()
	// One byte more than promised is enough to see a lie.
	source := &witness{r: io.LimitReader(from, f.file.Size+1)}
	digest, size, err := batch.Put(ctx, source, inline && static.Compressible(f.file.Path))
	switch {
	case source.err != nil:
		f.err = fault.Wrap(fault.KindOf(source.err), source.err, "reading %q", f.file.Path)
	case err != nil:
		return err
	case size != f.file.Size:
		f.err = fault.New(fault.Invalid, "%q is not the %d bytes its manifest says", f.file.Path, f.file.Size)
	default:
		f.file.Blob = string(digest)
	}
	return nil
}

// Mend brings the bytes of a file that is being served into the store again. The
// error's kind is Invalid if they are not those of the file.
func (s *Server) Mend(ctx context.Context, file spec.File, from io.Reader) error {
	defer s.config.Blobs.Hold()()
	batch := s.config.Blobs.Batch()
	defer batch.Discard()
	digest, _, err := batch.Put(ctx, io.LimitReader(from, file.Size+1), static.Compressible(file.Path))
	if err != nil {
		return err
	}
	if string(digest) != file.Blob {
		return fault.New(fault.Invalid, "these are other bytes than those of %q", file.Path)
	}
	return batch.Commit()
}

// witness remembers that reading failed, to tell a source's error from the
// store's.
type witness struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (w *witness) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// deliver hands the digests to all who waited.
func (p *passing) deliver(wanted map[string]*fetch) {
	for i := range p.apps {
		c := &p.apps[i]
		for _, file := range c.missing {
			f := wanted[file.ID]
			if f.err != nil {
				c.fail(f.err)
				break
			}
			if f.file.Size != file.Size {
				c.fail(fault.New(fault.Invalid, "%q has two sizes in one revision", file.Path))
				break
			}
			file.Blob = f.file.Blob
		}
	}
}

// workersMost bounds what runs at once: beyond it a disk is only slower.
const workersMost = 8

// each calls f for 0..n-1 on a few goroutines and returns when all are done.
func each(n int, f func(int)) {
	workers := min(n, workersMost, 2*runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	group.Wait()
}
