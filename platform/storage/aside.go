package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Aside is the storage of an app that nobody has any more, until it is forgotten.
type Aside struct {
	ID    string
	Since time.Time // UTC, in whole seconds
}

const (
	goneName  = ".gone"
	goneStamp = "20060102T150405Z" // unlike an id it has capitals
)

// List returns the ids of all apps that have storage, in order.
func (p *Pool) List() ([]string, error) {
	entries, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, diskFault(err, "look through %q", p.dir)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && appID().MatchString(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// SetAside takes what an app has kept out of reach, to be forgotten some day. The
// error's kind is Conflict while the app is open somewhere, NotFound if it has kept
// nothing.
func (p *Pool) SetAside(ctx context.Context, id string, now time.Time) error {
	sl, err := p.seize(ctx, id)
	if err != nil {
		return err
	}
	defer p.end(sl)
	gone := filepath.Join(p.dir, goneName)
	if err := os.MkdirAll(gone, 0o700); err != nil {
		return diskFault(err, "make the folder %q", gone)
	}
	target := ""
	for at := now.UTC(); ; at = at.Add(time.Second) {
		target = filepath.Join(gone, id+"-"+at.Format(goneStamp))
		if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch err := os.Rename(filepath.Join(p.dir, id), target); {
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.NotFound, "there is no storage of %q", id).WithSubject(id)
	case err != nil:
		return diskFault(err, "set the storage of %q aside", id)
	}
	p.forget(id)
	return errors.Join(syncDir(gone), syncDir(p.dir))
}

// Asides lists what was set aside, the oldest first.
func (p *Pool) Asides() ([]Aside, error) {
	entries, err := os.ReadDir(filepath.Join(p.dir, goneName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, diskFault(err, "look through %q", p.dir)
	}
	var list []Aside
	for _, e := range entries {
		if a, ok := parseAside(e.Name()); ok {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b Aside) int { return a.Since.Compare(b.Since) })
	return list, nil
}

func parseAside(name string) (a Aside, ok bool) {
	cut := strings.LastIndexByte(name, '-')
	if cut < 0 || !appID().MatchString(name[:cut]) {
		return a, false
	}
	at, err := time.Parse(goneStamp, name[cut+1:])
	return Aside{ID: name[:cut], Since: at}, err == nil
}

func (p *Pool) asidePath(a Aside) string {
	return filepath.Join(p.dir, goneName, a.ID+"-"+a.Since.Format(goneStamp))
}

// Return brings back what was set aside last of an app, and opens it. The error's
// kind is NotFound if there is none, Conflict if the app has storage by now.
func (p *Pool) Return(ctx context.Context, id string, s Settings) (*App, error) {
	list, err := p.Asides()
	if err != nil {
		return nil, err
	}
	slices.Reverse(list)
	i := slices.IndexFunc(list, func(a Aside) bool { return a.ID == id })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "nothing of %q was set aside", id).WithSubject(id)
	}
	back := func(target string) error {
		if err := os.Rename(p.asidePath(list[i]), target); err != nil {
			return diskFault(err, "bring the storage of %q back", id)
		}
		return syncDir(p.dir)
	}
	return p.make(ctx, id, s, back, func(target string) error { return os.Rename(target, p.asidePath(list[i])) })
}

// Forget deletes what was set aside before a time, and returns how many of them.
func (p *Pool) Forget(before time.Time) (n int, err error) {
	list, err := p.Asides()
	if err != nil {
		return 0, err
	}
	for _, a := range list {
		if !a.Since.Before(before) {
			continue
		}
		if err := os.RemoveAll(p.asidePath(a)); err != nil {
			return n, diskFault(err, "remove what was set aside of %q", a.ID)
		}
		n++
	}
	return n, nil
}

// make brings the storage of an app about that has none, and opens it before
// anybody can take it for left over. What cannot be opened is undone.
func (p *Pool) make(ctx context.Context, id string, s Settings, how, undo func(target string) error) (*App, error) {
	sl, err := p.seize(ctx, id)
	if err != nil {
		return nil, err
	}
	target := filepath.Join(p.dir, id)
	var c *core
	if _, err = os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		err = fault.New(fault.Conflict, "there is storage of %q already", id).WithSubject(id).WithHint("restore it beside, under another id")
	} else if err = how(target); err == nil {
		if c, err = openCore(ctx, target, id, s); err != nil {
			err = errors.Join(err, undo(target))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		sl.core, sl.uses = c, 1
	}
	p.doneLocked(sl)
	if err != nil {
		return nil, err
	}
	return p.handle(sl), nil
}
