// Package platform is the ground a node stands on: it opens and closes, in
// order, what the node keeps on disk, and holds the lock that makes one process
// its owner. cmd/fazt opens it before anything else and hands its parts to the
// rooms above; it refuses to know what they do with them.
package platform

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/clock"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/mail"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/platform/usage"
)

// Platform is an open state folder. It belongs to this process until Close.
type Platform struct {
	Dir      string // absolute path of the state folder
	Temp     string // folder for temporary files, emptied at each Open, on the same disk
	DB       *sqlite.DB
	Blobs    *blob.Store
	Journal  *journal.Journal
	Releases *release.Store
	Clock    *clock.Clock // for what cannot be taken back
	Usage    *usage.Store
	People   *identity.Directory // who signs in
	Mail     *mail.Outbox
	Apps     *storage.Pool // what apps keep, in app/
	Logs     *applog.Log   // what apps say, in log/

	log     *slog.Logger
	lent    atomic.Int32 // to how many commands the reserve is
	lock    *os.File
	opened  bool
	unclean bool // the last process that had the folder did not close it
	crashes int
}

// RunFolder is where in the state folder at dir a running node keeps its socket
// and the facts about itself.
func RunFolder(dir string) string { return filepath.Join(dir, "run") }

// Open makes the state folder at dir if need be and opens all that is in it.
// The error's kind is Exhausted if another process has it, Forbidden if others
// may write to it, Unavailable if the disk refuses. A record that is damaged is
// set aside (see Aside). log gets that, and what Run finds.
func Open(ctx context.Context, dir string, log *slog.Logger) (*Platform, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "open state folder %q", dir)
	}
	if err := privateFolder(dir); err != nil {
		return nil, err
	}
	lock, before, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	p := &Platform{Dir: dir, Temp: filepath.Join(dir, "tmp"), Clock: clock.New(before.known, nil), log: log, lock: lock, unclean: before.unclean}
	noteTime(lock, p.Clock.Sure())
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.noteStart(time.Now())
	p.setAsideRoom()
	p.opened = true
	return p, nil
}

// Clear empties the state folder at dir, where there is one. The error's kind
// is Exhausted if another process has it, as for Open.
func Clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "empty state folder %q", dir)
	}
	lock, _, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, e := range entries {
		if e.Name() == lockName {
			continue // it is what holds others off
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fault.Wrap(fault.Unavailable, err, "empty state folder %q", dir)
		}
	}
	return nil
}

func (p *Platform) open(ctx context.Context) error {
	for _, folder := range []string{p.Temp, RunFolder(p.Dir)} {
		if err := privateFolder(folder); err != nil {
			return err
		}
	}
	if err := p.sweep(time.Time{}); err != nil {
		return fault.Wrap(fault.Unavailable, err, "empty %q", p.Temp)
	}
	var err error
	if p.Blobs, err = blob.Open(filepath.Join(p.Dir, "blob")); err != nil {
		return err
	}
	p.Apps = storage.NewPool(filepath.Join(p.Dir, "app"), storage.Options{Halt: p.halt})
	p.Logs = applog.New(filepath.Join(p.Dir, "log"))
	return p.openRecord(ctx)
}

// Listen binds a socket of this node in its run folder.
func (p *Platform) Listen(name string) (net.Listener, error) {
	return ListenUnix(RunFolder(p.Dir), name)
}

const (
	sweepEvery = time.Hour
	tempAge    = 24 * time.Hour // longer than any upload
)

// Files is what the ground must be told of the files it keeps.
type Files struct {
	Digests Digests           // what a recorded file list refers to; nil: releases and blobs stay
	Damaged func(blob.Digest) // told of bytes in service that a scrub finds damaged or missing; nil: none is made
	Data    Data              // whose data a recorded object has; nil: all data stays
}

// Run does the chores until ctx ends: it forgets what is older than is kept,
// removes the files that nothing refers to any more and temporary files that
// nobody came back for, and reads what is served again, looking for damage.
func (p *Platform) Run(ctx context.Context, f Files) error {
	scrubbing := make(chan struct{})
	go func() {
		defer close(scrubbing)
		p.scrubs(ctx, f)
	}()
	defer func() { <-scrubbing }()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	defer time.AfterFunc(crashWindow, p.forgetStarts).Stop()
	p.tidy(ctx, f, true) // what a crash left
	p.tellHead(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			noteTime(p.lock, p.Clock.Sure())
			p.tellHead(ctx)
			if err := p.sweep(p.Clock.Sure().Add(-tempAge)); err != nil {
				p.log.Warn("temporary files stay", "component", "platform", "folder", p.Temp, "error", err)
			}
			p.tidy(ctx, f, false)
		}
	}
}

// tellHead logs the journal's newest entry: whoever keeps the log can tell later
// that the journal was not cut short or written anew.
func (p *Platform) tellHead(ctx context.Context) {
	if h, err := p.Journal.Head(ctx); err == nil && h.Seq > 0 {
		p.log.Info("the journal's head", "component", "platform", "seq", h.Seq, "hash", h.Hash)
	}
}

// sweep removes the temporary files that were last changed before a time, all of
// them for the zero time.
func (p *Platform) sweep(before time.Time) error {
	entries, err := os.ReadDir(p.Temp)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !before.IsZero() && info.ModTime().After(before) {
			continue // gone, or in use
		}
		failed = errors.Join(failed, os.RemoveAll(filepath.Join(p.Temp, e.Name())))
	}
	return failed
}

// Close closes all in reverse order and gives the folder free. It is safe after
// a failed Open and a second time.
func (p *Platform) Close() error {
	var err error
	clean := p.opened
	if p.opened {
		p.forgetStarts()
		p.opened = false
	}
	if p.Apps != nil {
		err = p.Apps.Close()
		p.Apps = nil
	}
	if p.Logs != nil {
		err = errors.Join(err, p.Logs.Close())
		p.Logs = nil
	}
	if p.DB != nil {
		err = errors.Join(err, p.DB.Close())
		clean = clean && !p.DB.Suspect()
		p.DB = nil
	}
	if clean && err == nil {
		closeWell(p.lock)
		noteTime(p.lock, p.Clock.Sure())
	}
	if p.lock != nil {
		err = errors.Join(err, unlock(p.lock))
		p.lock = nil
	}
	return err
}
