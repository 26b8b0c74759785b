// Package blob keeps immutable bytes by their sha256 under STATE/blob, each
// with the compressed variants that are worth having beside it. Staging an app
// puts its files here through a Batch; serving reads them by digest. It refuses
// to know names, apps and content types: callers say what is worth compressing.
package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Digest is the sha256 of a blob's identity bytes: 64 lower-case hex digits.
type Digest string

// Encoding is a content coding as HTTP spells it; empty is the bytes as they
// are.
type Encoding string

// The encodings a blob may be kept in.
const (
	Identity Encoding = ""
	Brotli   Encoding = "br"
	Zstd     Encoding = "zstd"
	Gzip     Encoding = "gzip"
)

// suffix is what the variant's file name ends in.
func (e Encoding) suffix() string {
	switch e {
	case Brotli:
		return ".br"
	case Zstd:
		return ".zst"
	case Gzip:
		return ".gz"
	default:
		return ""
	}
}

func (e Encoding) known() bool { return e == Identity || e.suffix() != "" }

// Valid tells whether d has the form of a digest.
func (d Digest) Valid() bool {
	if len(d) != sha256.Size*2 {
		return false
	}
	for i := range len(d) {
		if c := d[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func digestOf(sum []byte) Digest { return Digest(hex.EncodeToString(sum)) }

// Store is a folder of blobs. It is safe for several goroutines, but not for
// several processes: the node's lock on its state folder sees to that.
type Store struct {
	dir    string
	packer *packer
	names  atomic.Uint64 // of temporary files

	// settled: every name in the store is durable.
	settled atomic.Bool

	mu      sync.Mutex
	shards  map[string]bool // first two digits whose folder exists; guarded by mu
	holders int             // Holds that nobody has released; guarded by mu
	inHand  map[Digest]bool // used under a hold; guarded by mu
	sweeps  int             // at work; guarded by mu
	unused  map[Digest]bool // what the last sweep found without a use; guarded by mu
}

const tempFolder = "tmp"

// Open makes dir if it is missing and removes what a crash left half-written.
func Open(dir string) (*Store, error) {
	temp := filepath.Join(dir, tempFolder)
	_, missing := os.Lstat(dir)
	if err := os.RemoveAll(temp); err != nil {
		return nil, diskFault(err, "clear %q", temp)
	}
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, diskFault(err, "make %q", temp)
	}
	s := &Store{dir: dir, packer: newPacker(), shards: map[string]bool{}, inHand: map[Digest]bool{}}
	s.settled.Store(errors.Is(missing, fs.ErrNotExist))
	return s, nil
}

// Stat returns the size in bytes of a blob in one encoding and whether it is
// there.
func (s *Store) Stat(d Digest, e Encoding) (size int64, ok bool) {
	if !d.Valid() || !e.known() {
		return 0, false
	}
	info, err := os.Stat(s.path(d, e))
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

// Open opens a blob in one encoding; NotFound if the store does not have it.
// The caller closes the file.
func (s *Store) Open(d Digest, e Encoding) (*os.File, error) {
	if !d.Valid() || !e.known() {
		return nil, fault.New(fault.Invalid, "%q is not a digest", string(d)+e.suffix())
	}
	f, err := os.Open(s.path(d, e))
	if err != nil {
		return nil, diskFault(err, "open blob %q", string(d)+e.suffix())
	}
	return f, nil
}

// Remove deletes a blob and its variants, such as a damaged one that a later
// Put shall write again. A blob that is not there is no error.
func (s *Store) Remove(d Digest) error {
	if !d.Valid() {
		return fault.New(fault.Invalid, "%q is not a digest", string(d))
	}
	// The identity file goes first: without it the variants do not count.
	for _, e := range [...]Encoding{Identity, Brotli, Zstd, Gzip} {
		if err := os.Remove(s.path(d, e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return diskFault(err, "remove blob %q", string(d)+e.suffix())
		}
	}
	return nil
}

// Verify reads a blob and its variants again and compares them with the digest:
// NotFound if it is missing, Internal if any of its files is damaged.
func (s *Store) Verify(d Digest) error {
	size, err := s.verify(d, Identity, -1, nil)
	if err != nil {
		return err
	}
	for _, e := range [...]Encoding{Brotli, Zstd, Gzip} {
		if _, ok := s.Stat(d, e); !ok {
			continue
		}
		if _, err := s.verify(d, e, size, nil); err != nil {
			return err
		}
	}
	return nil
}

// Sound reports whether bytes that were read from the file of one encoding are
// those of the blob. A file that is not sound is rejected.
func (s *Store) Sound(d Digest, e Encoding, body []byte) bool {
	r, err := decode(bytes.NewReader(body), e)
	if err == nil {
		defer r.Close()
		hash := sha256.New()
		if _, err = io.Copy(hash, io.LimitReader(r, max(int64(len(body)), PackLimit)+1)); err == nil && digestOf(hash.Sum(nil)) == d {
			return true
		}
	}
	s.Reject(d, e)
	return false
}

// verify decodes one file of a blob, as fast as pace lets it (nil: as fast as it
// goes), and returns the size of what it decodes to.
// A variant of a blob of size bytes is not read further than that.
func (s *Store) verify(d Digest, e Encoding, size int64, pace func(int) error) (int64, error) {
	f, err := s.Open(d, e)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r, err := decode(f, e)
	if err != nil {
		return 0, damaged(d, e, err)
	}
	defer r.Close()
	src := &paced{r: r, pace: pace}
	var limited io.Reader = src
	if size >= 0 {
		limited = io.LimitReader(src, size+1)
	}
	hash := sha256.New()
	n, err := io.Copy(hash, limited)
	if err == nil && digestOf(hash.Sum(nil)) != d {
		err = errors.New("its bytes have another digest")
	}
	return n, src.judge(d, e, err)
}

func damaged(d Digest, e Encoding, err error) error {
	return fault.Wrap(fault.Internal, err, "blob %q is damaged", string(d)+e.suffix()).
		WithSubject(string(d)).WithHint("the node fetches it again where it follows a repository; check the disk")
}

func (s *Store) path(d Digest, e Encoding) string {
	return filepath.Join(s.dir, string(d[:2]), string(d[2:])+e.suffix())
}

// diskFault classes an error of the file system.
func diskFault(err error, format string, args ...any) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.NotFound, err, format, args...)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(fault.Exhausted, err, format, args...).WithCode(fault.CodeDiskFull).WithHint("free space on the disk of the state folder")
	default:
		return fault.Wrap(fault.Unavailable, err, format, args...)
	}
}
