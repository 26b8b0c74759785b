package source

import (
	"cmp"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
)

// has reports whether the store holds id.
func (s *store) has(id plumbing.Hash) bool {
	s.mu.Lock()
	p := s.find(id)
	s.mu.Unlock()
	if p != nil {
		return true
	}
	for _, folder := range s.folders {
		if _, err := os.Lstat(loosePath(folder, id)); err == nil {
			return true
		}
	}
	return false
}

// size returns an object's inflated size without reading its content.
func (s *store) size(id plumbing.Hash) (int64, error) {
	if n, err := s.packedSize(id); !errors.Is(err, errMissing) {
		return n, err
	}
	_, n, r, err := s.openLoose(id)
	if err != nil {
		return 0, err
	}
	return n, r.Close()
}

func (s *store) packedSize(id plumbing.Hash) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(id)
	if p == nil {
		return 0, missing(id)
	}
	reader, err := s.use(p)
	if err != nil {
		return 0, err
	}
	offset, err := p.index.FindOffset(id)
	if err != nil {
		return 0, err
	}
	return reader.GetSizeByOffset(offset)
}

// reader opens an object. The reader fails instead of ending where the content
// is not what id promises.
func (s *store) reader(id plumbing.Hash) (plumbing.ObjectType, int64, io.ReadCloser, error) {
	kind, size, r, err := s.openPacked(id)
	if errors.Is(err, errMissing) {
		kind, size, r, err = s.openLoose(id)
	}
	if err != nil {
		return kind, 0, nil, err
	}
	if size > s.limit {
		r.Close()
		return kind, 0, nil, s.tooBig(id, size)
	}
	return kind, size, verify(r, kind, size, id), nil
}

// openPacked opens an object of a pack, once more where the pack was put
// together with others in between.
func (s *store) openPacked(id plumbing.Hash) (plumbing.ObjectType, int64, io.ReadCloser, error) {
	kind, size, r, err := s.openPackedOnce(id)
	if errors.Is(err, fs.ErrNotExist) {
		return s.openPackedOnce(id)
	}
	return kind, size, r, err
}

func (s *store) openPackedOnce(id plumbing.Hash) (plumbing.ObjectType, int64, io.ReadCloser, error) {
	object, err := s.packed(id)
	if err != nil {
		return 0, 0, nil, err
	}
	if object.Size() > s.limit {
		return 0, 0, nil, s.tooBig(id, object.Size())
	}
	r, err := object.Reader()
	if err != nil {
		return 0, 0, nil, fmt.Errorf("%w: %s: %w", errMalformed, id, err)
	}
	return object.Type(), object.Size(), r, nil
}

func (s *store) tooBig(id plumbing.Hash, size int64) error {
	return tooLarge("the object %s has %d bytes, the limit is %d", id, size, s.limit)
}

// packed finds an object in the packs; a large one is not read yet.
func (s *store) packed(id plumbing.Hash) (plumbing.EncodedObject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(id)
	if p == nil {
		return nil, missing(id)
	}
	reader, err := s.use(p)
	if err != nil {
		return nil, err
	}
	object, err := reader.Get(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errMalformed, id, err)
	}
	return object, nil
}

func (s *store) openLoose(id plumbing.Hash) (plumbing.ObjectType, int64, io.ReadCloser, error) {
	for _, folder := range s.folders {
		file, err := os.Open(loosePath(folder, id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, 0, nil, err
		}
		r, err := objfile.NewReader(file)
		if err != nil {
			file.Close()
			return 0, 0, nil, fmt.Errorf("%w: %s: %w", errMalformed, id, err)
		}
		kind, size, err := r.Header()
		if err != nil {
			r.Close()
			file.Close()
			return 0, 0, nil, fmt.Errorf("%w: %s: %w", errMalformed, id, err)
		}
		return kind, size, &looseReader{r, file}, nil
	}
	return 0, 0, nil, missing(id)
}

// read returns a whole object of the wanted type.
func (s *store) read(id plumbing.Hash, want plumbing.ObjectType) ([]byte, error) {
	kind, size, r, err := s.reader(id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if kind != want {
		return nil, wrongKind(id, kind, want, r)
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return nil, cmp.Or(err, errMalformed)
	}
	return raw, nil
}

// wrongKind tells an object that was committed where another kind belongs, which
// is refused, from one whose first bytes are damaged.
func wrongKind(id plumbing.Hash, kind, want plumbing.ObjectType, r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return &badName{"", fmt.Sprintf("%s is a %s, not a %s", id, kind, want)}
}

func (s *store) commit(id plumbing.Hash) (commit, error) {
	raw, err := s.read(id, plumbing.CommitObject)
	if err != nil {
		return commit{}, err
	}
	return decodeCommit(id, raw)
}

// peel follows annotated tags to what they mark.
func (s *store) peel(id plumbing.Hash) (plumbing.Hash, error) {
	for range 10 {
		kind, _, r, err := s.reader(id)
		if err != nil {
			return id, err
		}
		r.Close()
		if kind != plumbing.TagObject {
			return id, nil
		}
		raw, err := s.read(id, plumbing.TagObject)
		if err != nil {
			return id, err
		}
		if id, err = tagTarget(raw); err != nil {
			return id, err
		}
	}
	return id, fmt.Errorf("%w: tags without an end at %s", errMalformed, id)
}

// withPrefix returns the commits whose id begins with the hex digits.
func (s *store) withPrefix(digits string) []plumbing.Hash {
	found := map[plumbing.Hash]bool{}
	for _, folder := range s.folders {
		names, _ := os.ReadDir(filepath.Join(folder, digits[:2]))
		for _, name := range names {
			found[plumbing.NewHash(digits[:2]+name.Name())] = true
		}
	}
	s.mu.Lock()
	first := plumbing.NewHash(digits[:2] + strings.Repeat("0", 38))[0]
	for _, p := range s.packs {
		if bucket := p.index.FanoutMapping[first]; bucket >= 0 && bucket < len(p.index.Names) {
			for names := p.index.Names[bucket]; len(names) >= 20; names = names[20:] {
				found[plumbing.Hash(names[:20])] = true
			}
		}
	}
	s.mu.Unlock()
	var ids []plumbing.Hash
	for id := range found {
		if !strings.HasPrefix(id.String(), digits) {
			continue
		}
		if _, err := s.commit(id); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func missing(id plumbing.Hash) error { return fmt.Errorf("%w: %s", errMissing, id) }

func loosePath(folder string, id plumbing.Hash) string {
	digits := id.String()
	return filepath.Join(folder, digits[:2], digits[2:])
}

// looseReader closes the file with the inflater.
type looseReader struct {
	*objfile.Reader
	file *os.File
}

func (l *looseReader) Close() error {
	l.Reader.Close()
	return l.file.Close()
}

// verifier hashes what it passes on and compares at the end.
type verifier struct {
	io.ReadCloser
	sum    hash.Hash
	left   int64
	id     plumbing.Hash
	closed bool
}

func verify(r io.ReadCloser, kind plumbing.ObjectType, size int64, id plumbing.Hash) io.ReadCloser {
	return &verifier{ReadCloser: r, sum: newSum(kind, size), left: size, id: id}
}

// newSum returns the hash of an object's id, its header already in it.
func newSum(kind plumbing.ObjectType, size int64) hash.Hash {
	sum := sha1.New()
	fmt.Fprintf(sum, "%s %d\x00", kind, size)
	return sum
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	if int64(n) > v.left {
		return 0, fmt.Errorf("%w: %s is longer than it says", errMalformed, v.id)
	}
	v.left -= int64(n)
	v.sum.Write(p[:n])
	if err != nil && err != io.EOF {
		return n, fmt.Errorf("%w: %s: %w", errMalformed, v.id, err)
	}
	if err == io.EOF && (v.left != 0 || plumbing.Hash(v.sum.Sum(nil)) != v.id) {
		return n, fmt.Errorf("%w: the content of %s is not its own", errMalformed, v.id)
	}
	return n, err
}

// Close closes once: the inflaters below are pooled, and one that is given back
// twice would serve two readers at a time.
func (v *verifier) Close() error {
	if v.closed {
		return nil
	}
	v.closed = true
	return v.ReadCloser.Close()
}

// readSmall reads a small text file of a repository.
func readSmall(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, 64<<20))
	return string(raw), err
}
