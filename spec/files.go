package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// MaxConfiguration is how many bytes all configuration files of a tree may have.
const MaxConfiguration = 64 << 20

// Limits of a tree and of the configuration in it.
const (
	maxFile    = 1 << 20 // bytes of one configuration file
	maxAll     = MaxConfiguration
	maxEntries = 1_000_000 // files and folders of a tree
	maxDepth   = 32        // folders below each other
)

// ConfigFiles lists the configuration files of a tree, sorted: those named
// fazt.hcl, *.fazt.hcl and *.fazt.json. Folders named node_modules or vendor
// and those that begin with a dot or an underscore are not looked into. It
// opens folders, never files. A tree over the limits is an error, and so is a
// symlink of such a name, whatever it points to.
func ConfigFiles(tree Tree) ([]string, Diagnostics) {
	files, diags := (*Memory)(nil).find(tree)
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	return paths, diags
}

// walker is one search for configuration files.
type walker struct {
	tree     Tree
	remember bool // folders are taken from an earlier search, and kept for a later one
	folders  int  // that were kept
	entries  int
	diags    Diagnostics
}

// folder looks into one folder; false means that the search is over.
func (w *walker) folder(name string, depth int, before *folder) (*folder, bool) {
	if depth > maxDepth {
		return nil, w.fail(codeTooDeep, "folders are nested more than %d deep at %q", maxDepth, name)
	}
	id, same := w.look(name, before)
	if same {
		return before, w.bounded()
	}
	entries, err := fs.ReadDir(w.tree, name)
	if err != nil {
		return nil, w.fail(codeUnreadable, "folder %q cannot be read: %s", name, sentence(err.Error()))
	}
	w.entries += len(entries)
	if !w.bounded() {
		return nil, false
	}
	f := &folder{id: id, entries: len(entries)}
	for _, e := range entries {
		full := path.Join(name, e.Name())
		switch {
		case e.IsDir() && skipped(e.Name()):
		case e.IsDir():
			below, ok := w.folder(full, depth+1, before.folderNamed(e.Name()))
			if !ok {
				return nil, false
			}
			w.add(f, e.Name(), below)
		case isConfig(e.Name()) && !e.Type().IsRegular():
			at := Range{Filename: full, Start: Pos{Line: 1, Column: 1}, End: Pos{Line: 1, Column: 1}}
			w.diags = append(w.diags, Diagnostic{
				Severity: Error, Code: codeUnreadable, Summary: "a configuration file must be a regular file", Detail: "it is a symlink or a submodule; put the text itself there", Range: &at,
			})
		case isConfig(e.Name()):
			f.files = append(f.files, Source{Path: full, ID: idOf(w.tree, full)})
		}
	}
	return f, true
}

// bounded tells whether the tree is within its limit so far.
func (w *walker) bounded() bool {
	return w.entries <= maxEntries || w.fail(codeTooMany, "the tree has more than %d files and folders", maxEntries)
}

func (w *walker) fail(code, format string, args ...any) bool {
	w.diags = append(w.diags, Diagnostic{Severity: Error, Code: code, Summary: fmt.Sprintf(format, args...)})
	return false
}

// skipped names folders that hold other people's files or nobody's.
func skipped(name string) bool {
	return name == "node_modules" || name == "vendor" || name[0] == '.' || name[0] == '_'
}

// isConfig tells whether a file of this name is configuration.
func isConfig(name string) bool {
	return name == "fazt.hcl" || strings.HasSuffix(name, ".fazt.hcl") || strings.HasSuffix(name, ".fazt.json")
}

// errIrregular is what reading a symlink, a submodule or a folder as a file
// yields.
var errIrregular = errors.New("it is not a regular file")

// errLarge is what reading a file over its limit yields.
var errLarge = errors.New("it is larger than 1 MiB")

// ReadSource returns the text of a configuration file, or of a file that an
// expression reads: a regular file of at most a mebibyte. It never reads more.
func ReadSource(tree fs.FS, name string) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, plainError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, plainError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, plainError(err)
	}
	if len(src) > maxFile {
		return nil, errLarge
	}
	return src, nil
}

// plainError drops the operation and the path that fs errors carry: the
// diagnostic names the file itself.
func plainError(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
