package blob

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fazt-sh/fazt/platform/failpoint"
)

// Hold keeps every blob that is used from now on where it is, until release is
// called, once or more often. Whoever looks up what the store has, to refer to
// it later, holds until the reference is written down.
func (s *Store) Hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders++
	done := false
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !done {
			done = true
			s.holders--
			s.forgetLocked()
		}
	}
}

// Use says under a Hold that a blob is about to be referred to. Ask for it
// before Stat: a blob that is there then stays. Put uses what it puts.
func (s *Store) Use(d Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders > 0 {
		s.inHand[d] = true
	}
}

// forgetLocked lets go of what was used once nobody holds, unless a sweep does
// not know yet what came of it.
func (s *Store) forgetLocked() {
	if s.holders == 0 && s.sweeps == 0 {
		clear(s.inHand)
	}
}

// Swept is what a sweep took away, and what it left for the next one.
type Swept struct {
	Blobs  int   // removed
	Bytes  int64 // of them and their variants
	Unused int   // without a use, and still there
}

// Sweep removes the blobs that nothing refers to. mark is asked once for a
// test of what is in use; a blob goes if it fails the test in two sweeps in a
// row, as an answer in flight may still need what has just gone out of use. With
// sure it goes at once: for a store that nobody reads yet, or a disk that is
// full. What is used under a Hold meanwhile stays.
func (s *Store) Sweep(ctx context.Context, mark func(context.Context) (func(Digest) bool, error), sure bool) (Swept, error) {
	s.mu.Lock()
	before := s.unused
	s.sweeps++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sweeps--
		s.forgetLocked()
	}()
	used, err := mark(ctx)
	if err != nil {
		return Swept{}, err
	}
	var out Swept
	unused, last := map[Digest]bool{}, Digest("")
	err = s.each(ctx, func(d Digest) error {
		if d == last || used(d) {
			return nil // of the variants of one that has just gone, too
		}
		if !sure && !before[d] {
			unused[d] = true
			return nil
		}
		bytes, gone, err := s.discard(d)
		if !gone {
			unused[d] = true
			return err
		}
		last = d
		out.Blobs++
		out.Bytes += bytes
		return err
	})
	s.mu.Lock()
	s.unused = unused
	s.mu.Unlock()
	out.Unused = len(unused)
	return out, err
}

// discard removes a blob unless somebody is about to refer to it.
func (s *Store) discard(d Digest) (bytes int64, gone bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inHand[d] {
		return 0, false, nil
	}
	for _, e := range [...]Encoding{Identity, Brotli, Zstd, Gzip} {
		size, _ := s.Stat(d, e)
		bytes += size
	}
	failpoint.Reached("blob.sweep")
	err = s.Remove(d)
	return bytes, err == nil, err
}

// each visits every blob of the store, all files of one in a row. Files that are no blobs are
// left alone.
func (s *Store) each(ctx context.Context, visit func(Digest) error) error {
	return filepath.WalkDir(s.dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && os.IsNotExist(err):
			return nil
		case err != nil:
			return diskFault(err, "look through %q", s.dir)
		case entry.IsDir() && entry.Name() == tempFolder:
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		base, suffix, _ := strings.Cut(entry.Name(), ".")
		d := Digest(filepath.Base(filepath.Dir(name)) + base)
		if !d.Valid() {
			return nil
		}
		if suffix != "" { // a variant goes with its blob, and alone only if that is gone
			if _, there := s.Stat(d, Identity); there {
				return nil
			}
		}
		return visit(d)
	})
}
