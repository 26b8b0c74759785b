package source_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/reconcile/source"
	"pgregory.net/rapid"
)

// Equal content has an equal id wherever it comes from: in git, in a folder, in
// memory. What the plan takes for unchanged rests on it.
func TestIDsAreGits(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and hundreds of processes: make test runs it")
	}
	o := newOrigin(t)
	d := source.NewDir(source.DirConfig{Dir: o.dir})
	g := openGit(t, source.GitConfig{URL: o.dir})
	name := rapid.StringMatching(`[a-c.ü-]{1,3}`).Filter(func(s string) bool { return strings.Trim(s, ".") != "" })
	paths := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(name, 1, 4).Draw(t, "path"), "/") })
	rapid.Check(t, func(rt *rapid.T) {
		memory := fstest.MapFS{}
		files := map[string]string{}
		for path, text := range rapid.MapOfN(paths, rapid.StringN(1, 40, -1), 1, 12).Draw(rt, "files") {
			if !clashes(files, path) {
				files[path] = text
				memory[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
			}
		}
		o.run("rm", "-r", "-q", "-f", "--ignore-unmatch", ".")
		o.commit("next", files)
		want := o.run("rev-parse", "HEAD^{tree}")
		fromMemory, err := source.FS(memory)
		if err != nil {
			rt.Fatal(err)
		}
		if id, err := fromMemory.ID("."); err != nil || id != want {
			rt.Errorf("in memory %s, %v; git says %s", id, err, want)
		}
		folder, commit := mustFetch(t, d, ""), mustFetch(t, g, "")
		if folder.TreeID != want || commit.TreeID != want {
			rt.Errorf("folder %s, commit %s; git says %s", folder.TreeID, commit.TreeID, want)
		}
		for path, text := range files {
			for kind, tree := range map[string]source.Tree{"memory": fromMemory, "folder": folder.Tree, "commit": commit.Tree} {
				if got, err := fs.ReadFile(tree, path); err != nil || string(got) != text {
					rt.Errorf("%s: %s is %q, %v", kind, path, got, err)
				}
			}
		}
	})
}

// clashes reports whether a path is a folder of another, or the other way round.
func clashes(files map[string]string, path string) bool {
	for _, other := range slices.Collect(maps.Keys(files)) {
		if strings.HasPrefix(other+"/", path+"/") || strings.HasPrefix(path+"/", other+"/") {
			return true
		}
	}
	return false
}

// The one process that may be started is the configured git's; the library's
// own ways to start one are not linked.
func TestNoWayToRunGitUnasked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(out)) {
		if strings.HasSuffix(name, "/execabs") || strings.HasSuffix(name, "transport/file") {
			t.Errorf("the package depends on %s", name)
		}
	}
}

func TestWatchMindsOnlyWhatIsShown(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a/x.txt": "x", ".gitignore": "*.log\nout/\n", "out/x": "x", ".fazt/x": "x", ".git/HEAD": "x", "a.log": "x"})
	d := source.NewDir(source.DirConfig{Dir: dir, Skip: []string{"a/skipped"}})
	for name, want := range map[string]bool{
		"a/x.txt": true, "a": true, ".gitignore": true, "a/gone.txt": true,
		"a.log": false, "gone.log": false, "out/x": false, ".fazt": false, ".fazt/x": false, ".git": false, ".git/HEAD": false, "a/skipped": false,
	} {
		if got := d.Shown(name); got != want {
			t.Errorf("a change of %s: poke %v, want %v", name, got, want)
		}
	}
}

func FuzzTree(f *testing.F) {
	id := strings.Repeat("\x01", 20)
	for _, seed := range []string{"", "100644 a\x00" + id, "40000 a\x00" + id + "100644 a.b\x00" + id, "100644 ..\x00" + id,
		"100644 a\x00" + id + "40000 a\x00" + id, "160000 s\x00" + id, "120000 l\x00" + id, "99 a\x00" + id, "100644 a", "100644"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { source.CheckTree(t, raw) })
}

func FuzzCommit(f *testing.F) {
	f.Add([]byte("tree " + strings.Repeat("ab", 20) + "\nauthor A <a@b> 1700000000 +0530\n\nsubject\n"))
	f.Add([]byte("tree x\n\n\x1b[2J"))
	f.Fuzz(func(t *testing.T, raw []byte) { source.CheckCommit(t, raw) })
}

func FuzzAdvert(f *testing.F) {
	id := strings.Repeat("ab", 20)
	f.Add([]byte(pkt("# service=git-upload-pack\n") + "0000" + pkt(id+" refs/heads/main\x00ofs-delta\n") + pkt("shallow "+id) + "0000"))
	f.Add([]byte("0000"))
	f.Fuzz(func(_ *testing.T, raw []byte) { _ = source.ReadAdvert(raw) })
}

func FuzzAnswer(f *testing.F) {
	pack := "PACK\x00\x00\x00\x02\x00\x00\x00\x01" + "\x31\x78\x9c\x4b\x04\x00\x00\x62\x00\x62"
	f.Add([]byte(pkt("NAK\n") + pkt("\x01"+pack) + "0000"))
	f.Add([]byte(pkt("ACK "+strings.Repeat("ab", 20)+"\n") + pkt("\x02hello") + pkt("\x03no")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := mirrorDir(t)
		limits := source.Limits{Transfer: 1 << 20, Object: 1 << 20, Objects: 1000}
		if err := source.Receive(t, dir, raw, limits); err != nil && len(packFiles(t, dir)) != 0 {
			t.Errorf("left behind: %v", packFiles(t, dir))
		}
	})
}

// A walk over any repository of trees ends, and what it finds sound can be read
// to its last folder.
func TestSoundTreesCanBeWalked(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and hundreds of processes: make test runs it")
	}
	o := newOrigin(t)
	blob := string(unhex(t, runGit(t, o.dir, "x", "hash-object", "-w", "--stdin")))
	empty := o.rawTree(nil)
	inspect, view := source.TreeOf(t, o.dir+"/.git")
	rapid.Check(t, func(rt *rapid.T) {
		trees := []string{empty}
		for range rapid.IntRange(1, 8).Draw(rt, "trees") {
			var raw strings.Builder
			for range rapid.IntRange(0, 6).Draw(rt, "entries") {
				mode := rapid.SampledFrom([]string{"40000", "40000", "100644", "100755", "120000", "160000", "7", "100600"}).Draw(rt, "mode")
				name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "a b", "..", ".git", "é", "\xff"}).Draw(rt, "name")
				id := blob
				if mode == "40000" {
					id = string(unhex(t, rapid.SampledFrom(trees).Draw(rt, "child")))
				}
				fmt.Fprintf(&raw, "%s %s\x00%s", mode, name, id)
			}
			trees = append(trees, o.rawTree([]byte(raw.String())))
		}
		root := [20]byte(unhex(t, trees[len(trees)-1]))
		if inspect(root) != nil {
			return
		}
		err := fs.WalkDir(view(root), ".", func(name string, d fs.DirEntry, err error) error {
			if !fs.ValidPath(name) {
				return nil // a name that is no text is shown, and cannot be opened
			}
			if strings.Contains(name, "..") || strings.Contains(name, ".git") {
				rt.Errorf("%q passed", name)
			}
			if err == nil && d.Type().IsRegular() {
				_, err = fs.ReadFile(view(root), name)
			}
			return err
		})
		if err != nil {
			rt.Error(err)
		}
	})
}
