package op

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
)

// pack writes a folder as a tar: files and symbolic links in the order of a walk,
// with nothing in it but names, executable bits and bytes, so that equal folders
// are equal tars.
func pack(w io.Writer, tree fs.FS) error {
	t := tar.NewWriter(w)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return unreadable(name, err)
		}
		if entry.IsDir() {
			return nil
		}
		return packFile(t, tree, name, entry)
	})
	if err != nil {
		return err
	}
	return t.Close()
}

func packFile(t *tar.Writer, tree fs.FS, name string, entry fs.DirEntry) error {
	if entry.Type()&fs.ModeSymlink != 0 {
		target, err := fs.ReadLink(tree, name)
		if err != nil {
			return fault.New(fault.Invalid, "the link %s cannot be read: %w", quoted(name), err)
		}
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
	}
	if !entry.Type().IsRegular() {
		return nil // a socket, a pipe or a device: git would not keep it either
	}
	file, err := tree.Open(name)
	if err != nil {
		return unreadable(name, err)
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return unreadable(name, err)
	}
	mode := int64(0o644)
	if stat.Mode()&0o100 != 0 {
		mode = 0o755
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: stat.Size(), Mode: mode, Format: tar.FormatPAX}); err != nil {
		return err
	}
	if n, err := io.Copy(t, file); err != nil {
		return fault.New(fault.Invalid, "%s changed while it was read (%d of %d bytes): %w", quoted(name), n, stat.Size(), err)
	} else if n < stat.Size() {
		return fault.New(fault.Conflict, "%s became shorter while it was read", quoted(name))
	}
	return nil
}

// unreadable says which entry of a folder stopped its upload. The cause is told
// without the path, which was said.
func unreadable(name string, err error) error {
	cause := err
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		cause = at.Err
	}
	e := fault.New(fault.Invalid, "%s cannot be read: %w", quoted(name), cause).WithSubject(name)
	if errors.Is(err, fs.ErrPermission) {
		return e.WithHint("let your user read it, or name it in .gitignore to leave it out")
	}
	return e
}

// unpack reads a tar into a tree whose bytes lie in s. Entries are checked like a
// git tree's: relative slash paths without "..", ".git" or control characters,
// each once, a file never a folder as well, within the limits. Only files, folders
// and symbolic links are taken; a link is kept as its text and never followed.
func unpack(r io.Reader, s *spool, limits Limits) (*treeFS, error) {
	tree := newTreeFS(s)
	t := tar.NewReader(r)
	for {
		header, err := t.Next()
		if err == io.EOF {
			// What may follow the end mark is read, so that the sender is not cut off.
			_, err := io.Copy(io.Discard, r)
			tree.sort()
			return tree, err
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "the tar cannot be read: %w", err)
		}
		if err := unpackEntry(tree, t, header, limits); err != nil {
			return nil, err
		}
	}
}

func unpackEntry(tree *treeFS, r io.Reader, header *tar.Header, limits Limits) error {
	name := strings.TrimPrefix(strings.TrimSuffix(header.Name, "/"), "./")
	if header.Typeflag == tar.TypeXGlobalHeader || header.Typeflag == tar.TypeDir && (name == "." || name == "") {
		return nil
	}
	if err := checkPath(name, limits.Depth); err != nil {
		return err
	}
	n := node{name: path.Base(name), offset: tree.spool.size}
	switch header.Typeflag {
	case tar.TypeDir:
		n.mode = fs.ModeDir | 0o755
	case tar.TypeSymlink:
		n.mode, n.link = fs.ModeSymlink|0o777, header.Linkname
	case tar.TypeReg:
		n.mode, n.size = 0o644, header.Size
		if header.Mode&0o100 != 0 {
			n.mode = 0o755
		}
		if sparse(header) {
			return fault.New(fault.Invalid, "%s is stored with holes", quoted(name))
		}
		if header.Size < 0 || header.Size > limits.Tree-tree.spool.size {
			return fault.New(fault.Exhausted, "the folder is larger than %s", size(limits.Tree)).WithSubject(name)
		}
	default:
		return fault.New(fault.Invalid, "%s is neither a file, a folder nor a link", quoted(name))
	}
	if err := tree.add(name, n, limits.Entries); err != nil {
		return err
	}
	if n.size == 0 {
		return nil
	}
	if _, err := io.Copy(tree.spool, r); err != nil {
		return fault.New(fault.Invalid, "%s cannot be read: %w", quoted(name), err)
	}
	return nil
}

// sparse tells whether an entry has bytes that are not in the tar: a few bytes
// could then fill the disk.
func sparse(header *tar.Header) bool {
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// checkPath refuses names no tree may have.
func checkPath(name string, depth int) error {
	if !fs.ValidPath(name) || name == "." || !utf8.ValidString(name) || len(name) > 4096 {
		return fault.New(fault.Invalid, "the path %s leaves its folder or is malformed", quoted(name))
	}
	if strings.Count(name, "/")+1 > depth {
		return fault.New(fault.Exhausted, "the path %s is more than %d folders deep", quoted(name), depth)
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") {
			return fault.New(fault.Invalid, "the path %s goes through .git", quoted(name))
		}
		if strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
			return fault.New(fault.Invalid, "the path %s has a character no path may have", quoted(name))
		}
	}
	return nil
}

// A spool holds bytes that are written once and read anywhere: in memory while
// they are few, else in a file that has no name any more.
type spool struct {
	dir    string
	memory int64
	size   int64
	buffer bytes.Buffer
	file   *os.File
}

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.size+int64(len(p)) > s.memory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	var n int
	var err error
	if s.file != nil {
		n, err = s.file.Write(p)
	} else {
		n, err = s.buffer.Write(p)
	}
	s.size += int64(n)
	return n, err
}

func (s *spool) spill() error {
	file, err := os.CreateTemp(s.dir, "upload-*")
	if err != nil {
		return fault.New(fault.Unavailable, "there is no room for the upload: %w", err)
	}
	s.file = file
	_ = os.Remove(file.Name()) // where this fails, close does it
	_, err = file.Write(s.buffer.Bytes())
	s.buffer = bytes.Buffer{}
	return err
}

func (s *spool) ReadAt(p []byte, offset int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, offset)
	}
	return bytes.NewReader(s.buffer.Bytes()).ReadAt(p, offset)
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
	s.buffer = bytes.Buffer{}
}

// epoch is the time of everything in an uploaded tree.
func epoch() time.Time { return time.Unix(0, 0).UTC() }
