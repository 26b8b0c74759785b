package source

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"testing"
	"time"
)

// Shown reports whether Watch would poke for a change of a path of the folder.
func (d *Dir) Shown(name string) bool { return d.seen(filepath.Join(d.dir, name)) }

// CheckTree decodes tree bytes and reports a broken promise of decodeTree.
func CheckTree(t *testing.T, raw []byte) {
	entries, err := decodeTree(raw)
	if err != nil {
		return
	}
	for i, e := range entries {
		if why := nameFault(e.name); why != "" {
			t.Errorf("%q passed: %s", e.name, why)
		}
		if i > 0 && entries[i-1].name >= e.name {
			t.Errorf("%q is not after %q", e.name, entries[i-1].name)
		}
		if found, ok := findEntry(entries, e.name); !ok || found.id != e.id {
			t.Errorf("%q is not found", e.name)
		}
		if e.mode.IsRegular() && e.mode.Perm()&^0o755 != 0 {
			t.Errorf("%q has mode %v", e.name, e.mode)
		}
	}
	if again, err := decodeTree(encodeTree(plain(entries))); err != nil || len(again) != len(plain(entries)) {
		t.Errorf("encoded again: %v", err)
	}
}

func plain(entries []entry) []entry {
	var kept []entry
	for _, e := range entries {
		if e.isDir() || e.isContent() {
			kept = append(kept, e)
		}
	}
	return kept
}

// CheckCommit decodes commit bytes and reports unclean text.
func CheckCommit(t *testing.T, raw []byte) {
	c, err := decodeCommit([20]byte{}, raw)
	if err != nil {
		return
	}
	for _, text := range []string{c.author, c.subject} {
		if len(text) > 200 || printable(text, 200) != text {
			t.Errorf("unclean: %q", text)
		}
	}
}

// ReadAdvert runs the reader of a remote's list of refs.
func ReadAdvert(raw []byte) error {
	_, err := readAdvert(bytes.NewReader(raw), "refs/heads/main")
	return err
}

// Receive runs what reads a remote's answer against an empty mirror, as if the
// remote had said that it sends in channels.
func Receive(t *testing.T, dir string, raw []byte, limits Limits) error {
	t.Helper()
	m, err := openMirror(dir, limits.withDefaults().Object)
	if err != nil {
		t.Fatal(err)
	}
	defer m.objects.Close()
	a := &advert{caps: map[string]bool{"side-band-64k": true}}
	ctx, pace := newPace(t.Context())
	_, err = a.receive(ctx, pace, bytes.NewReader(raw), m.objects, order{bytes: limits.withDefaults().Transfer}, limits.withDefaults())
	return pace.end(ctx, address{}, err)
}

// TreeOf returns the Tree over a tree object of a mirror without validating it.
func TreeOf(t *testing.T, dir string) (inspect func(id [20]byte) error, tree func(id [20]byte) fs.FS) {
	t.Helper()
	m, err := openMirror(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.objects.Close)
	store := func() *store { return m.objects }
	v := &inspector{store: store, limits: Limits{}.withDefaults()}
	shelf := &trees{store: store, damaged: func() {}}
	return func(id [20]byte) error { return v.inspect(context.Background(), id) },
		func(id [20]byte) fs.FS { return shelf.view(id) }
}

// ReceiveSlowly takes in an honest pack that comes with so many bytes a second.
// It is run in a bubble, where time is counted and not spent.
func ReceiveSlowly(t *testing.T, dir string, pack []byte, bytesPerSecond int) error {
	t.Helper()
	m, err := openMirror(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.objects.Close()
	ctx, pace := newPace(t.Context())
	r, w := io.Pipe()
	defer context.AfterFunc(ctx, func() { r.CloseWithError(context.Canceled) })()
	sent := make(chan struct{})
	defer func() { r.Close(); <-sent }()
	go func() {
		defer close(sent)
		_, _ = io.WriteString(w, "0008NAK\n")
		for len(pack) > 0 {
			n := min(bytesPerSecond, len(pack))
			if _, err := w.Write(pack[:n]); err != nil {
				return
			}
			pack = pack[n:]
			time.Sleep(time.Second)
		}
		w.Close()
	}()
	limits := Limits{}.withDefaults()
	a := &advert{caps: map[string]bool{}}
	_, err = a.receive(ctx, pace, r, m.objects, order{bytes: limits.Transfer}, limits)
	return pace.end(ctx, address{}, err)
}

// FoldersLookedAt counts the folders that a source looked at since its ref moved.
func FoldersLookedAt(g *Git) int { return g.inspect.reads }
