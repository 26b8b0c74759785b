package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
)

// treeCache keeps decoded trees by id, bounded by the number of their entries.
// It has two halves: when the young one is full it becomes the old one, so what
// is used stays.
type treeCache struct {
	mu         sync.Mutex
	young, old map[plumbing.Hash][]entry
	room       int // entries the young half still takes
}

const treeCacheEntries = 100_000

func (c *treeCache) get(id plumbing.Hash) ([]entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entries, ok := c.young[id]; ok {
		return entries, true
	}
	entries, ok := c.old[id]
	if ok {
		c.put(id, entries)
	}
	return entries, ok
}

func (c *treeCache) add(id plumbing.Hash, entries []entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(id, entries)
}

func (c *treeCache) put(id plumbing.Hash, entries []entry) {
	if c.room -= len(entries) + 1; c.young == nil || c.room < 0 {
		c.old, c.young = c.young, map[plumbing.Hash][]entry{}
		c.room = treeCacheEntries
	}
	c.young[id] = entries
}

// trees is the shelf of git trees. It reads out of whatever store is current
// and tells of damage it meets.
type trees struct {
	store   func() *store
	damaged func()
	cache   treeCache
}

func (t *trees) load(id plumbing.Hash) ([]entry, error) {
	if entries, ok := t.cache.get(id); ok {
		return entries, nil
	}
	var entries []entry
	err := t.from(func(s *store) (err error) {
		entries, err = readTree(s, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.cache.add(id, entries)
	return entries, nil
}

// from reads out of the current store, and out of the next one if the mirror
// was replaced meanwhile.
func (t *trees) from(read func(*store) error) error {
	s := t.store()
	err := read(s)
	if next := t.store(); isDamage(err) && next != s {
		err = read(next)
	}
	return t.met(err)
}

// met passes an error on; damage becomes a fault that the next fetch repairs.
// What the disk refuses is a fault too, one that may be over at the next try:
// without a kind it would count against the revision.
func (t *trees) met(err error) error {
	switch errno := syscall.Errno(0); {
	case isDamage(err):
		t.damaged()
		return fault.Wrap(fault.Unavailable, err, "the mirror is damaged").WithHint("it is fetched again in the next pass")
	case fault.KindOf(err) == fault.Internal && errors.As(err, &errno):
		return fault.Wrap(fault.Unavailable, err, "the mirror cannot be read").WithHint("check the disk of the state folder")
	default:
		return err
	}
}

// isDamage reports whether an error means that a store is not what it should
// be, as opposed to a refusal or a full disk.
func isDamage(err error) bool {
	return fault.KindOf(err) == fault.Internal &&
		(errors.Is(err, errMissing) || errors.Is(err, errMalformed) || errors.Is(err, fs.ErrNotExist))
}

// careful tells of damage met while streaming.
type careful struct {
	io.ReadCloser
	t *trees
}

func (c *careful) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = c.t.met(err)
	}
	return n, err
}

func readTree(s *store, id plumbing.Hash) ([]entry, error) {
	raw, err := s.read(id, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	return decodeTree(raw)
}

// view returns the Tree under a root.
func (t *trees) view(root plumbing.Hash) Tree {
	return &view{t, entry{mode: fileMode(gitTree), id: root}}
}

func (t *trees) list(folder entry) ([]entry, error) {
	if !folder.isDir() {
		return nil, nil
	}
	return t.load(folder.id)
}

func (t *trees) size(file entry) (int64, error) {
	var n int64
	err := t.from(func(s *store) (err error) {
		n, err = s.size(file.id)
		return err
	})
	return n, err
}

func (t *trees) id(e entry) (string, error) { return e.id.String(), nil }

func (t *trees) open(file entry) (io.ReadCloser, error) {
	var content io.ReadCloser
	err := t.from(func(s *store) error {
		kind, _, r, err := s.reader(file.id)
		if err == nil && kind != plumbing.BlobObject {
			err = refusal(wrongKind(file.id, kind, plumbing.BlobObject, r), "")
			r.Close()
		}
		content = r
		return err
	})
	if err != nil {
		return nil, err
	}
	return &careful{content, t}, nil
}

// extent is what a sound tree amounts to.
type extent struct{ entries, depth int }

// inspector validates whole trees: names, counts, depth, and that every object
// is there. What it found sound it remembers by id, so going from one revision
// to the next looks at the changed folders only, and equal folders are counted
// without being walked again. For one goroutine.
type inspector struct {
	store  func() *store
	limits Limits
	sound  map[plumbing.Hash]extent
	reads  int // folders looked at since the ref moved
}

// soundTrees bounds the memory of an inspector; over it, it starts anew.
const soundTrees = 1 << 20

func (v *inspector) inspect(ctx context.Context, root plumbing.Hash) error {
	if v.sound == nil || len(v.sound) > soundTrees {
		v.sound = map[plumbing.Hash]extent{}
	}
	found, err := v.walk(ctx, root, "", 0)
	if err == nil && found.entries > v.limits.Entries {
		err = tooMany(v.limits.Entries)
	}
	return err
}

func (v *inspector) walk(ctx context.Context, id plumbing.Hash, path string, depth int) (extent, error) {
	if found, ok := v.sound[id]; ok {
		return found, v.fits(path, depth+found.depth)
	}
	if err := errors.Join(ctx.Err(), v.fits(path, depth)); err != nil {
		return extent{}, err
	}
	v.reads++
	entries, err := readTree(v.store(), id)
	if err = refusal(err, path); fault.KindOf(err) == fault.Invalid {
		return extent{}, err
	}
	if err != nil {
		return extent{}, fmt.Errorf("folder %q: %w", path, err)
	}
	found := extent{entries: len(entries)}
	for _, e := range entries {
		below, err := v.entry(ctx, e, joinPath(path, e.name), depth)
		if err != nil {
			return extent{}, err
		}
		found.entries += below.entries
		found.depth = max(found.depth, below.depth)
		if found.entries > v.limits.Entries {
			return extent{}, tooMany(v.limits.Entries)
		}
	}
	v.sound[id] = found
	return found, nil
}

func (v *inspector) entry(ctx context.Context, e entry, path string, depth int) (extent, error) {
	switch {
	case e.isDir():
		below, err := v.walk(ctx, e.id, path, depth+1)
		below.depth++
		return below, err
	case e.isContent() && !v.store().has(e.id):
		return extent{}, fmt.Errorf("file %q: %w", path, missing(e.id))
	}
	return extent{}, nil
}

func (v *inspector) fits(path string, depth int) error {
	if depth > v.limits.Depth {
		return tooDeep(path, v.limits.Depth)
	}
	return nil
}
