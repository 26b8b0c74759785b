package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/spec"
)

// backupPlan is how often apps are backed up by themselves, and how many of those
// backups are kept of each. Without a time none is made.
type backupPlan struct {
	every time.Duration
	keep  int
}

// backupLook is how often the node looks whose backup is due.
const backupLook = 5 * time.Minute

// runBackups backs up what apps keep, one after the other, until ctx ends.
func (n *node) runBackups(ctx context.Context) error {
	if n.cfg.backups.every <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(min(n.cfg.backups.every, backupLook))
	defer tick.Stop()
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := n.backupRound(ctx, first); err != nil && ctx.Err() == nil {
			n.cfg.log.Warn("backups are not made", "error", err)
		}
	}
}

// backupRound backs up the apps whose time has come, and then deletes backups that
// are no longer kept; with retire, also where none was made.
func (n *node) backupRound(ctx context.Context, retire bool) error {
	apps, err := n.keepers(ctx)
	if err != nil {
		return err
	}
	for _, o := range apps {
		if ctx.Err() != nil {
			return nil
		}
		due, err := n.backupDue(o)
		if err != nil {
			return err
		}
		if !due {
			continue
		}
		b, err := n.backup(ctx, o, "schedule", true)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			n.shelf.failed(o.Name, err.Error())
			n.cfg.log.Warn("an app is not backed up", "app", o.Name, "error", err)
		default:
			retire = true
			n.shelf.failed(o.Name, b.Problem)
			n.cfg.log.Info("backed up and restored as a test", "app", o.Name, "backup", b.ID, "bytes", b.Size)
		}
	}
	if !retire {
		return nil
	}
	return n.retireBackups(apps)
}

// backupDue reports whether an app was changed since its newest backup, and that is
// old enough. One that cannot be restored is none.
func (n *node) backupDue(o spec.Object) (bool, error) {
	newest, there, err := n.shelf.newest(o.Name)
	if err != nil || !there {
		return !there, err
	}
	if n.ground.Clock.Now().Sub(newest.Time) < n.cfg.backups.every {
		return false, nil
	}
	changed, err := lastWritten(filepath.Join(n.ground.Dir, "app", o.Data))
	return !changed.Before(newest.Time), err
}

// lastWritten is when an app's data was written last. Each file that it keeps has a
// row, so that the database and its log tell of all.
func lastWritten(dir string) (last time.Time, err error) {
	for _, name := range []string{"data.db", "data.db-wal"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return last, err
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}

// retireBackups deletes the scheduled backups of each app but the newest ones that can
// be restored, and after a month all of apps that are gone. What somebody asked for
// stays until somebody removes it.
func (n *node) retireBackups(apps []spec.Object) error {
	list, err := n.shelf.list("")
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, o := range apps {
		there[o.Name] = true
	}
	old := n.ground.Clock.Sure().Add(-platform.AsideFor)
	good := map[string]int{}
	for _, b := range list { // the newest first
		if !b.Scheduled {
			continue
		}
		if b.good() {
			good[b.App]++
		}
		if there[b.App] && good[b.App] > n.cfg.backups.keep || !there[b.App] && b.Time.Before(old) {
			if err := n.shelf.remove(b.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// backupStatus is what an operator must know of backups.
type backupStatus struct {
	Every    time.Duration `json:"every_ns"`          // 0: none by themselves
	Apps     int           `json:"apps"`              // that keep data
	Oldest   time.Time     `json:"oldest,omitzero"`   // of the newest verified backup of each
	Missing  []string      `json:"missing,omitempty"` // apps without a verified one
	Problems []string      `json:"problems,omitempty"`
}

// backupsNow sums up the backups; nil where no app keeps data.
func (n *node) backupsNow(ctx context.Context) (*backupStatus, error) {
	apps, err := n.keepers(ctx)
	if err != nil || len(apps) == 0 {
		return nil, err
	}
	s := &backupStatus{Every: n.cfg.backups.every, Apps: len(apps), Problems: n.shelf.trouble()}
	for _, o := range apps {
		newest, there, err := n.shelf.newest(o.Name)
		if err != nil {
			return nil, err
		}
		switch {
		case !there:
			s.Missing = append(s.Missing, o.Name)
		case s.Oldest.IsZero() || newest.Time.Before(s.Oldest):
			s.Oldest = newest.Time
		}
	}
	return s, nil
}

// String is the line of it.
func (s *backupStatus) String() string {
	var parts []string
	if !s.Oldest.IsZero() {
		parts = append(parts, ago(s.Oldest)+" or newer, restored as a test")
	}
	if len(s.Missing) > 0 {
		parts = append(parts, "none of "+clip(strings.Join(s.Missing, ", "), 60))
	}
	if s.Every <= 0 {
		parts = append(parts, "only when somebody asks")
	}
	return strings.Join(parts, "; ")
}
