package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

var monday = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// shelve makes a backup that says a word.
func shelve(t *testing.T, s *shelf, app, word string, at time.Time) backupView {
	t.Helper()
	b, err := s.put(backupView{App: app, Time: at, By: "local:0", Verified: at}, func(w io.Writer) error {
		_, err := io.WriteString(w, word)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The newest backup of an app is the latest one, also of those of one second; one that
// could not be restored does not count.
func TestShelf(t *testing.T) {
	s := newShelf(t.TempDir())
	if _, err := s.find("notes/latest"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("there is none: %v", err)
	}
	for i := range 12 {
		b := shelve(t, s, "notes", strings.Repeat("x", i), monday)
		if latest, err := s.find("notes/latest"); err != nil || latest.ID != b.ID || latest.Size != int64(i) {
			t.Fatalf("after %s the latest is %+v, %v", b.ID, latest, err)
		}
	}
	shelve(t, s, "notes-2", "other", monday.Add(time.Hour))
	newest := shelve(t, s, "notes", "newest", monday.Add(time.Minute))
	list, err := s.list("notes")
	if err != nil || len(list) != 13 || list[0].ID != newest.ID || list[12].ID != "notes/20261123T100000Z" {
		t.Fatalf("%+v, %v", list, err)
	}
	newest.Problem = "it is damaged"
	if err := s.note(newest); err != nil {
		t.Fatal(err)
	}
	if latest, err := s.find("notes/latest"); err != nil || latest.ID != "notes/20261123T100000Z-12" {
		t.Errorf("%+v, %v", latest, err)
	}
	for _, b := range list {
		if err := s.remove(b.ID); err != nil {
			t.Fatal(err)
		}
	}
	if list, err = s.list(""); err != nil || len(list) != 1 || list[0].App != "notes-2" {
		t.Errorf("%+v, %v", list, err)
	}
}

// A backup that came to nothing is not there, what is known of one may be lost, and
// no name leads elsewhere.
func TestShelfKeepsToItself(t *testing.T) {
	dir := t.TempDir()
	s := newShelf(dir)
	if _, err := s.put(backupView{App: "notes", Time: monday}, func(io.Writer) error { return errors.New("the disk is gone") }); err == nil {
		t.Error("it failed, and is there")
	}
	if list, err := s.list(""); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
	b := shelve(t, s, "notes", "word", monday)
	if err := os.Remove(s.path(b.ID, ".json")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.find(b.ID); err != nil || got.Size != 4 || !got.Time.Equal(monday) || got.Problem == "" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, name := range []string{"", "notes", "../notes/20261123T100000Z", "notes/../notes/20261123T100000Z", "/etc/passwd", "notes/20261123T100000Z.fazt", "./latest", "../latest", "notes/latest/latest"} {
		if _, err := s.find(name); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"notes", "."} {
		info, err := os.Stat(filepath.Join(dir, "backup", name))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(s.path(b.ID, backupEnding)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}
