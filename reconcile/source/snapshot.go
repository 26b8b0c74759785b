package source

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
)

// node is one name of a snapshot.
type node struct {
	path    string      // in the file system it was taken of
	info    fs.FileInfo // of a file or link when the snapshot was taken
	entries []entry     // of a folder, sorted by name

	once sync.Once // guards id and err
	id   plumbing.Hash
	err  error
}

// snapshot is the names and sizes of a file system at one moment. Ids are
// computed when they are asked for, once; content is read from the file system
// and must still be what its id says.
type snapshot struct {
	fsys  fs.FS
	known *idCache // ids of files that did not change; may be nil
}

// FS presents any file system as a Tree with git ids, computed when they are
// asked for. Folders without files are left out, as git has none. The whole
// file system is listed at once, under the default Limits; a file that changes
// afterwards reads as Unavailable.
func FS(fsys fs.FS) (Tree, error) {
	return takeSnapshot(fsys, nil, Limits{}.withDefaults())
}

func takeSnapshot(fsys fs.FS, known *idCache, limits Limits) (*view, error) {
	s := &snapshot{fsys: fsys, known: known}
	left := limits.Entries
	root, err := s.folder(".", 0, limits, &left)
	if err != nil {
		return nil, err
	}
	return &view{s, entry{mode: fs.ModeDir | 0o755, node: root}}, nil
}

func (s *snapshot) folder(name string, depth int, limits Limits, left *int) (*node, error) {
	if depth > limits.Depth {
		return nil, tooDeep(name, limits.Depth)
	}
	listed, err := fs.ReadDir(s.fsys, name)
	if err != nil {
		return nil, readFault(err)
	}
	n := &node{path: name}
	for _, d := range listed {
		if why := nameFault(d.Name()); why != "" {
			return nil, unsafeName(joinPath(name, d.Name()), why)
		}
		e, err := s.entry(d, joinPath(name, d.Name()), depth, limits, left)
		if err != nil {
			return nil, err
		}
		if e.node == nil {
			continue
		}
		if *left--; *left < 0 {
			return nil, tooMany(limits.Entries)
		}
		n.entries = append(n.entries, e)
	}
	if err := sortEntries(n.entries); err != nil {
		return nil, fault.New(fault.Invalid, "the folder %q: %w", name, err).WithCode(codeUnsafe)
	}
	return n, nil
}

// entry makes the entry of a name; it has no node if git would not keep it.
func (s *snapshot) entry(d fs.DirEntry, name string, depth int, limits Limits, left *int) (entry, error) {
	if d.IsDir() {
		sub, err := s.folder(name, depth+1, limits, left)
		if err != nil || len(sub.entries) == 0 {
			return entry{}, err
		}
		return entry{name: d.Name(), mode: fs.ModeDir | 0o755, node: sub}, nil
	}
	if d.Type() != 0 && d.Type() != fs.ModeSymlink {
		return entry{}, nil // sockets, pipes and devices
	}
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return entry{}, nil // gone since it was listed
	}
	if err != nil {
		return entry{}, readFault(err)
	}
	if info.Size() > limits.Object {
		return entry{}, tooLarge("the file %q has %d bytes, the limit is %d", name, info.Size(), limits.Object)
	}
	mode := fs.FileMode(0o644)
	if d.Type() == fs.ModeSymlink {
		mode = fs.ModeSymlink | 0o777
	} else if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return entry{name: d.Name(), mode: mode, node: &node{path: name, info: info}}, nil
}

// readFault classes an error of the underlying file system: what vanished or
// cannot be read now may be there in the next pass.
func readFault(err error) error {
	return fault.Wrap(fault.Unavailable, err, "the folder cannot be read")
}

func (s *snapshot) list(folder entry) ([]entry, error) { return folder.node.entries, nil }

func (s *snapshot) size(file entry) (int64, error) { return file.node.info.Size(), nil }

func (s *snapshot) id(e entry) (string, error) {
	id, err := s.hash(e)
	return id.String(), err
}

// hash returns an entry's git id. A failure stays: a snapshot is one moment.
func (s *snapshot) hash(e entry) (plumbing.Hash, error) {
	n := e.node
	n.once.Do(func() {
		if e.isDir() {
			n.id, n.err = s.hashFolder(n)
		} else {
			n.id, n.err = s.hashFile(e)
		}
	})
	return n.id, n.err
}

func (s *snapshot) hashFolder(n *node) (plumbing.Hash, error) {
	entries := make([]entry, len(n.entries))
	for i, e := range n.entries {
		id, err := s.hash(e)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		e.id = id
		entries[i] = e
	}
	raw := encodeTree(entries)
	sum := newSum(plumbing.TreeObject, int64(len(raw)))
	sum.Write(raw)
	return plumbing.Hash(sum.Sum(nil)), nil
}

func (s *snapshot) hashFile(e entry) (plumbing.Hash, error) {
	n := e.node
	if id, ok := s.known.lookup(n.path, n.info); ok {
		return id, nil
	}
	r, err := s.raw(e)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer r.Close()
	sum := newSum(plumbing.BlobObject, n.info.Size())
	read, err := io.Copy(sum, r)
	if err != nil {
		return plumbing.ZeroHash, readFault(err)
	}
	if read != n.info.Size() {
		return plumbing.ZeroHash, changed(n.path)
	}
	id := plumbing.Hash(sum.Sum(nil))
	s.known.remember(n.path, n.info, id)
	return id, nil
}

func changed(name string) error {
	return fault.New(fault.Unavailable, "%q changed while it was read", name).
		WithHint("it is read again in the next pass")
}

// open opens a file whose end is reached only if it is what its id says.
func (s *snapshot) open(file entry) (io.ReadCloser, error) {
	id, err := s.hash(file)
	if err != nil {
		return nil, err
	}
	r, err := s.raw(file)
	if err != nil {
		return nil, err
	}
	n := file.node
	return &stable{verify(r, plumbing.BlobObject, n.info.Size(), id), s.known, n.path}, nil
}

// raw opens what is there now; a link's content is where it points.
func (s *snapshot) raw(file entry) (io.ReadCloser, error) {
	n := file.node
	if file.mode.Type() == fs.ModeSymlink {
		target, err := fs.ReadLink(s.fsys, n.path)
		if err != nil {
			return nil, readFault(err)
		}
		return io.NopCloser(strings.NewReader(target)), nil
	}
	f, err := s.fsys.Open(n.path)
	if err != nil {
		return nil, readFault(err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, changed(n.path)
	}
	return f, nil
}

// stable says what a broken promise of content means here.
type stable struct {
	io.ReadCloser
	known *idCache
	path  string
}

func (s *stable) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if errors.Is(err, errMalformed) {
		s.known.forget(s.path)
		err = changed(s.path)
	}
	return n, err
}

// idCache remembers the ids of files by what a changed file changes: which file
// it is, its size and its time. A nil cache remembers nothing.
type idCache struct {
	mu            sync.Mutex
	last, current map[string]knownID
	hashed        int // files read since begin
}

type knownID struct {
	info fs.FileInfo
	id   plumbing.Hash
}

// settled is how old a file must be when it is hashed for its time to tell the
// next change from this one: some file systems count in steps of two seconds.
const settled = 2 * time.Second

// begin starts a pass; what the pass does not see is forgotten by the next one.
func (c *idCache) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.current, c.hashed = c.current, map[string]knownID{}, 0
}

func (c *idCache) lookup(path string, info fs.FileInfo) (plumbing.Hash, bool) {
	if c == nil {
		return plumbing.ZeroHash, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.last[path]
	if !ok || !os.SameFile(k.info, info) || k.info.Size() != info.Size() || !k.info.ModTime().Equal(info.ModTime()) {
		return plumbing.ZeroHash, false
	}
	c.current[path] = k
	return k.id, true
}

func (c *idCache) remember(path string, info fs.FileInfo, id plumbing.Hash) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hashed++
	if time.Since(info.ModTime()) >= settled {
		c.current[path] = knownID{info, id}
	}
}

func (c *idCache) forget(path string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, path)
	delete(c.current, path)
}
