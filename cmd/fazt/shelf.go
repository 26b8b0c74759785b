package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/fazt-sh/fazt/platform/fault"
)

// backupView is one backup: what lies beside it as JSON.
type backupView struct {
	ID        string    `json:"id"` // notes/20261123T100000Z
	App       string    `json:"app"`
	Time      time.Time `json:"time"` // what was acknowledged before is in it
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"` // of the file
	By        string    `json:"by"`     // who asked for it
	Scheduled bool      `json:"scheduled,omitempty"`
	Verified  time.Time `json:"verified,omitzero"` // when it was last restored as a test
	Problem   string    `json:"problem,omitempty"` // why that failed
}

// good reports whether the backup was restored as a test, and was whole.
func (b backupView) good() bool { return b.Problem == "" && !b.Verified.IsZero() }

// shelf is the node's own backups, STATE/backup/APP/TIME.fazt, each with what is
// known of it beside. It needs no record, so that it outlives one.
type shelf struct {
	dir string

	making   sync.Mutex        // one backup is made at a time
	mu       sync.Mutex        // of what follows
	problems map[string]string // why an app's last scheduled backup came to nothing; guarded by mu
}

const (
	backupStamp  = "20060102T150405Z"
	backupEnding = ".fazt"
)

var backupForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}/[0-9]{8}T[0-9]{6}Z(-[0-9]{1,3})?$`)

func newShelf(state string) *shelf {
	return &shelf{dir: filepath.Join(state, "backup"), problems: map[string]string{}}
}

// path is where a backup is, or what is known of it.
func (s *shelf) path(id, ending string) string {
	return filepath.Join(s.dir, filepath.FromSlash(id)+ending)
}

// list returns the backups of an app, or of all, the newest first in each.
func (s *shelf) list(app string) (list []backupView, err error) {
	apps := []string{app}
	if app == "" {
		if apps, err = s.apps(); err != nil {
			return nil, err
		}
	}
	for _, app := range apps {
		ids, err := s.ids(app)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			list = append(list, s.known(id))
		}
	}
	return list, nil
}

// apps lists those that have backups, or had some.
func (s *shelf) apps() (apps []string, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, shelfFault(err)
	}
	for _, e := range entries {
		apps = append(apps, e.Name())
	}
	return apps, nil
}

// ids lists the backups of an app, the newest first.
func (s *shelf) ids(app string) (ids []string, err error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, app))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, shelfFault(err)
	}
	for _, e := range entries {
		stamp, is := strings.CutSuffix(e.Name(), backupEnding)
		if id := app + "/" + stamp; is && backupForm.MatchString(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return -byAge(a, b) })
	return ids, nil
}

// newest returns an app's newest backup that is good, and whether there is one. It
// looks at no more than it must.
func (s *shelf) newest(app string) (b backupView, there bool, err error) {
	ids, err := s.ids(app)
	for _, id := range ids {
		if b = s.known(id); b.good() {
			return b, true, nil
		}
	}
	return backupView{}, false, err
}

// byAge orders backups of an app, the oldest first: those of one second have numbers.
func byAge(a, b string) int {
	order := func(id string) (stamp string, number int) {
		stamp, rest, _ := strings.Cut(id[strings.IndexByte(id, '/')+1:], "-")
		number, _ = strconv.Atoi(rest)
		return stamp, number
	}
	stampA, numberA := order(a)
	stampB, numberB := order(b)
	return cmp.Or(strings.Compare(stampA, stampB), cmp.Compare(numberA, numberB))
}

// known is what lies beside a backup; where that is lost, what the file says.
func (s *shelf) known(id string) (b backupView) {
	text, err := os.ReadFile(s.path(id, ".json"))
	if err != nil || json.Unmarshal(text, &b) != nil || b.ID != id {
		app, stamp, _ := strings.Cut(id, "/")
		b = backupView{ID: id, App: app, Problem: "nothing is known of it: fazt backup verify " + id}
		b.Time, _ = time.Parse(backupStamp, stamp[:len(backupStamp)])
	}
	if info, err := os.Stat(s.path(id, backupEnding)); err == nil {
		b.Size = info.Size()
	}
	return b
}

// latest stands for the newest backup of an app that can be restored: notes/latest.
const latest = "/latest"

// find returns a backup by its id, or the latest one of an app.
func (s *shelf) find(id string) (backupView, error) {
	app, is := strings.CutSuffix(id, latest)
	if !is || !backupForm.MatchString(app+"/"+backupStamp) {
		return s.get(id)
	}
	b, there, err := s.newest(app)
	if err == nil && !there {
		err = fault.New(fault.NotFound, "there is no backup of %s that can be restored", app).WithSubject(id).WithHint("fazt backup create %s", app)
	}
	return b, err
}

// get returns a backup by its id.
func (s *shelf) get(id string) (backupView, error) {
	if !backupForm.MatchString(id) {
		return backupView{}, fault.New(fault.Invalid, "%q is no backup", id).WithSubject(id).WithHint("fazt backup list; a file's name ends in %s", backupEnding)
	}
	if _, err := os.Stat(s.path(id, backupEnding)); err != nil {
		return backupView{}, fault.New(fault.NotFound, "there is no backup %q", id).WithSubject(id).WithHint("fazt backup list")
	}
	return s.known(id), nil
}

// put makes a backup: write fills the file, which has its name when all of it is on
// the disk.
func (s *shelf) put(b backupView, write func(io.Writer) error) (backupView, error) {
	dir := filepath.Join(s.dir, b.App)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return b, shelfFault(err)
	}
	clearPartial(dir)
	b.ID = s.free(b.App, b.Time)
	f, err := os.OpenFile(s.path(b.App+"/.partial", backupEnding), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return b, shelfFault(err)
	}
	defer os.Remove(f.Name())
	sum := &summed{w: f, hash: sha256.New()}
	err = write(sum)
	failpoint.Reached("backup.written")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return b, err
	}
	b.Size, b.SHA256 = sum.n, hex.EncodeToString(sum.hash.Sum(nil))
	if err := os.Rename(f.Name(), s.path(b.ID, backupEnding)); err != nil {
		return b, shelfFault(err)
	}
	failpoint.Reached("backup.named")
	return b, s.note(b)
}

// free is an id that no backup has.
func (s *shelf) free(app string, at time.Time) string {
	stamp := app + "/" + at.UTC().Format(backupStamp)
	id := stamp
	for n := 2; ; n++ {
		if _, err := os.Lstat(s.path(id, backupEnding)); errors.Is(err, fs.ErrNotExist) {
			return id
		}
		id = fmt.Sprintf("%s-%d", stamp, n)
	}
}

// note writes down what is known of a backup, whole or not at all.
func (s *shelf) note(b backupView) error {
	text, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	temp := s.path(b.ID, ".json.partial")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return shelfFault(err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temp, s.path(b.ID, ".json"))
	}
	if err != nil {
		return shelfFault(err)
	}
	d, err := os.Open(filepath.Dir(temp))
	if err != nil {
		return shelfFault(err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove deletes a backup, and its folder with the last one.
func (s *shelf) remove(id string) error {
	if err := os.Remove(s.path(id, backupEnding)); err != nil {
		return shelfFault(err)
	}
	_ = os.Remove(s.path(id, ".json"))
	_ = os.Remove(filepath.Dir(s.path(id, ""))) // it stays while there are others
	return nil
}

// clearPartial removes what a crash left half done.
func clearPartial(dir string) {
	_ = os.Remove(filepath.Join(dir, ".partial"+backupEnding))
	left, _ := filepath.Glob(filepath.Join(dir, "*.json.partial"))
	for _, name := range left {
		_ = os.Remove(name)
	}
}

// failed remembers why an app has no newer backup; an empty reason is that it has.
func (s *shelf) failed(app, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why == "" {
		delete(s.problems, app)
		return
	}
	s.problems[app] = why
}

// trouble lists the apps whose last scheduled backup came to nothing, with why.
func (s *shelf) trouble() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for app, why := range s.problems {
		list = append(list, app+": "+why)
	}
	slices.Sort(list)
	return list
}

// summed writes, and knows how much and its sum.
type summed struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

// Write implements io.Writer.
func (s *summed) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.hash.Write(b[:n])
	s.n += int64(n)
	return n, err
}

func shelfFault(err error) error {
	return fault.Wrap(fault.Unavailable, err, "keep backups").WithHint("check the disk and the owner of the state folder")
}
