package source

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"
)

// errNoFile is why a symbolic link, a submodule or an odd mode is not opened.
var errNoFile = errors.New("not a regular file")

// shelf is where a view's entries come from.
type shelf interface {
	list(folder entry) ([]entry, error) // sorted by name; nothing for a submodule
	size(file entry) (int64, error)
	open(file entry) (io.ReadCloser, error)
	id(e entry) (string, error)
}

// view is the Tree over a shelf. Links are shown and never followed.
type view struct {
	shelf shelf
	root  entry
}

var (
	_ Tree          = (*view)(nil)
	_ fs.ReadDirFS  = (*view)(nil)
	_ fs.ReadFileFS = (*view)(nil)
	_ fs.StatFS     = (*view)(nil)
	_ fs.ReadLinkFS = (*view)(nil)
)

// find walks from the root to a name.
func (v *view) find(op, name string) (entry, error) {
	if !fs.ValidPath(name) {
		return entry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at, rest := v.root, name
	for rest != "" && name != "." {
		var step string
		step, rest, _ = strings.Cut(rest, "/")
		if !at.isDir() {
			return entry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		entries, err := v.shelf.list(at)
		if err != nil {
			return entry{}, &fs.PathError{Op: op, Path: name, Err: err}
		}
		next, ok := findEntry(entries, step)
		if !ok {
			return entry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		at = next
	}
	return at, nil
}

// ID returns the git object id of a file or folder, 40 hex digits.
func (v *view) ID(name string) (string, error) {
	e, err := v.find("id", name)
	if err != nil {
		return "", err
	}
	id, err := v.shelf.id(e)
	if err != nil {
		return "", &fs.PathError{Op: "id", Path: name, Err: err}
	}
	return id, nil
}

// Open opens a file or folder. Links and other irregular entries are refused.
func (v *view) Open(name string) (fs.File, error) {
	e, err := v.find("open", name)
	if err != nil {
		return nil, err
	}
	if e.mode.IsDir() {
		entries, err := v.shelf.list(e)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return &openFolder{v: v, entry: e, left: entries}, nil
	}
	if !e.mode.IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNoFile}
	}
	r, err := v.shelf.open(e)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{ReadCloser: r, v: v, entry: e, name: name}, nil
}

// ReadFile returns a file's bytes.
func (v *view) ReadFile(name string) ([]byte, error) {
	file, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var b bytes.Buffer
	if info, err := file.Stat(); err == nil && info.Size() < streamAbove {
		b.Grow(int(info.Size()) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(file); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ReadDir lists a folder by name. Sizes are looked up when Info is asked.
func (v *view) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := v.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a folder")}
	}
	entries, err := v.shelf.list(e)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return v.dirEntries(entries), nil
}

func (v *view) dirEntries(entries []entry) []fs.DirEntry {
	listed := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		listed[i] = dirEntry{v, e}
	}
	return listed
}

// Stat describes a name; a link is described itself.
func (v *view) Stat(name string) (fs.FileInfo, error) {
	e, err := v.find("stat", name)
	if err != nil {
		return nil, err
	}
	info, err := v.stat(e)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return info, nil
}

// Lstat is Stat, as nothing is followed.
func (v *view) Lstat(name string) (fs.FileInfo, error) { return v.Stat(name) }

// ReadLink returns where a symbolic link points.
func (v *view) ReadLink(name string) (string, error) {
	e, err := v.find("readlink", name)
	if err != nil {
		return "", err
	}
	if e.mode.Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	r, err := v.shelf.open(e)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	defer r.Close()
	target, err := io.ReadAll(io.LimitReader(r, 4096))
	return string(target), err
}

func (v *view) stat(e entry) (fs.FileInfo, error) {
	if !e.isContent() {
		return info{entry: e}, nil
	}
	size, err := v.shelf.size(e)
	return info{e, size}, err
}

// info is the FileInfo of an entry. Git knows no times.
type info struct {
	entry
	size int64
}

func (i info) Name() string {
	if i.name == "" {
		return "."
	}
	return i.name
}
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

type dirEntry struct {
	v *view
	entry
}

func (d dirEntry) Name() string               { return d.name }
func (d dirEntry) IsDir() bool                { return d.mode.IsDir() }
func (d dirEntry) Type() fs.FileMode          { return d.mode.Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return d.v.stat(d.entry) }

type openFile struct {
	io.ReadCloser
	v    *view
	name string
	entry
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.v.stat(f.entry) }

func (f *openFile) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &fs.PathError{Op: "read", Path: f.name, Err: err}
	}
	return n, err
}

type openFolder struct {
	v *view
	entry
	left []entry
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.v.stat(f.entry) }
func (f *openFolder) Close() error               { return nil }
func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: info{entry: f.entry}.Name(), Err: errNoFile}
}

func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	take := f.left
	if n > 0 {
		if len(take) == 0 {
			return nil, io.EOF
		}
		take = take[:min(n, len(take))]
	}
	f.left = f.left[len(take):]
	return f.v.dirEntries(take), nil
}
