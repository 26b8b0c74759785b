package source

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
)

// localRemote is a repository on this machine. Git would be started to serve
// it; here its ref is read and what is missing is copied out of its objects, in
// process and without writing to it. Its configuration is not read, so none of
// its hooks or commands can run.
//
// Its indexes are kept from one fetch to the next: reading them anew was most of
// what a fetch of one commit cost.
type localRemote struct {
	at     address
	ref    string
	limits Limits

	mu   sync.Mutex
	kept *store // nil until needed
}

// keptObjects bounds the indexes kept between fetches: about 28 bytes each.
const keptObjects = 500_000

// open returns the store of an objects folder as it is now.
func (r *localRemote) open(folder string) (*store, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept != nil {
		now := &store{}
		if err := now.addFolder(folder, alternatesDepth); err != nil {
			return nil, err
		}
		if slices.Equal(now.folders, r.kept.folders) {
			return r.kept, r.kept.rescan()
		}
		r.kept.Close()
		r.kept = nil
	}
	objects, err := openStore(folder, r.limits.Object)
	if err == nil && objects.count() <= keptObjects {
		r.kept = objects
	}
	return objects, err
}

func (r *localRemote) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept != nil {
		r.kept.Close()
		r.kept = nil
	}
}

// repository is where the parts of a repository are.
type repository struct {
	private string // HEAD and the refs of one worktree
	common  string // objects and the other refs
}

func (r *localRemote) connect(context.Context) (session, error) {
	found, err := findRepository(r.at.path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(found.common, "reftable")); err == nil {
		return nil, refused("the repository %s keeps its refs in a reftable, which is not supported", r.at).
			WithSubject(r.at.String()).WithHint("convert it: git refs migrate --ref-format=files")
	}
	text, err := found.ref(r.ref, 5)
	if err != nil {
		return nil, unreachable(r.at, printable(err.Error(), 300), err)
	}
	if text == "" {
		branches := found.branches(5)
		return nil, noRef(r.at, r.ref, len(branches) == 0, branches)
	}
	if len(text) == 64 {
		return nil, errSHA256
	}
	if !plumbing.IsHash(text) {
		return nil, unreachable(r.at, fmt.Sprintf("its ref %q holds no commit id", r.ref), nil)
	}
	s := &localSession{localRemote: r, found: found, id: plumbing.NewHash(text)}
	if strings.HasPrefix(r.ref, "refs/heads/") {
		return s, nil // a commit, without looking
	}
	if err = s.open(); err == nil {
		s.id, err = s.objects.peel(s.id)
	}
	if err != nil {
		s.Close()
		return nil, unreachable(r.at, printable(err.Error(), 300), err)
	}
	return s, nil
}

// findRepository finds the parts of a bare repository, of a folder with .git,
// or of a linked worktree.
func findRepository(path string) (repository, error) {
	info, err := os.Stat(path)
	if err != nil {
		return repository{}, &fault.Error{Kind: fault.Unavailable, Subject: path, Err: err,
			Message: fmt.Sprintf("the repository %s does not exist or cannot be read", path),
			Hint:    "check the path of --repo, and that the user who runs the node may read it; once it is there it is followed"}
	}
	if !info.IsDir() {
		return repository{}, refused("%s is a file, not a repository", path).WithSubject(path)
	}
	private := path
	if info, err := os.Stat(filepath.Join(path, ".git")); err == nil {
		private = filepath.Join(path, ".git")
		if !info.IsDir() {
			if private, err = pointer(private, "gitdir: "); err != nil {
				return repository{}, refused("%s does not lead to a repository: %w", filepath.Join(path, ".git"), err).WithSubject(path)
			}
		}
	}
	found := repository{private, private}
	if common, err := pointer(filepath.Join(private, "commondir"), ""); err == nil {
		found.common = common
	}
	if info, err := os.Stat(filepath.Join(found.common, "objects")); err != nil || !info.IsDir() {
		return repository{}, fault.New(fault.NotFound, "%s is not a git repository", path).WithSubject(path).
			WithHint("name the folder that holds .git, or a bare repository; make one with git init")
	}
	return found, nil
}

// pointer reads a file that holds a path, relative to its own folder.
func pointer(file, before string) (string, error) {
	text, err := readSmall(file)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(strings.TrimSpace(text), before)
	if !ok || target == "" {
		return "", errMalformed
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(file), target)
	}
	return filepath.Clean(target), nil
}

// ref returns what a ref holds, symbolic refs followed; "" if there is none.
func (r repository) ref(name string, depth int) (string, error) {
	if depth == 0 {
		return "", fmt.Errorf("%w: the ref %q points in circles", errMalformed, name)
	}
	text, err := r.looseRef(name)
	if text == "" && err == nil {
		text, err = r.packedRef(name)
	}
	if text == "" && err == nil {
		text, err = r.looseRef(name) // it may have been unpacked in between
	}
	if err != nil {
		return "", err
	}
	target, symbolic := strings.CutPrefix(text, "ref: ")
	if !symbolic {
		return text, nil
	}
	if target, err = fullRef(strings.TrimSpace(target)); err != nil {
		return "", err
	}
	return r.ref(target, depth-1)
}

func (r repository) looseRef(name string) (string, error) {
	for _, folder := range []string{r.common, r.private} {
		text, err := readSmall(filepath.Join(folder, filepath.FromSlash(name)))
		if err == nil {
			return strings.TrimSpace(text), nil
		}
		// A folder of that name is no ref: refs/heads/a beside refs/heads/a/b.
		if info, statErr := os.Stat(filepath.Join(folder, filepath.FromSlash(name))); statErr == nil && info.IsDir() {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

func (r repository) packedRef(name string) (string, error) {
	found := ""
	err := r.packedRefs(func(id, ref string) bool {
		if ref == name {
			found = id
		}
		return found == ""
	})
	return found, err
}

// packedRefs reads the file of packed refs line by line, as there may be
// millions, until visit wants no more.
func (r repository) packedRefs(visit func(id, ref string) bool) error {
	file, err := os.Open(filepath.Join(r.common, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if id, ref, ok := strings.Cut(strings.TrimSpace(lines.Text()), " "); ok && !visit(id, ref) {
			return nil
		}
	}
	return lines.Err()
}

// branches returns some names of branches, for a message.
func (r repository) branches(most int) []string {
	var names []string
	heads := filepath.Join(r.common, "refs", "heads")
	_ = filepath.WalkDir(heads, func(path string, d fs.DirEntry, err error) error {
		if err != nil || len(names) >= most {
			return fs.SkipAll
		}
		if rel, err := filepath.Rel(heads, path); err == nil && !d.IsDir() {
			names = append(names, printable(filepath.ToSlash(rel), 60))
		}
		return nil
	})
	_ = r.packedRefs(func(_, ref string) bool {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok && len(names) < most {
			names = append(names, printable(name, 60))
		}
		return len(names) < most
	})
	return names
}

// shallow returns the commits where a repository's history was cut.
func (r repository) shallow() []plumbing.Hash {
	text, _ := readSmall(filepath.Join(r.common, "shallow"))
	var ids []plumbing.Hash
	for line := range strings.Lines(text) {
		ids = append(ids, plumbing.NewHash(strings.TrimSpace(line)))
	}
	return ids
}

// localSession reads one repository as it is now.
type localSession struct {
	*localRemote
	found   repository
	objects *store // nil until needed
	id      plumbing.Hash
}

func (s *localSession) head() plumbing.Hash      { return s.id }
func (s *localSession) shallow() []plumbing.Hash { return s.found.shallow() }
func (s *localSession) canCut() bool             { return false }

func (s *localSession) open() (err error) {
	if s.objects == nil {
		s.objects, err = s.localRemote.open(filepath.Join(s.found.common, "objects"))
	}
	return err
}

func (s *localSession) Close() error {
	if s.objects != nil {
		s.objects.rest()
	}
	return nil
}

// fetch copies the wanted commit's files and the commits that lead to it. The
// files of earlier commits are not copied: nothing asks for them but At, which
// fetches again.
func (s *localSession) fetch(ctx context.Context, into *store, o order) (delivery, error) {
	if err := s.open(); err != nil {
		return delivery{}, remoteFault(ctx, s.at, err)
	}
	c := &copying{from: s.objects, into: into, limits: s.limits, seen: map[plumbing.Hash]bool{}, cut: map[plumbing.Hash]bool{}}
	for _, id := range s.shallow() {
		c.cut[id] = true
	}
	if err := c.collect(ctx, o.want); err != nil || len(c.order) == 0 {
		return delivery{}, remoteFault(ctx, s.at, err)
	}
	n, err := into.take(ctx, s.objects, c.order, s.limits)
	return delivery{objects: len(c.order), bytes: n}, remoteFault(ctx, s.at, err)
}

// copying collects the objects that one store lacks of another's commit.
type copying struct {
	from, into *store
	limits     Limits
	seen       map[plumbing.Hash]bool
	cut        map[plumbing.Hash]bool
	order      []plumbing.Hash // every object after what it needs
}

func (c *copying) collect(ctx context.Context, want plumbing.Hash) error {
	tip, err := c.from.commit(want)
	if err != nil {
		return err
	}
	if err := c.tree(ctx, tip.tree, "", 0); err != nil {
		return err
	}
	return c.commits(ctx, tip)
}

// tree adds a folder after its content. What the target has, it has whole.
func (c *copying) tree(ctx context.Context, id plumbing.Hash, path string, depth int) error {
	if c.seen[id] || c.into.has(id) {
		return nil
	}
	if depth > c.limits.Depth {
		return tooDeep(path, c.limits.Depth)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := readTree(c.from, id)
	if err != nil {
		return refusal(err, path)
	}
	for _, e := range entries {
		if e.isDir() {
			if err := c.tree(ctx, e.id, joinPath(path, e.name), depth+1); err != nil {
				return err
			}
		} else if e.isContent() && !c.seen[e.id] && !c.into.has(e.id) {
			c.add(e.id)
		}
	}
	c.add(id)
	if len(c.order) > c.limits.Objects {
		return tooLarge("the fetch brings more than %d objects", c.limits.Objects)
	}
	return nil
}

func (c *copying) add(id plumbing.Hash) {
	c.seen[id] = true
	c.order = append(c.order, id)
}

// commits adds the commits that lead to tip, oldest first.
func (c *copying) commits(ctx context.Context, tip commit) error {
	var found []plumbing.Hash
	for queue := []commit{tip}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		if c.seen[at.id] || c.into.has(at.id) {
			continue
		}
		c.seen[at.id] = true
		found = append(found, at.id)
		if c.cut[at.id] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, id := range at.parents {
			parent, err := c.from.commit(id)
			if err != nil {
				return err
			}
			queue = append(queue, parent)
		}
	}
	for i := len(found) - 1; i >= 0; i-- {
		c.order = append(c.order, found[i])
	}
	return nil
}
