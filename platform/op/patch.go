package op

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Patch is files an answer asks the command line to write: relative slash path to
// content. A node never writes a caller's path itself.
type Patch map[string][]byte

// Patcher is an answer with files to write.
type Patcher interface {
	PatchFiles() Patch
}

// Paths returns the paths of the files, sorted.
func (p Patch) Paths() []string { return sortedKeys(p) }

// Write writes the patch under dir. Nothing is written if any path is not plain, relative and below dir; symbolic
// links that lead out of dir are refused by dir itself. A file is replaced whole
// or not at all, and keeps its permissions.
func (p Patch) Write(dir *os.Root) error {
	names := p.Paths()
	for _, name := range names {
		if err := checkPath(name, Limits{}.filled().Depth); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := writeFile(dir, name, p[name]); err != nil {
			return fault.New(fault.Unavailable, "%s cannot be written: %w", quoted(name), err)
		}
	}
	return nil
}

func writeFile(dir *os.Root, name string, text []byte) error {
	mode := fs.FileMode(0o644)
	if old, err := dir.ReadFile(name); err == nil {
		if bytes.Equal(old, text) {
			return nil
		}
		if stat, err := dir.Stat(name); err == nil {
			mode = stat.Mode().Perm()
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := path.Dir(name); parent != "." {
		if err := dir.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	temp := path.Join(path.Dir(name), "."+path.Base(name)+"."+newRef())
	if err := dir.WriteFile(temp, text, mode); err != nil {
		return err
	}
	if err := dir.Rename(temp, name); err != nil {
		_ = dir.Remove(temp)
		return err
	}
	return nil
}
