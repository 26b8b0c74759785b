package spec_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io/fs"
	"sort"
	"sync/atomic"
	"testing/fstest"
)

// memory is a tree in memory with ids that move exactly when content does. It
// counts how often a file is opened.
type memory struct {
	fstest.MapFS
	opened *atomic.Int64
}

// repo makes a memory of paths and texts.
func repo(files map[string]string) memory {
	m := memory{MapFS: fstest.MapFS{}, opened: new(atomic.Int64)}
	for name, text := range files {
		m.MapFS[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func (m memory) Open(name string) (fs.File, error) {
	f, err := m.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && !info.IsDir() {
		m.opened.Add(1)
	}
	return f, nil
}

func (m memory) ID(name string) (string, error) {
	info, err := fs.Stat(m.MapFS, name)
	if err != nil {
		return "", err
	}
	h := sha1.New()
	if !info.IsDir() {
		fmt.Fprintf(h, "blob %s", m.MapFS[name].Data)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	var names []string
	err = fs.WalkDir(m.MapFS, name, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, p)
		}
		return err
	})
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(h, "%s %x\n", n, sha1.Sum(m.MapFS[n].Data))
	}
	return hex.EncodeToString(h.Sum(nil)), err
}
