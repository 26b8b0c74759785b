package applog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/applog"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func line(i int, level string) applog.Line {
	return applog.Line{Time: noon.Add(time.Duration(i) * time.Second), Level: level, Text: fmt.Sprintf("line %d", i), Release: fmt.Sprintf("r%d", i%2)}
}

func texts(lines []applog.Line) string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return strings.Join(all, ", ")
}

func TestFilter(t *testing.T) {
	l := applog.New(filepath.Join(t.TempDir(), "log"))
	for i, level := range []string{"debug", "info", "warn", "error"} {
		if err := l.Write("notes-1", line(i, level)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Write("other-2", line(9, "error")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		f    applog.Filter
		want string
	}{
		{applog.Filter{}, "line 0, line 1, line 2, line 3"},
		{applog.Filter{Level: "warn"}, "line 2, line 3"},
		{applog.Filter{Since: noon.Add(time.Second)}, "line 1, line 2, line 3"},
		{applog.Filter{Last: 1}, "line 3"},
		{applog.Filter{Release: "r0", Last: 1}, "line 2"},
	} {
		got, err := l.Read("notes-1", tt.f)
		if err != nil || texts(got) != tt.want {
			t.Errorf("%+v: %s (%v), want %s", tt.f, texts(got), err, tt.want)
		}
	}
	if got, err := l.Read("nobody-3", applog.Filter{}); err != nil || len(got) > 0 {
		t.Errorf("of an app that said nothing: %v %v", got, err)
	}
}

// However much an app says, its log stays under two files' size, and the newest
// lines are there.
func TestTurnsOver(t *testing.T) {
	dir := t.TempDir()
	l := applog.New(dir)
	long := strings.Repeat("x", 100<<10)
	for i := range 100 {
		said := line(i, "info")
		said.Text = fmt.Sprintf("%d %s", i, long)
		if err := l.Write("notes-1", said); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
		size += info.Size()
	}
	got, err := l.Read("notes-1", applog.Filter{Last: 1})
	if err != nil || len(got) != 1 || !strings.HasPrefix(got[0].Text, "99 ") {
		t.Errorf("the newest line: %v", err)
	}
	if size > 2<<20 {
		t.Errorf("%d bytes are kept", size)
	}
}

// A line that was cut short costs no other one; what is written after a restart
// comes behind what was there.
func TestReopens(t *testing.T) {
	dir := t.TempDir()
	l := applog.New(dir)
	if err := l.Write("notes-1", line(1, "info")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "notes-1.ndjson"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"time":"2026` + "\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	l = applog.New(dir)
	if err := l.Write("notes-1", line(2, "info")); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Read("notes-1", applog.Filter{}); err != nil || texts(got) != "line 1, line 2" {
		t.Errorf("%s (%v)", texts(got), err)
	}
	if err := l.Remove("notes-1"); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Read("notes-1", applog.Filter{}); len(got) > 0 {
		t.Errorf("after Remove: %s", texts(got))
	}
}

// Between what a follower reads and what it is sent no line is missing.
func TestFollow(t *testing.T) {
	l := applog.New(t.TempDir())
	if err := l.Write("notes-1", line(1, "info")); err != nil {
		t.Fatal(err)
	}
	had, next, stop, err := l.Follow("notes-1", applog.Filter{})
	if err != nil || texts(had) != "line 1" {
		t.Fatalf("%s (%v)", texts(had), err)
	}
	if err := l.Write("notes-1", line(2, "warn"), line(3, "info")); err != nil {
		t.Fatal(err)
	}
	if a, b := <-next, <-next; a.Text != "line 2" || b.Text != "line 3" {
		t.Errorf("%s, %s", a.Text, b.Text)
	}
	for i := range 1000 { // nobody reads: the app is not held up
		if err := l.Write("notes-1", line(i, "info")); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	stop()
}

// What names no app reaches no file.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	l := applog.New(filepath.Join(dir, "log"))
	for _, name := range []string{"", "../x", "a/b", ".", "A", "a\x00"} {
		if err := l.Write(name, line(1, "info")); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("there is %v", files)
	}
}
