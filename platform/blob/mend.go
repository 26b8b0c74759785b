package blob

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Reject removes the file of one encoding, as its bytes are not those of the
// blob. The others stay: each stands for itself.
func (s *Store) Reject(d Digest, e Encoding) {
	if d.Valid() && e.known() {
		_ = os.Remove(s.path(d, e)) // what cannot be removed is found unsound again
	}
}

// Mend writes the identity bytes of a blob again out of one of its variants, and
// reports whether there was a sound one.
func (s *Store) Mend(d Digest) bool {
	for _, e := range [...]Encoding{Gzip, Zstd, Brotli} {
		if _, there := s.Stat(d, e); there && s.unpack(d, e) == nil {
			return true
		}
	}
	return false
}

// unpack makes the identity file of what a variant decodes to.
func (s *Store) unpack(d Digest, e Encoding) error {
	src, err := s.Open(d, e)
	if err != nil {
		return err
	}
	defer src.Close()
	r, err := decode(src, e)
	if err != nil {
		return err
	}
	defer r.Close()
	temp, f, err := s.temp()
	if err != nil {
		return err
	}
	defer os.Remove(temp) // gone, once it is in its place
	hash := sha256.New()
	if _, err = io.Copy(io.MultiWriter(f, hash), io.LimitReader(r, PackLimit+1)); err == nil {
		err = f.Sync()
	}
	if err = closing(f, err); err != nil {
		return err
	}
	if digestOf(hash.Sum(nil)) != d {
		return damaged(d, e, errors.New("its bytes have another digest"))
	}
	name := s.path(d, Identity)
	if err := os.Rename(temp, name); err != nil {
		return err
	}
	return syncFile(filepath.Dir(name))
}

// Scrub reads a blob and its variants again, as fast as pace lets it: that is
// told how many bytes were read and decoded, and may end it with an error, which
// is wrapped as Unavailable. A variant that is damaged is removed; the bytes themselves are
// written again out of a variant where they are, and otherwise removed: then the
// error's kind is Internal, or NotFound if they were missing.
func (s *Store) Scrub(d Digest, pace func(bytes int) error) error {
	size, err := s.verify(d, Identity, -1, pace)
	kind := fault.KindOf(err)
	bad := kind == fault.Internal || kind == fault.NotFound
	if err != nil && !bad {
		return err
	}
	if bad {
		s.Reject(d, Identity)
		size = PackLimit
	}
	for _, e := range [...]Encoding{Brotli, Zstd, Gzip} {
		if _, there := s.Stat(d, e); !there {
			continue
		}
		_, failed := s.verify(d, e, size, pace)
		switch fault.KindOf(failed) {
		case "", fault.NotFound:
		case fault.Internal:
			s.Reject(d, e)
		default:
			return failed
		}
	}
	if bad && s.Mend(d) {
		return nil
	}
	return err
}

// paced reads no faster than it is allowed to.
type paced struct {
	r    io.Reader
	pace func(bytes int) error // nil: as fast as it goes
	end  error                 // of pace: it says nothing of the bytes
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (n int, err error) {
	n, err = p.r.Read(b)
	if p.pace != nil && n > 0 {
		if p.end = p.pace(n); p.end != nil {
			return n, p.end
		}
	}
	return n, err
}

// judge tells damage from a reading that was ended.
func (p *paced) judge(d Digest, e Encoding, err error) error {
	switch {
	case p.end != nil:
		return fault.Wrap(fault.Unavailable, p.end, "read blob %q", string(d)+e.suffix())
	case err != nil:
		return damaged(d, e, err)
	default:
		return nil
	}
}
