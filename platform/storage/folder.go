package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// folder holds the bytes of files: files/ab/cdef…, each under a random name that
// is used once, so what is there never changes. Which of them count says the
// database. The mark is there while somebody may be changing something: found at
// an opening, it tells of a crash, and of names that no row has.
type folder struct {
	dir string

	mu      sync.Mutex
	marked  bool            // guarded by mu
	stuck   bool            // something could not be removed; guarded by mu
	shards  map[string]bool // folders that are on the disk; guarded by mu
	readers int             // backups that want everything as it is; guarded by mu
	waiting []string        // what to remove when they are done; guarded by mu
}

const (
	markName = ".dirty"
	tempName = ".tmp"
)

func (f *folder) path(name string) string { return filepath.Join(f.dir, name[:2], name[2:]) }

// stored is a blob that is on the disk, and that no row names yet.
type stored struct {
	name, etag string
	size       int64
}

// write keeps what r has under a new name. More than most bytes (-1: no bound) are
// refused, and nothing stays.
func (f *folder) write(ctx context.Context, r io.Reader, most int64) (s stored, err error) {
	s.name = newName()
	if err := f.begin(s.name[:2]); err != nil {
		return s, err
	}
	temp := filepath.Join(f.dir, tempName, s.name)
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return s, diskFault(err, "write a file")
	}
	hash := sha256.New()
	s.size, err = pour(ctx, out, io.TeeReader(r, hash), most)
	if err == nil {
		if err = out.Sync(); err != nil {
			err = diskFault(err, "write a file")
		}
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = f.publish(temp, s.name)
	}
	if err != nil {
		os.Remove(temp)
		return s, err
	}
	s.etag = hex.EncodeToString(hash.Sum(nil))
	return s, nil
}

func (f *folder) publish(temp, name string) error {
	if err := os.Rename(temp, f.path(name)); err != nil {
		return diskFault(err, "write a file")
	}
	return syncDir(filepath.Dir(f.path(name)))
}

// pour copies until r ends, the context does, or there is more than most.
func pour(ctx context.Context, w io.Writer, r io.Reader, most int64) (n int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return n, context.Cause(ctx)
		}
		k, err := r.Read(buf)
		if n += int64(k); most >= 0 && n > most {
			return n, overQuota(most)
		}
		if _, err := w.Write(buf[:k]); err != nil {
			return n, diskFault(err, "write a file")
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// begin marks the folder, and makes the folder of a shard.
func (f *folder) begin(shard string) error {
	if err := f.mark(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shards[shard] {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(f.dir, shard), 0o700); err != nil {
		return diskFault(err, "write a file")
	}
	if err := syncDir(f.dir); err != nil {
		return err
	}
	f.shards[shard] = true
	return nil
}

// mark comes before whatever a crash could leave half done.
func (f *folder) mark() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.marked {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(f.dir, tempName), 0o700); err != nil {
		return diskFault(err, "write a file")
	}
	if err := os.WriteFile(filepath.Join(f.dir, markName), nil, 0o600); err != nil {
		return diskFault(err, "write a file")
	}
	for _, d := range []string{f.dir, filepath.Dir(f.dir)} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	f.marked, f.shards = true, map[string]bool{}
	return nil
}

// settle ends an orderly use of the folder.
func (f *folder) settle() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.marked || f.stuck || len(f.waiting) > 0 {
		return nil
	}
	f.marked = false
	return os.Remove(filepath.Join(f.dir, markName))
}

// remove deletes blobs that no row names any more. What cannot be removed leaves the
// mark, and is found at the next opening; what a backup reads waits for it.
func (f *folder) remove(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readers > 0 {
		f.waiting = append(f.waiting, names...)
		return
	}
	for _, name := range names {
		if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.stuck = true
		}
	}
}

// hold keeps every blob until the function it returns is called.
func (f *folder) hold() (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers++
	return sync.OnceFunc(func() {
		f.mu.Lock()
		f.readers--
		var names []string
		if f.readers == 0 {
			names, f.waiting = f.waiting, nil
		}
		f.mu.Unlock()
		f.remove(names...)
	})
}

// open opens a part of a blob.
func (f *folder) open(name string, offset, length int64) (io.ReadCloser, error) {
	file, err := os.Open(f.path(name))
	if err != nil {
		return nil, err
	}
	return section{io.NewSectionReader(file, offset, length), file}, nil
}

type section struct {
	*io.SectionReader
	io.Closer
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return diskFault(err, "sync %q", dir)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return diskFault(err, "sync %q", dir)
	}
	return nil
}

func missingBytes(key string, err error) error {
	return fault.Wrap(fault.Internal, err, "the bytes of the file %q are not there", key).WithHint("restore a backup")
}
