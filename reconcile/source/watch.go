package source

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fsnotify/fsnotify"
)

const (
	// longestQuiet is how long a folder that never rests can delay a poke, in
	// debounces.
	longestQuiet = 20
	// retryWatch is the time before a folder that went away is looked for.
	retryWatch = time.Second
)

// Watch pokes when something in the folder changed and rested for the debounce
// time. It follows new folders, leaves out what is not shown, and survives the
// folder going away and coming back. It blocks until ctx ends and then returns
// nil; an error means that it cannot watch at all.
func (d *Dir) Watch(ctx context.Context, poke func()) error {
	for {
		err := d.watch(ctx, poke)
		if ctx.Err() != nil {
			return nil
		}
		if fault.KindOf(err) == fault.Exhausted {
			return err
		}
		d.log.WarnContext(ctx, "watching the folder stopped", "source", d.dir, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryWatch):
			poke()
		}
	}
}

// watch runs one watcher until ctx ends or the folder is gone.
func (d *Dir) watch(ctx context.Context, poke func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return watchFault(err)
	}
	defer watcher.Close()
	if err := d.watchBelow(watcher, "."); err != nil {
		return err
	}
	rest := newRest(d.debounce)
	defer rest.stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-rest.done():
			rest.stop()
			poke()
		case event, ok := <-watcher.Events:
			if !ok {
				return fsnotify.ErrClosed
			}
			gone, err := d.see(watcher, event)
			if err != nil || gone {
				return err
			}
			if event.Op != fsnotify.Chmod && d.seen(event.Name) {
				rest.restart()
			}
		case err := <-watcher.Errors:
			// Events were lost: everything may have changed, folders too.
			d.log.WarnContext(ctx, "watching the folder", "source", d.dir, "error", err)
			if err := d.watchBelow(watcher, "."); err != nil {
				return err
			}
			rest.restart()
		}
	}
}

// see keeps the set of watched folders up to date. It reports whether the
// watched folder itself is gone.
func (d *Dir) see(watcher *fsnotify.Watcher, event fsnotify.Event) (gone bool, err error) {
	rel, err := filepath.Rel(d.dir, event.Name)
	if err != nil {
		return false, nil
	}
	if rel == "." && event.Has(fsnotify.Remove|fsnotify.Rename) {
		return true, nil
	}
	if event.Has(fsnotify.Create) || filepath.Base(rel) == ".gitignore" {
		return false, d.watchBelow(watcher, filepath.ToSlash(rel))
	}
	return false, nil
}

// seen reports whether a changed path is one that is shown. What is gone by now
// counts as shown: only the folder above it can say so.
func (d *Dir) seen(name string) bool {
	rel, err := filepath.Rel(d.dir, name)
	if err != nil {
		return false
	}
	f, err := openFolderOn(d.dir, d.skip)
	if err != nil {
		return true
	}
	defer f.Close()
	rel = filepath.ToSlash(rel)
	if _, err := f.root.Lstat(filepath.FromSlash(rel)); err != nil {
		return !f.hidden(rel, false)
	}
	return f.shown("watch", rel) == nil
}

// watchBelow watches a folder and all shown ones in it. A path that is no
// folder, or gone, is nothing to watch; its parent is watched already. An
// ignore file changes what is shown of the folder it is in.
func (d *Dir) watchBelow(watcher *fsnotify.Watcher, name string) error {
	if filepath.Base(name) == ".gitignore" {
		name = filepath.ToSlash(filepath.Dir(name))
	}
	f, err := openFolderOn(d.dir, d.skip)
	if err != nil {
		return err
	}
	defer f.Close()
	return fs.WalkDir(f, name, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return readFault(err)
		}
		if !entry.IsDir() {
			return nil
		}
		err = watcher.Add(filepath.Join(d.dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return watchFault(err)
	})
}

func watchFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EMFILE):
		return fault.Wrap(fault.Exhausted, err, "too many folders to watch").
			WithHint("raise fs.inotify.max_user_watches and fs.inotify.max_user_instances")
	default:
		return fault.Wrap(fault.Unavailable, err, "the folder cannot be watched")
	}
}

// rest waits until nothing happened for a while, but not for ever.
type rest struct {
	quiet time.Duration
	timer *time.Timer // nil while nothing happened
	since time.Time
}

func newRest(quiet time.Duration) *rest { return &rest{quiet: quiet} }

func (r *rest) restart() {
	if r.timer == nil {
		r.since = time.Now()
		r.timer = time.NewTimer(r.quiet)
		return
	}
	if left := r.quiet*longestQuiet - time.Since(r.since); left > 0 {
		r.timer.Reset(min(r.quiet, left))
	}
}

func (r *rest) stop() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
}

func (r *rest) done() <-chan time.Time {
	if r.timer == nil {
		return nil
	}
	return r.timer.C
}
