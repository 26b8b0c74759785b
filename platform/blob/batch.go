package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// inMemory is the size up to which a blob is hashed and compressed in memory,
// so that one the store already has costs no write at all.
const inMemory = 1 << 20

// Batch collects blobs that become durable together. Put may be called from
// several goroutines; Commit and Discard end the batch and must be called when
// no Put runs.
type Batch struct {
	store *Store

	mu     sync.Mutex
	staged map[Digest]*staged // guarded by mu
	ended  bool               // guarded by mu
}

// staged is one blob of a batch: reserved by the first Put that needs it,
// complete when done is closed.
type staged struct {
	done  chan struct{}
	ok    bool // read only after done
	files []move
}

// move is a finished temporary file and where Commit puts it.
type move struct {
	temp     string
	encoding Encoding
}

// Batch begins a batch. End it with Commit or Discard; deferring Discard is
// right in both cases.
func (s *Store) Batch() *Batch {
	return &Batch{store: s, staged: map[Digest]*staged{}}
}

// Put reads r to its end and stages the bytes, compressed as well where
// compress asks for it and it pays. It returns the digest and the size of the
// identity bytes; the caller compares the size with what it expects. A blob that
// the store has in that size is not written again.
func (b *Batch) Put(ctx context.Context, r io.Reader, compress bool) (Digest, int64, error) {
	if b.over() {
		return "", 0, fault.New(fault.Internal, "put into a batch that has ended")
	}
	buf := b.store.packer.buffer()
	defer b.store.packer.release(buf)
	r = &reader{ctx: ctx, r: r}
	if _, err := io.Copy(buf, io.LimitReader(r, inMemory+1)); err != nil {
		return "", 0, readFault(err)
	}
	if buf.Len() > inMemory {
		return b.putLarge(ctx, buf.Bytes(), r, compress)
	}
	sum := sha256.Sum256(buf.Bytes())
	d, size := digestOf(sum[:]), int64(buf.Len())
	err := b.once(ctx, d, func(st *staged) error {
		return b.writeSmall(st, d, buf.Bytes(), compress)
	})
	return d, size, err
}

// putLarge streams to a temporary file first, as the digest is known only at
// the end, and compresses from there.
func (b *Batch) putLarge(ctx context.Context, head []byte, rest io.Reader, compress bool) (Digest, int64, error) {
	temp, f, err := b.store.temp()
	if err != nil {
		return "", 0, err
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, hash), io.MultiReader(bytes.NewReader(head), rest))
	if err = closing(f, err); err != nil {
		os.Remove(temp)
		return "", 0, readFault(err)
	}
	d := digestOf(hash.Sum(nil))
	used := false
	err = b.once(ctx, d, func(st *staged) error {
		var err error
		used, err = b.keepLarge(ctx, st, d, temp, size, compress)
		return err
	})
	if !used {
		os.Remove(temp)
	}
	return d, size, err
}

// once runs write for the first Put of a digest in this batch; the others wait
// for it and try themselves if it failed.
func (b *Batch) once(ctx context.Context, d Digest, write func(*staged) error) error {
	b.store.Use(d)
	for {
		b.mu.Lock()
		other, taken := b.staged[d]
		st := &staged{done: make(chan struct{})}
		if !taken {
			b.staged[d] = st
		}
		b.mu.Unlock()
		if !taken {
			return b.first(d, st, write)
		}
		select {
		case <-other.done:
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, ctx.Err(), "put")
		}
		if other.ok {
			return nil
		}
	}
}

func (b *Batch) first(d Digest, st *staged, write func(*staged) error) error {
	defer close(st.done)
	err := write(st)
	if st.ok = err == nil; st.ok {
		return nil
	}
	st.remove()
	b.mu.Lock()
	delete(b.staged, d)
	b.mu.Unlock()
	return err
}

// writeSmall writes what the store lacks of a blob whose bytes are in memory.
func (b *Batch) writeSmall(st *staged, d Digest, body []byte, compress bool) error {
	has, packed := b.store.holds(d, int64(len(body)))
	if compress && !packed {
		err := b.store.packer.pack(body, func(e Encoding, variant []byte) error {
			return b.write(st, e, variant)
		})
		if err != nil {
			return err
		}
	}
	if has {
		return nil
	}
	return b.write(st, Identity, body)
}

// keepLarge makes a temporary file part of the blob unless the store has it,
// and adds the variants. It tells whether the file is the batch's now.
func (b *Batch) keepLarge(ctx context.Context, st *staged, d Digest, temp string, size int64, compress bool) (used bool, err error) {
	has, packed := b.store.holds(d, size)
	if compress && !packed && size <= PackLimit {
		if err := b.packLarge(ctx, st, temp, size); err != nil {
			return false, err
		}
	}
	if !has {
		st.files = append(st.files, move{temp, Identity})
	}
	return !has, nil
}

func (b *Batch) packLarge(ctx context.Context, st *staged, temp string, size int64) error {
	for _, e := range packOrder() {
		kept, err := b.packFile(ctx, st, temp, size, e)
		if err != nil {
			return err
		}
		if !kept {
			return nil
		}
	}
	return nil
}

// packFile writes one variant of a large blob and tells whether it is worth
// keeping.
func (b *Batch) packFile(ctx context.Context, st *staged, temp string, size int64, e Encoding) (kept bool, err error) {
	src, err := os.Open(temp)
	if err != nil {
		return false, diskFault(err, "read back %q", temp)
	}
	defer src.Close()
	name, f, err := b.store.temp()
	if err != nil {
		return false, err
	}
	err = b.store.packer.stream(f, &reader{ctx: ctx, r: src}, e, size)
	var written int64
	if info, statErr := f.Stat(); statErr == nil {
		written = info.Size()
	}
	if err = closing(f, err); err != nil {
		os.Remove(name)
		return false, diskFault(err, "compress to %q", name)
	}
	if !worth(written, size) {
		return false, os.Remove(name)
	}
	st.files = append(st.files, move{name, e})
	return true, nil
}

func (b *Batch) write(st *staged, e Encoding, body []byte) error {
	temp, f, err := b.store.temp()
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = closing(f, err); err != nil {
		os.Remove(temp)
		return diskFault(err, "write %q", temp)
	}
	st.files = append(st.files, move{temp, e})
	return nil
}

// Discard removes what the batch wrote and was not committed. It is harmless
// after Commit: a committed blob may already be somebody else's too.
func (b *Batch) Discard() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for _, st := range b.staged {
		st.remove()
	}
	clear(b.staged)
}

func (b *Batch) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

func (st *staged) remove() {
	for _, m := range st.files {
		os.Remove(m.temp)
	}
	st.files = nil
}

// holds tells whether the store has a blob in the right size and whether its
// variants were made. Brotli is renamed last of the variants, so it stands for
// all of them.
func (s *Store) holds(d Digest, size int64) (has, packed bool) {
	n, ok := s.Stat(d, Identity)
	if !ok || n != size {
		return false, false
	}
	_, packed = s.Stat(d, Brotli)
	return true, packed
}

// temp creates an empty temporary file of the store.
func (s *Store) temp() (name string, f *os.File, err error) {
	name = filepath.Join(s.dir, tempFolder, fmt.Sprint(s.names.Add(1)))
	f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", nil, diskFault(err, "create %q", name)
	}
	return name, f, nil
}

// closing closes f and returns the first error.
func closing(f *os.File, err error) error {
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// readFault keeps the class that a source gave its error.
func readFault(err error) error {
	if kind := fault.KindOf(err); kind != fault.Internal {
		return fault.Wrap(kind, err, "read content")
	}
	return diskFault(err, "read content")
}
