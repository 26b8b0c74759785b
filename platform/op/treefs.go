package op

import (
	"io"
	"io/fs"
	"path"
	"sort"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// treeFS is an uploaded folder: an index of names in memory over bytes in a spool.
// No name of the caller's ever reaches a file system. It is safe for concurrent
// use once it is unpacked.
type treeFS struct {
	spool *spool
	nodes map[string]*node // by path, "." is the root
}

// node is one entry; it is its own fs.DirEntry and fs.FileInfo.
type node struct {
	name     string
	mode     fs.FileMode
	offset   int64
	size     int64         // in the spool; a link has nothing there
	link     string        // where a link points
	children []fs.DirEntry // of a folder, sorted by name
}

func (n *node) Name() string               { return n.name }
func (n *node) IsDir() bool                { return n.mode.IsDir() }
func (n *node) Type() fs.FileMode          { return n.mode.Type() }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) Size() int64                { return n.size + int64(len(n.link)) } // as lstat counts a link
func (n *node) Mode() fs.FileMode          { return n.mode }
func (n *node) ModTime() time.Time         { return epoch() }
func (n *node) Sys() any                   { return nil }

func newTreeFS(s *spool) *treeFS {
	return &treeFS{spool: s, nodes: map[string]*node{".": {name: ".", mode: fs.ModeDir | 0o755}}}
}

// add puts an entry into the index, with the folders above it.
func (t *treeFS) add(name string, n node, most int) error {
	if old, ok := t.nodes[name]; ok {
		if old.IsDir() && n.IsDir() {
			return nil
		}
		return fault.New(fault.Invalid, "%s is there twice", quoted(name))
	}
	if len(t.nodes) > most {
		return fault.New(fault.Exhausted, "the folder has more than %d entries", most)
	}
	dir := path.Dir(name)
	parent, ok := t.nodes[dir]
	if !ok {
		if err := t.add(dir, node{name: path.Base(dir), mode: fs.ModeDir | 0o755}, most); err != nil {
			return err
		}
		parent = t.nodes[dir]
	}
	if !parent.IsDir() {
		return fault.New(fault.Invalid, "%s is a file and a folder", quoted(dir))
	}
	t.nodes[name] = &n
	parent.children = append(parent.children, &n)
	return nil
}

func (t *treeFS) sort() {
	for _, n := range t.nodes {
		sort.Slice(n.children, func(i, j int) bool { return n.children[i].Name() < n.children[j].Name() })
	}
}

func (t *treeFS) find(what, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: what, Path: name, Err: fs.ErrInvalid}
	}
	n, ok := t.nodes[name]
	if !ok {
		return nil, &fs.PathError{Op: what, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// Open implements fs.FS. Links cannot be opened.
func (t *treeFS) Open(name string) (fs.File, error) {
	n, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.mode&fs.ModeSymlink != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if n.IsDir() {
		return &openDir{node: n}, nil
	}
	return &openFile{SectionReader: io.NewSectionReader(t.spool, n.offset, n.size), node: n}, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return append([]fs.DirEntry{}, n.children...), nil
}

// Stat implements fs.StatFS; links are not followed.
func (t *treeFS) Stat(name string) (fs.FileInfo, error) {
	n, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Lstat implements fs.ReadLinkFS.
func (t *treeFS) Lstat(name string) (fs.FileInfo, error) { return t.Stat(name) }

// ReadLink implements fs.ReadLinkFS.
func (t *treeFS) ReadLink(name string) (string, error) {
	n, err := t.find("readlink", name)
	if err != nil {
		return "", err
	}
	if n.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.link, nil
}

// ReadFile implements fs.ReadFileFS.
func (t *treeFS) ReadFile(name string) ([]byte, error) {
	n, err := t.find("read", name)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	text := make([]byte, n.size)
	_, err = io.ReadFull(io.NewSectionReader(t.spool, n.offset, n.size), text)
	return text, err
}

// openFile is a file being read; SectionReader brings Seek and ReadAt.
type openFile struct {
	*io.SectionReader
	node *node
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *openFile) Close() error               { return nil }

// openDir is a folder being listed.
type openDir struct {
	node *node
	at   int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.node, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.node.name, Err: fs.ErrInvalid}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := d.node.children[d.at:]
	if n > 0 && len(rest) == 0 {
		return nil, io.EOF
	}
	if n > 0 && len(rest) > n {
		rest = rest[:n]
	}
	d.at += len(rest)
	return append([]fs.DirEntry{}, rest...), nil
}

var (
	_ fs.ReadDirFS  = (*treeFS)(nil)
	_ fs.ReadFileFS = (*treeFS)(nil)
	_ fs.StatFS     = (*treeFS)(nil)
	_ fs.ReadLinkFS = (*treeFS)(nil)
)
