package source

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/go-git/go-git/v5/plumbing"
)

// The refs of a mirror. Git's own tools count what they point at as in use.
const (
	refSource  = "refs/fazt/src/"     // + the followed ref: what was fetched last
	refLast    = "refs/fazt/last"     // what was applied last
	refApplied = "refs/fazt/applied/" // + generation
)

// keptRefs is how many applied generations a mirror holds on to.
const keptRefs = 256

// mirror is a bare repository that nobody checks out: objects, a few refs.
type mirror struct {
	dir     string
	objects *store
}

// openMirror opens the mirror in dir and makes it if it is not there. What a
// process that was killed left behind is removed.
func openMirror(dir string, limit int64) (*mirror, error) {
	for _, name := range []string{"objects/pack", "objects/info", "refs"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(name)), 0o700); err != nil {
			return nil, err
		}
	}
	files := map[string]string{
		"HEAD":   "ref: refs/heads/main\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
	}
	for name, text := range files {
		if _, err := os.Lstat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			if err := writeFile(filepath.Join(dir, name), text); err != nil {
				return nil, err
			}
		}
	}
	if err := errors.Join(removeLeftovers(filepath.Join(dir, "objects", "pack")), removeScratch(dir)); err != nil {
		return nil, err
	}
	objects, err := openStore(filepath.Join(dir, "objects"), limit)
	if err != nil {
		return nil, err
	}
	return &mirror{dir, objects}, nil
}

// removeLeftovers removes half-written packs and packs without an index, which
// is written last and removed first: this process alone writes here.
func removeLeftovers(folder string) error {
	listed, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, d := range listed {
		names[d.Name()] = true
	}
	for name := range names {
		pack, isPack := strings.CutSuffix(name, ".pack")
		if !strings.HasPrefix(name, "tmp_") && (!isPack || names[pack+".idx"]) {
			continue
		}
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// removeScratch removes what was to become a ref or a setting when the process
// was killed.
func removeScratch(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "objects":
			return fs.SkipDir
		case !d.IsDir() && strings.HasPrefix(d.Name(), scratchPrefix):
			return os.Remove(path)
		}
		return nil
	})
}

// ref returns a ref's commit, zero if there is none or it cannot be read.
func (m *mirror) ref(name string) plumbing.Hash {
	text, err := readSmall(filepath.Join(m.dir, filepath.FromSlash(name)))
	if text = strings.TrimSpace(text); err != nil || !plumbing.IsHash(text) {
		return plumbing.ZeroHash
	}
	return plumbing.NewHash(text)
}

// setRef points a ref at a commit.
func (m *mirror) setRef(name string, id plumbing.Hash) error {
	if m.ref(name) == id {
		return nil
	}
	path := filepath.Join(m.dir, filepath.FromSlash(name))
	failpoint.Reached("source.ref.moving")
	err := writeFile(path, id.String()+"\n")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = writeFile(path, id.String()+"\n")
		}
	}
	if err != nil {
		return err
	}
	failpoint.Reached("source.ref.moved")
	return nil
}

// keep points refs/fazt/applied/<generation> at a commit and drops the oldest
// ones over keptRefs.
func (m *mirror) keep(generation uint64, id plumbing.Hash) error {
	if err := m.setRef(refApplied+strconv.FormatUint(generation, 10), id); err != nil {
		return err
	}
	folder := filepath.Join(m.dir, filepath.FromSlash(refApplied))
	listed, err := os.ReadDir(folder)
	if err != nil || len(listed) <= keptRefs {
		return err
	}
	numbers := make([]uint64, 0, len(listed))
	for _, d := range listed {
		if n, err := strconv.ParseUint(d.Name(), 10, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers[:max(0, len(numbers)-keptRefs)] {
		if err := os.Remove(filepath.Join(folder, strconv.FormatUint(n, 10))); err != nil {
			return err
		}
	}
	return nil
}

// setShallow records where the history that is here is cut, and where it is no
// more.
func (m *mirror) setShallow(cut, joined []plumbing.Hash) error {
	if len(cut)+len(joined) == 0 {
		return nil
	}
	known := m.shallow()
	for _, id := range cut {
		known[id] = true
	}
	for _, id := range joined {
		delete(known, id)
	}
	var lines strings.Builder
	for _, id := range slices.SortedFunc(maps.Keys(known), func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) }) {
		lines.WriteString(id.String() + "\n")
	}
	return writeFile(filepath.Join(m.dir, "shallow"), lines.String())
}

func (m *mirror) shallow() map[plumbing.Hash]bool {
	known := map[plumbing.Hash]bool{}
	for _, id := range (repository{m.dir, m.dir}).shallow() {
		known[id] = true
	}
	return known
}

// have returns commits to tell a remote about: the tips and some before them,
// so that a rewritten history still finds what both sides have.
func (m *mirror) have(ref string) []plumbing.Hash {
	const most = 64
	cut := m.shallow()
	var ids []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	for queue := []plumbing.Hash{m.ref(ref), m.ref(refLast)}; len(queue) > 0 && len(ids) < most; {
		id := queue[0]
		queue = queue[1:]
		if id.IsZero() || seen[id] {
			continue
		}
		seen[id] = true
		c, err := m.objects.commit(id)
		if err != nil {
			continue
		}
		ids = append(ids, id)
		if !cut[id] {
			queue = append(queue, c.parents...)
		}
	}
	return ids
}
