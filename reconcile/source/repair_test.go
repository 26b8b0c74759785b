package source_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// packFiles lists what is in a mirror's pack folder.
func packFiles(t testing.TB, mirror string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(mirror, "objects", "pack", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// smash overwrites the middle of every pack of a mirror.
func smash(t testing.TB, mirror string) {
	t.Helper()
	for _, path := range packFiles(t, mirror) {
		if !strings.HasSuffix(path, ".pack") {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		chmod(t, filepath.Dir(path), filepath.Base(path), 0o600)
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, info.Size()-40), 16); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

func TestDamagedMirrorIsFetchedAnew(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, dir string){
		"smashed pack": func(t *testing.T, dir string) { smash(t, dir) },
		"pack gone": func(t *testing.T, dir string) {
			for _, path := range packFiles(t, dir) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		},
		"cut index": func(t *testing.T, dir string) {
			for _, path := range packFiles(t, dir) {
				if strings.HasSuffix(path, ".idx") {
					if err := os.Truncate(path, 100); err != nil {
						t.Fatal(err)
					}
				}
			}
		},
		"empty ref": func(t *testing.T, dir string) {
			writeFiles(t, dir, map[string]string{"refs/fazt/src/main": "\n"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			first := o.commit("first", map[string]string{"a.txt": "a", "b/c.txt": "c"})
			c := serve(t, o, nil).config(t)
			g := openGit(t, c)
			mustFetch(t, g, "")
			if err := g.Keep(3, first); err != nil {
				t.Fatal(err)
			}
			g.Close()
			harm(t, c.Dir)
			g = openGit(t, c)
			a := mustFetch(t, g, first)
			if got, err := fs.ReadFile(a.Tree, "b/c.txt"); err != nil || string(got) != "c" {
				t.Errorf("%q, %v", got, err)
			}
			runGit(t, c.Dir, "", "fsck", "--strict")
			for _, left := range []string{c.Dir + ".old", c.Dir + ".new"} {
				if _, err := os.Stat(left); err == nil {
					t.Errorf("%s is left", left)
				}
			}
		})
	}
}

func TestDamageMetByAReaderIsRepairedByTheNextFetch(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": incompressible(100 << 10), "b.txt": incompressible(90 << 10)})
	c := serve(t, o, nil).config(t)
	g := openGit(t, c)
	a := mustFetch(t, g, "")
	if err := g.Keep(1, a.Revision); err != nil {
		t.Fatal(err)
	}
	smash(t, c.Dir)
	_, err := fs.ReadFile(a.Tree, "a.txt")
	wantFault(t, err, fault.Unavailable, "the mirror is damaged")
	b := mustFetch(t, g, a.Revision)
	for _, tree := range []source.Tree{a.Tree, b.Tree} {
		if got, err := fs.ReadFile(tree, "a.txt"); err != nil || string(got) != incompressible(100<<10) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if got := runGit(t, c.Dir, "", "for-each-ref", "refs/fazt/applied", "--format=%(objectname)"); got != a.Revision {
		t.Errorf("the applied ref is %q", got)
	}
}

// What the disk refuses says nothing of the revision, and nothing is fetched
// again for it: the next try may read it.
func TestRefusedReadIsAFaultOfTheDisk(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": "text"})
	c := serve(t, o, nil).config(t)
	g := openGit(t, c)
	a := mustFetch(t, g, "")
	id, err := a.Tree.ID("a.txt")
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	for _, path := range packFiles(t, c.Dir) { // loose files are opened anew each time
		body, err := os.ReadFile(path)
		if err != nil || os.Remove(path) != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".pack") {
			runGit(t, c.Dir, string(body), "unpack-objects", "-q")
		}
	}
	a = mustFetch(t, openGit(t, c), a.Revision)
	dir, name := filepath.Join(c.Dir, "objects", id[:2]), id[2:]
	if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "aside")); err != nil {
		t.Fatal(err)
	}
	symlink(t, dir, name, name) // to itself: no file, and not missing
	_, err = fs.ReadFile(a.Tree, "a.txt")
	wantFault(t, err, fault.Unavailable, "the mirror cannot be read")
	if err := os.Rename(filepath.Join(dir, "aside"), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(a.Tree, "a.txt"); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLeftoversOfAKilledProcessAreCleared(t *testing.T) {
	o := newOrigin(t)
	first := o.commit("first", map[string]string{"a.txt": "a"})
	c := serve(t, o, nil).config(t)
	g := openGit(t, c)
	mustFetch(t, g, "")
	g.Close()
	writeFiles(t, c.Dir, map[string]string{"objects/pack/tmp_pack_123": "half", "objects/pack/tmp_idx_1": "half",
		"refs/fazt/.tmp_1": "half", ".tmp_2": "half"})

	// Killed between the two renames of a swap: only the old one is there.
	if err := os.Rename(c.Dir, c.Dir+".old"); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, c.Dir+".new", map[string]string{"HEAD": "half"})
	g = openGit(t, c)
	if _, err := g.At(t.Context(), first); err != nil {
		t.Errorf("the old mirror was not taken back: %v", err)
	}
	for _, path := range packFiles(t, c.Dir) {
		if strings.Contains(path, "tmp_") {
			t.Errorf("%s is left", path)
		}
	}
	for _, name := range []string{"refs/fazt/.tmp_1", ".tmp_2"} {
		if _, err := os.Stat(filepath.Join(c.Dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	if _, err := os.Stat(c.Dir + ".new"); err == nil {
		t.Error("the half-made mirror is left")
	}
}

func TestMirrorThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"file": "x"})
	g, err := source.NewGit(source.GitConfig{URL: "/srv/a", Dir: filepath.Join(dir, "file", "mirror")})
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, g.Open(t.Context()), fault.Unavailable, "the mirror in")
	_, err = g.Fetch(t.Context(), "")
	wantFault(t, err, fault.Internal, "not open")
}
