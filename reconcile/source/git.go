package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
)

// GitConfig says which repository a Git follows.
type GitConfig struct {
	URL         string // https://, ssh://, user@host:path, /path, ./path, file://
	Ref         string // a branch, or a full ref; empty is main
	Dir         string // folder of the mirror; made if it is not there
	Log         *slog.Logger
	Limits      Limits
	Credentials Credentials
	// GitBinary is the path of a git binary that indexes what was received, in a
	// process of its own: for repositories whose index does not fit into
	// Limits.Memory. Empty never starts a process.
	GitBinary string
	// Rewritten takes also a head that descends from none of the bases.
	Rewritten bool
}

// Git follows one ref of a repository through a bare mirror on disk. Nothing
// is ever checked out, no git binary is run but the one that is configured, no
// configuration of git and no GIT_ variable is read. Methods are safe for several goroutines; artifacts are
// read while the next one is fetched.
type Git struct {
	at     address
	ref    string
	dir    string
	binary string
	any    bool // history may be rewritten
	log    *slog.Logger
	limits Limits
	remote remote

	objects atomic.Pointer[store] // the mirror's, for readers of artifacts
	damaged atomic.Bool           // a reader met damage
	last    atomic.Pointer[Fetched]
	trees   trees

	mu      sync.Mutex // one Open, Fetch, At, Keep or Close at a time; guards what follows
	mirror  *mirror    // nil while closed
	inspect inspector
	lineage lineage
}

// NewGit checks the configuration; nothing is opened yet.
func NewGit(c GitConfig) (*Git, error) {
	creds := c.Credentials
	at, err := parseAddress(c.URL, &creds)
	if err != nil {
		return nil, err
	}
	ref, err := fullRef(c.Ref)
	if err != nil {
		return nil, err
	}
	if c.Dir == "" {
		return nil, refused("the mirror needs a folder")
	}
	g := &Git{at: at, ref: ref, dir: filepath.Clean(c.Dir), binary: c.GitBinary, any: c.Rewritten, log: c.Log, limits: c.Limits.withDefaults()}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.remote, err = newRemote(at, ref, creds, g.limits); err != nil {
		return nil, err
	}
	g.trees = trees{store: g.objects.Load, damaged: func() { g.damaged.Store(true) }}
	g.inspect = inspector{store: g.objects.Load, limits: g.limits}
	return g, nil
}

// String is the repository and the ref, without credentials.
func (g *Git) String() string { return g.at.String() + " @ " + shortRef(g.ref) }

// Open opens the mirror and clears what a killed process left. The repository
// itself is not asked, so a node starts while it is away.
func (g *Git) Open(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.settle(); err != nil {
		return g.diskFault(err)
	}
	m, err := g.openMirror(g.dir)
	if isDamage(err) {
		g.log.Warn("the mirror cannot be read and is made anew", "source", g.String(), "error", err)
		if err = os.RemoveAll(g.dir); err == nil {
			m, err = g.openMirror(g.dir)
		}
	}
	if err != nil {
		return g.diskFault(err)
	}
	g.use(m)
	return nil
}

func (g *Git) diskFault(err error) error {
	return fault.Wrap(fault.Unavailable, err, "the mirror in %s cannot be used", g.dir)
}

// use makes m the mirror. The caller holds mu.
func (g *Git) use(m *mirror) {
	g.mirror = m
	g.inspect.sound = nil
	if old := g.objects.Swap(m.objects); old != nil {
		old.Close()
	}
}

// Close closes the mirror.
func (g *Git) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remote.close()
	if g.mirror != nil {
		g.mirror.objects.Close()
		g.mirror = nil
	}
	return nil
}

// Fetch asks the repository where the ref stands, fetches if it moved, and
// returns the validated artifact. bases are full revisions, the applied one
// first: the new one must be or descend from one of them, or the answer is
// Conflict, CodeDiverged, with an artifact that names the commit and has no
// tree. Without bases, or where all are empty or of another kind of source,
// anything is allowed.
func (g *Git) Fetch(ctx context.Context, bases ...string) (Artifact, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mirror == nil {
		return Artifact{}, errClosed
	}
	whole, cancel := context.WithTimeout(ctx, g.limits.Deadline)
	defer cancel()
	s, err := g.remote.connect(whole)
	if err != nil {
		return Artifact{}, err
	}
	defer s.Close()
	damage := errors.New("a reader met damage")
	if !g.damaged.Load() {
		var artifact Artifact
		if artifact, damage = g.follow(whole, s, bases); !isDamage(damage) {
			return artifact, g.bounded(ctx, damage)
		}
	}
	g.log.WarnContext(ctx, "the mirror is damaged and is fetched anew", "source", g.String(), "error", damage)
	if s, err = g.renew(whole); err != nil {
		return Artifact{}, g.bounded(ctx, err)
	}
	defer s.Close()
	artifact, err := g.follow(whole, s, bases)
	if isDamage(err) {
		err = unreachable(g.at, "what it sent is not complete: "+err.Error(), nil)
	}
	return artifact, g.bounded(ctx, err)
}

var errClosed = fault.New(fault.Internal, "the source is not open")

// bounded names the deadline where it was ours that passed, and what was
// committed wrongly.
func (g *Git) bounded(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && fault.KindOf(err) == fault.Internal && ctx.Err() == nil {
		return tooLarge("reading %s took longer than %s", g, g.limits.Deadline)
	}
	return refusal(err, "")
}

// follow moves the mirror to where a session's ref stands. The caller holds mu.
func (g *Git) follow(ctx context.Context, s session, bases []string) (Artifact, error) {
	head := s.head()
	if !g.mirror.objects.has(head) {
		if err := g.bring(ctx, s, g.mirror, head); err != nil {
			return Artifact{}, err
		}
	}
	if !g.any {
		if err := g.reach(ctx, s, head, bases); err != nil {
			return Artifact{}, err
		}
		if err := g.allow(ctx, head, bases); err != nil {
			return g.named(head), err
		}
	}
	artifact, err := g.artifact(ctx, head, s)
	if err != nil {
		return Artifact{}, err
	}
	return artifact, g.move(ctx, head, bases)
}

// named says which commit it is that is not followed.
func (g *Git) named(id plumbing.Hash) Artifact {
	c, err := g.mirror.objects.commit(id)
	if err != nil {
		return Artifact{Revision: id.String()}
	}
	return Artifact{Revision: id.String(), Author: c.author, Subject: c.subject, Time: c.time}
}

// artifact validates a commit's tree and describes it. Files of an earlier
// commit that a local copy left out are fetched through s, if there is one.
func (g *Git) artifact(ctx context.Context, id plumbing.Hash, s session) (Artifact, error) {
	c, err := g.mirror.objects.commit(id)
	if err != nil {
		return Artifact{}, err
	}
	if _, local := s.(*localSession); local && !g.mirror.objects.has(c.tree) {
		if err := g.bring(ctx, s, g.mirror, id); err != nil {
			return Artifact{}, err
		}
	}
	if err := g.inspect.inspect(ctx, c.tree); err != nil {
		return Artifact{}, err
	}
	return Artifact{Revision: id.String(), TreeID: c.tree.String(), Tree: g.trees.view(c.tree),
		Author: c.author, Subject: c.subject, Time: c.time}, nil
}

// move points the refs where they belong: first what is in use, then what was
// fetched, so that nothing in use is ever unreferenced.
func (g *Git) move(ctx context.Context, head plumbing.Hash, bases []string) error {
	if len(bases) > 0 && plumbing.IsHash(bases[0]) {
		if id := plumbing.NewHash(bases[0]); g.mirror.objects.has(id) {
			if err := g.mirror.setRef(refLast, id); err != nil {
				return g.diskFault(err)
			}
		}
	}
	name := refSource + shortRef(g.ref)
	if g.mirror.ref(name) == head {
		return nil
	}
	g.log.InfoContext(ctx, "source moved", "source", g.String(), "revision", head.String(), "folders", g.inspect.reads)
	g.inspect.reads = 0
	if err := g.mirror.setRef(name, head); err != nil {
		return g.diskFault(err)
	}
	return nil
}

var revisionForm = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// At returns a revision that is still in the mirror: a full id or the first
// seven or more digits of one.
func (g *Git) At(ctx context.Context, revision string) (Artifact, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mirror == nil {
		return Artifact{}, errClosed
	}
	id, err := g.resolve(g.mirror.objects, strings.ToLower(revision))
	if err != nil {
		return Artifact{}, err
	}
	whole, cancel := context.WithTimeout(ctx, g.limits.Deadline)
	defer cancel()
	artifact, err := g.artifact(whole, id, nil)
	if _, local := g.remote.(*localRemote); local && errors.Is(err, errMissing) {
		var s session
		if s, err = g.remote.connect(whole); err != nil {
			return Artifact{}, err
		}
		defer s.Close()
		artifact, err = g.artifact(whole, id, s)
	}
	if isDamage(err) {
		g.damaged.Store(true)
		err = fault.Wrap(fault.Unavailable, err, "the mirror is damaged").WithHint("it is fetched again in the next pass")
	}
	return artifact, g.bounded(ctx, err)
}

func (g *Git) resolve(objects *store, revision string) (plumbing.Hash, error) {
	if !revisionForm.MatchString(revision) {
		return plumbing.ZeroHash, refused("%q is no revision", revision).WithHint("give seven or more digits of a commit id")
	}
	if id := plumbing.NewHash(revision); len(revision) == 40 && objects.has(id) {
		return id, nil
	}
	found := objects.withPrefix(revision)
	switch len(found) {
	case 0:
		return plumbing.ZeroHash, fault.New(fault.NotFound, "the mirror of %s has no commit %s", g, revision).
			WithHint("only commits that were fetched can be named")
	case 1:
		return found[0], nil
	default:
		return plumbing.ZeroHash, refused("%d commits begin with %s", len(found), revision).WithHint("give more digits")
	}
}

// Keep notes that a generation serves a revision, so that it stays in the
// mirror whatever happens to the repository. Revisions of other sources are
// not its business.
func (g *Git) Keep(generation uint64, revision string) error {
	if !plumbing.IsHash(revision) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mirror == nil {
		return errClosed
	}
	id := plumbing.NewHash(revision)
	if !g.mirror.objects.has(id) {
		return fault.New(fault.NotFound, "the mirror of %s has no commit %s", g, revision)
	}
	if err := g.mirror.keep(generation, id); err != nil {
		return g.diskFault(err)
	}
	g.tidy(context.Background()) // here it delays nobody's commit
	g.mirror.objects.rest()
	return nil
}

// Watch returns when ctx ends: a repository sends no events, it is asked.
func (g *Git) Watch(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return nil
}

var _ fmt.Stringer = (*Git)(nil)
