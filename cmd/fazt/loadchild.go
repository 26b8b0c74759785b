package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// loadRole is the child: it evaluates the job that it reads and asks its
// parent for what was not in it.
func loadRole(_ context.Context, c *child.Conn) error {
	parent := &remote{framed: framed{conn: c}, texts: map[string]loadText{}}
	var job spec.Job
	if err := parent.readJSON(&job); err != nil {
		return err
	}
	if err := parent.readTexts(); err != nil {
		return err
	}
	p := spec.Evaluate(job, parent, parent, parent.at)
	if parent.err != nil {
		return parent.err
	}
	if parent.told {
		p.Units = nil // they went with the question
	}
	err := parent.writeJSON(loadMessage{Ask: askNothing, Partial: &p})
	if fault.KindOf(err) == fault.Invalid { // longer than a frame
		p = spec.Partial{Diagnostics: spec.Diagnostics{spec.TooComplex(parent, "what comes of it is too long: "+err.Error(), spec.Range{})}}
		err = parent.writeJSON(loadMessage{Ask: askNothing, Partial: &p})
	}
	return err
}

// remote is the parent as the child sees it: the tree of the revision, and
// what is known of files that are not read.
type remote struct {
	framed
	texts map[string]loadText // what came without being asked for
	told  bool                // the parent has the partial result

	mu  sync.Mutex // one question at a time
	err error      // the connection's first; the child ends with it
}

var (
	_ spec.Tree  = (*remote)(nil)
	_ spec.Known = (*remote)(nil)
)

// readTexts reads what writeTexts wrote.
func (t *remote) readTexts() error {
	var list []loadText
	if err := t.readJSON(&list); err != nil {
		return err
	}
	var chunk []byte
	for _, text := range list {
		if len(chunk) == 0 && text.Size > 0 {
			var err error
			if chunk, err = t.read(); err != nil {
				return err
			}
		}
		if text.Size > len(chunk) {
			return fmt.Errorf("the text of %q is cut", text.Path)
		}
		text.bytes, chunk = chunk[:text.Size:text.Size], chunk[text.Size:]
		t.texts[text.Path] = text
	}
	return nil
}

// ask sends one question and reads its answer.
func (t *remote) ask(m loadMessage) (a loadAnswer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = t.writeJSON(m)
	}
	if t.err == nil {
		t.err = t.readJSON(&a)
	}
	if t.err == nil && m.Ask == askRest {
		t.err = t.readTexts()
	}
	if t.err != nil {
		a = loadAnswer{Err: t.err.Error()}
	}
	return a
}

// at tells the parent what a worker begins with, so that it can name the place
// should this process end there.
func (t *remote) at(worker int, place spec.Range) {
	m := loadMessage{Ask: tellAt, Worker: worker}
	if place.Filename != "" {
		m.Place = &place
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = t.writeJSON(m)
	}
}

// Rest implements spec.Known.
func (t *remote) Rest(names []string) []spec.Source {
	return t.ask(loadMessage{Ask: askRest, Names: names}).Files
}

// Blocks implements spec.Known.
func (t *remote) Blocks() []spec.AppBlock { return t.ask(loadMessage{Ask: askBlocks}).Blocks }

// Apps implements spec.Known.
func (t *remote) Apps(p spec.Partial) []spec.Object {
	t.told = true
	var list []spec.Object
	for _, a := range t.ask(loadMessage{Ask: askApps, Partial: &p}).Apps {
		list = append(list, spec.Object{Addr: a.Addr, Kind: spec.KindApp, Name: a.Addr.Name(), Spec: a.Spec, Range: a.Range})
	}
	return list
}

// askFile asks about a path of the tree.
func (t *remote) askFile(op, name, kind string) (loadAnswer, error) {
	if !fs.ValidPath(name) {
		return loadAnswer{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	a := t.ask(loadMessage{Ask: kind, Path: name})
	switch {
	case a.Missing:
		return a, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	case a.Err != "":
		return a, &fs.PathError{Op: op, Path: name, Err: errors.New(a.Err)}
	}
	return a, nil
}

// ID returns the git id of a path.
func (t *remote) ID(name string) (string, error) {
	a, err := t.askFile("id", name, askID)
	return a.ID, err
}

// ReadFile returns a file's bytes.
func (t *remote) ReadFile(name string) ([]byte, error) {
	if text, here := t.texts[name]; here {
		if text.Err != "" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New(text.Err)}
		}
		return text.bytes, nil
	}
	a, err := t.askFile("open", name, askRead)
	return a.Bytes, err
}

// ReadDir lists a folder.
func (t *remote) ReadDir(name string) ([]fs.DirEntry, error) {
	a, err := t.askFile("readdir", name, askList)
	if err != nil {
		return nil, err
	}
	list := make([]fs.DirEntry, 0, len(a.Entries))
	for _, e := range a.Entries {
		list = append(list, e)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name() < list[j].Name() })
	return list, nil
}

// Open opens a file or a folder.
func (t *remote) Open(name string) (fs.File, error) {
	if _, here := t.texts[name]; here {
		return t.openFile(name)
	}
	if list, err := t.ReadDir(name); err == nil {
		return &remoteFile{remoteEntry: remoteEntry{EntryName: path.Base(name), EntryMode: fs.ModeDir}, list: list}, nil
	}
	return t.openFile(name)
}

func (t *remote) openFile(name string) (fs.File, error) {
	src, err := t.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &remoteFile{remoteEntry: remoteEntry{EntryName: path.Base(name), size: int64(len(src))}, Reader: strings.NewReader(string(src))}, nil
}

// remoteEntry is a name in a folder of a remote.
type remoteEntry struct {
	EntryName string      `json:"name"`
	EntryMode fs.FileMode `json:"mode"`
	size      int64
}

func (e remoteEntry) Name() string               { return e.EntryName }
func (e remoteEntry) IsDir() bool                { return e.EntryMode.IsDir() }
func (e remoteEntry) Type() fs.FileMode          { return e.EntryMode.Type() }
func (e remoteEntry) Mode() fs.FileMode          { return e.EntryMode }
func (e remoteEntry) Info() (fs.FileInfo, error) { return e, nil }
func (e remoteEntry) Size() int64                { return e.size }
func (e remoteEntry) ModTime() time.Time         { return time.Time{} }
func (e remoteEntry) Sys() any                   { return nil }

// remoteFile is an opened file or folder of a remote.
type remoteFile struct {
	remoteEntry
	*strings.Reader
	list []fs.DirEntry
}

// Stat describes the file.
func (f *remoteFile) Stat() (fs.FileInfo, error) { return f.remoteEntry, nil }

// Size is how long it is, in bytes.
func (f *remoteFile) Size() int64 { return f.size }

// Close gives back nothing.
func (f *remoteFile) Close() error { return nil }

// Read reads a file.
func (f *remoteFile) Read(p []byte) (int, error) {
	if f.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: f.EntryName, Err: errors.New("is a folder")}
	}
	return f.Reader.Read(p)
}

// ReadDir lists a folder, whole.
func (f *remoteFile) ReadDir(int) ([]fs.DirEntry, error) { return f.list, nil }
