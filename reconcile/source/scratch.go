package source

import (
	"errors"
	"os"
	"path/filepath"
)

// scratch is a file that is gone once it is closed, unless it got a name.
type scratch struct {
	*os.File
	named bool
}

func newScratch(folder, pattern string) (*scratch, error) {
	file, err := os.CreateTemp(folder, pattern)
	return &scratch{File: file}, err
}

// name gives the file its place; what was there is replaced whole.
func (s *scratch) name(path string) error {
	err := os.Rename(s.Name(), path)
	s.named = s.named || err == nil
	return err
}

func (s *scratch) Close() error {
	err := s.File.Close()
	if !s.named {
		err = errors.Join(err, os.Remove(s.Name()))
	}
	return err
}

// scratchPrefix begins the name of a small file that is being written.
const scratchPrefix = ".tmp_"

// writeFile replaces a small file whole.
func writeFile(path, text string) error {
	file, err := newScratch(filepath.Dir(path), scratchPrefix)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	return file.name(path)
}
