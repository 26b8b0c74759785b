// Package applog keeps what apps say: the lines of their console, and what went
// wrong with their requests. The edge writes, `fazt app logs` reads. Each app has
// one file that is turned over at a size, so a talkative app costs a known amount
// of disk and no other app's lines. It refuses to know what a line is about.
//
// Lines are for people: they are written without a sync, and a crash of the
// machine may take the last of them.
package applog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Line is one thing that an app said, or that is said of it.
type Line struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"` // "debug", "info", "warn", "error"
	Text    string    `json:"text"`
	Request string    `json:"request,omitempty"` // id of the request, as its answer carries it
	Release string    `json:"release,omitempty"` // revision of the release that was running
}

// Levels are the levels from the least to the most important.
func Levels() []string { return []string{"debug", "info", "warn", "error"} }

// fileMost is when a file is turned over; one older file is kept.
const fileMost = 1 << 20

// followersRoom is how many lines a follower may be behind before it misses some.
const followersRoom = 256

// Log is the lines of all apps of a node. Its methods may be called from any
// goroutine.
type Log struct {
	dir string

	mu   sync.Mutex
	apps map[string]*stream
}

// stream is the lines of one app.
type stream struct {
	file      *os.File // nil until the first line
	size      int64
	followers map[chan Line]bool
}

// New returns the log kept in a folder, which is made with the first line.
func New(dir string) *Log { return &Log{dir: dir, apps: map[string]*stream{}} }

var idForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,79}$`) })

func (l *Log) path(app string) string { return filepath.Join(l.dir, app+".ndjson") }

// ofLocked returns the stream of an app; the caller holds mu.
func (l *Log) ofLocked(app string) *stream {
	s := l.apps[app]
	if s == nil {
		s = &stream{followers: map[chan Line]bool{}}
		l.apps[app] = s
	}
	return s
}

// Write adds lines to an app's log and wakes who follows it. The error is one of
// the disk; the lines have reached the followers then.
func (l *Log) Write(app string, lines ...Line) error {
	if !idForm().MatchString(app) {
		return fault.New(fault.Internal, "%q cannot name a log", app)
	}
	var text []byte
	for _, line := range lines {
		encoded, err := json.Marshal(line)
		if err != nil { // a time beyond the year 9999
			return fault.Wrap(fault.Internal, err, "write a line of %q", app)
		}
		text = append(append(text, encoded...), '\n')
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.ofLocked(app)
	for _, line := range lines {
		for follower := range s.followers {
			select {
			case follower <- line:
			default: // it is too slow; the file has the line
			}
		}
	}
	return l.appendLocked(s, app, text)
}

func (l *Log) appendLocked(s *stream, app string, text []byte) error {
	if s.file != nil && s.size+int64(len(text)) > fileMost {
		s.file.Close()
		s.file = nil
		if err := os.Rename(l.path(app), l.path(app)+".1"); err != nil {
			return fault.Wrap(fault.Unavailable, err, "turn over the log of %q", app)
		}
	}
	if s.file == nil {
		if err := l.openLocked(s, app); err != nil {
			return err
		}
	}
	n, err := s.file.Write(text)
	s.size += int64(n)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "write the log of %q", app)
	}
	return nil
}

func (l *Log) openLocked(s *stream, app string) error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "make the folder of logs")
	}
	f, err := os.OpenFile(l.path(app), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "open the log of %q", app)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fault.Wrap(fault.Unavailable, err, "open the log of %q", app)
	}
	s.file, s.size = f, info.Size()
	return nil
}

// Filter chooses lines.
type Filter struct {
	Since time.Time // zero: all that is kept
	Level string    // this one and what is more important; empty: all
	Last  int       // the newest so many; 0: all

	Release string // of the release with this revision; empty: of all
}

func (f Filter) takes(line Line) bool {
	if line.Time.Before(f.Since) || f.Release != "" && line.Release != f.Release {
		return false
	}
	return f.Level == "" || slices.Index(Levels(), line.Level) >= slices.Index(Levels(), f.Level)
}

// Read returns lines of an app, oldest first. An app that never said anything has
// none. A line that a crash cut short is left out.
func (l *Log) Read(app string, f Filter) ([]Line, error) {
	if !idForm().MatchString(app) {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.readLocked(app, f)
}

func (l *Log) readLocked(app string, f Filter) (lines []Line, err error) {
	for _, name := range []string{l.path(app) + ".1", l.path(app)} {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "read the log of %q", app)
		}
		rows := bufio.NewScanner(bytes.NewReader(text))
		rows.Buffer(nil, fileMost)
		for rows.Scan() {
			var line Line
			if json.Unmarshal(rows.Bytes(), &line) == nil && f.takes(line) {
				lines = append(lines, line)
			}
		}
	}
	if f.Last > 0 && len(lines) > f.Last {
		lines = lines[len(lines)-f.Last:]
	}
	return lines, nil
}

// Follow returns the lines that are kept and a channel of those that come, with
// nothing between them missed. A follower that falls far behind misses lines.
// Call stop when done.
func (l *Log) Follow(app string, f Filter) (lines []Line, next <-chan Line, stop func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lines, err = l.readLocked(app, f); err != nil {
		return nil, nil, nil, err
	}
	s, c := l.ofLocked(app), make(chan Line, followersRoom)
	s.followers[c] = true
	return lines, c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(s.followers, c)
	}, nil
}

// Takes reports whether a filter takes a line that came.
func (f Filter) Takes(line Line) bool { return f.takes(line) }

// Remove forgets what an app said.
func (l *Log) Remove(app string) error {
	if !idForm().MatchString(app) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.apps[app]; s != nil && s.file != nil {
		s.file.Close()
		s.file = nil
	}
	var errs []error
	for _, name := range []string{l.path(app), l.path(app) + ".1"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Close closes the files.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, s := range l.apps {
		if s.file != nil {
			errs = append(errs, s.file.Close())
			s.file = nil
		}
	}
	return errors.Join(errs...)
}
