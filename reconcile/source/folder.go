package source

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
)

// stateFolder is where dev keeps its state, beside what it serves.
const stateFolder = ".fazt"

// folder is a view of a folder on disk that shows what git would keep: not
// .git, not what a .gitignore in it names, not the state folder. Nothing
// outside is reachable and links are not followed at their end.
type folder struct {
	root *os.Root
	disk fs.FS
	skip []string // slash-separated paths

	mu      sync.Mutex                     // guards ignores
	ignores map[string][]gitignore.Pattern // by folder, its own and those above it
}

var (
	_ fs.ReadDirFS  = (*folder)(nil)
	_ fs.StatFS     = (*folder)(nil)
	_ fs.ReadLinkFS = (*folder)(nil)
	_ io.Closer     = (*folder)(nil)
)

// OpenFolder opens a folder on disk as what fazt would take of it: without
// .git, .fazt and whatever a .gitignore in the folder names. The ignore files
// are read once. The result is an io.Closer too.
func OpenFolder(dir string) (fs.FS, error) { return openFolderOn(dir, nil) }

func openFolderOn(dir string, skip []string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "the folder %q does not exist", dir)
	}
	if err != nil {
		return nil, unopened(dir, err)
	}
	skip = append([]string{stateFolder}, skip...)
	return &folder{root: root, disk: root.FS(), skip: skip, ignores: map[string][]gitignore.Pattern{}}, nil
}

// unopened says why a folder cannot be opened: a file in its place is the
// caller's mistake, all else may pass.
func unopened(dir string, err error) error {
	for at := dir; ; at = filepath.Dir(at) {
		info, statErr := os.Stat(at)
		if statErr == nil && !info.IsDir() {
			return fault.New(fault.Invalid, "%q is a file, not a folder", at).WithHint("name its folder: %s", filepath.Dir(at))
		}
		if statErr == nil || filepath.Dir(at) == at {
			return fault.Wrap(fault.Unavailable, err, "the folder cannot be opened")
		}
	}
}

// Close gives the folder back. Open files stay open.
func (f *folder) Close() error { return f.root.Close() }

// hidden reports whether a name of a shown folder is left out.
func (f *folder) hidden(name string, isDir bool) bool {
	if strings.EqualFold(path.Base(name), ".git") || slices.Contains(f.skip, name) {
		return true
	}
	patterns := f.patterns(path.Dir(name))
	if len(patterns) == 0 {
		return false
	}
	return gitignore.NewMatcher(patterns).Match(strings.Split(name, "/"), isDir)
}

// shown returns an error if a path or a folder above it is left out, or is
// reached through a link.
func (f *folder) shown(op, name string) error {
	if !fs.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	for i := 0; name != "." && i < len(name); {
		end := strings.IndexByte(name[i+1:], '/') + i + 1
		if end == i {
			end = len(name)
		}
		info, err := f.root.Lstat(filepath.FromSlash(name[:end]))
		if err != nil {
			return err
		}
		last := end == len(name)
		if f.hidden(name[:end], info.IsDir()) || !last && !info.IsDir() {
			return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		i = end
	}
	return nil
}

// patterns returns what a folder's and its parents' ignore files say.
func (f *folder) patterns(name string) []gitignore.Pattern {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.patternsOf(name)
}

func (f *folder) patternsOf(name string) []gitignore.Pattern {
	if patterns, ok := f.ignores[name]; ok {
		return patterns
	}
	var above []gitignore.Pattern
	var domain []string
	if name != "." {
		above = f.patternsOf(path.Dir(name))
		domain = strings.Split(name, "/")
	}
	patterns := slices.Clip(above)
	for line := range strings.Lines(f.ignoreFile(path.Join(name, ".gitignore"))) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) != "" && line[0] != '#' {
			patterns = append(patterns, gitignore.ParsePattern(line, domain))
		}
	}
	f.ignores[name] = patterns
	return patterns
}

// ignoreFile returns an ignore file's text. One that is no plain small file
// says nothing.
func (f *folder) ignoreFile(name string) string {
	const most = 1 << 20
	info, err := f.root.Lstat(filepath.FromSlash(name))
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return ""
	}
	file, err := f.root.Open(filepath.FromSlash(name))
	if err != nil {
		return ""
	}
	defer file.Close()
	raw, _ := io.ReadAll(io.LimitReader(file, most))
	return string(raw)
}

// Open opens a file or folder that is shown. A symbolic link is refused.
func (f *folder) Open(name string) (fs.File, error) {
	info, err := f.Lstat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return f.openFolder(name)
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNoFile}
	}
	return f.disk.Open(name)
}

func (f *folder) openFolder(name string) (fs.File, error) {
	file, err := f.disk.Open(name)
	if err != nil {
		return nil, err
	}
	listed, err := f.ReadDir(name)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &shownFolder{file, listed}, nil
}

// ReadDir lists what is shown of a folder, by name.
func (f *folder) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.shown("readdir", name); err != nil {
		return nil, err
	}
	listed, err := fs.ReadDir(f.disk, name)
	return slices.DeleteFunc(listed, func(d fs.DirEntry) bool {
		return f.hidden(path.Join(name, d.Name()), d.IsDir())
	}), err
}

// Stat describes a name; a link is described itself.
func (f *folder) Stat(name string) (fs.FileInfo, error) { return f.Lstat(name) }

// Lstat describes a name; a link is described itself.
func (f *folder) Lstat(name string) (fs.FileInfo, error) {
	if err := f.shown("stat", name); err != nil {
		return nil, err
	}
	return f.root.Lstat(filepath.FromSlash(name))
}

// ReadLink returns where a symbolic link points.
func (f *folder) ReadLink(name string) (string, error) {
	if err := f.shown("readlink", name); err != nil {
		return "", err
	}
	return f.root.Readlink(filepath.FromSlash(name))
}

// shownFolder is an open folder that lists what is shown of it.
type shownFolder struct {
	fs.File
	left []fs.DirEntry
}

func (s *shownFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	take := s.left
	if n > 0 {
		if len(take) == 0 {
			return nil, io.EOF
		}
		take = take[:min(n, len(take))]
	}
	s.left = s.left[len(take):]
	return take, nil
}
