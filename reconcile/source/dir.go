package source

import (
	"context"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// DirConfig says which folder a Dir follows.
type DirConfig struct {
	Dir      string        // the folder
	Skip     []string      // further paths to leave out, relative to Dir or absolute inside it
	Log      *slog.Logger  // nil discards
	Debounce time.Duration // quiet time after a change before Watch pokes; 150 ms
	Limits   Limits
}

// Dir is a folder on disk as a source: what git would commit of it now.
type Dir struct {
	dir      string
	skip     []string
	log      *slog.Logger
	debounce time.Duration
	limits   Limits
	known    *idCache

	mu   sync.Mutex // guards last and open
	last Artifact
	open []*folder // of the last two artifacts
}

// NewDir returns a Dir; nothing is read yet.
func NewDir(c DirConfig) *Dir {
	d := &Dir{dir: c.Dir, log: c.Log, debounce: c.Debounce, limits: c.Limits.withDefaults(), known: &idCache{}}
	if abs, err := filepath.Abs(c.Dir); err == nil {
		d.dir = abs
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.debounce <= 0 {
		d.debounce = 150 * time.Millisecond
	}
	for _, name := range c.Skip {
		if filepath.IsAbs(name) {
			rel, err := filepath.Rel(d.dir, name)
			if err != nil || !filepath.IsLocal(rel) {
				continue // outside, so never seen
			}
			name = rel
		}
		d.skip = append(d.skip, filepath.ToSlash(filepath.Clean(name)))
	}
	return d
}

// Open checks that the folder can be read.
func (d *Dir) Open(context.Context) error {
	f, err := openFolderOn(d.dir, d.skip)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.ReadDir("."); err != nil {
		return readFault(err)
	}
	return nil
}

// Close gives the folder back; artifacts read as gone afterwards.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.open {
		f.Close()
	}
	d.open = nil
	return nil
}

// String returns the folder.
func (d *Dir) String() string { return d.dir }

// Fetch lists the folder and computes its ids; files that did not change since
// the last call are not read again. The artifact's files are those of this
// moment: one that changes later reads as Unavailable, never as a mixture.
// What was applied last does not matter to a folder.
func (d *Dir) Fetch(ctx context.Context, _ ...string) (Artifact, error) {
	if err := ctx.Err(); err != nil {
		return Artifact{}, err
	}
	f, err := openFolderOn(d.dir, d.skip)
	if err != nil {
		return Artifact{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	artifact, err := d.take(f)
	if err != nil {
		f.Close()
		return Artifact{}, err
	}
	if d.open = append(d.open, f); len(d.open) > 2 {
		d.open[0].Close()
		d.open = d.open[1:]
	}
	if d.last.TreeID != artifact.TreeID {
		d.log.DebugContext(ctx, "folder changed", "source", d.dir, "revision", artifact.Revision)
	}
	d.log.DebugContext(ctx, "folder read", "source", d.dir, "hashed", d.known.hashed)
	d.last = artifact
	return artifact, nil
}

// take turns what is in the folder now into an artifact. The caller holds mu.
func (d *Dir) take(f *folder) (Artifact, error) {
	d.known.begin()
	tree, err := takeSnapshot(f, d.known, d.limits)
	if err != nil {
		return Artifact{}, err
	}
	id, err := tree.ID(".")
	if err != nil {
		return Artifact{}, asFault(err)
	}
	return Artifact{Revision: "dir:" + id[:12], TreeID: id, Tree: tree}, nil
}

// asFault frees a fault of the path error around it, which would show the
// reader "id .:" before the sentence.
func asFault(err error) error {
	if path, ok := err.(*fs.PathError); ok && fault.KindOf(path.Err) != fault.Internal {
		return path.Err
	}
	return err
}

// At returns the artifact of the last Fetch if that is the revision asked for:
// a folder has no past.
func (d *Dir) At(_ context.Context, revision string) (Artifact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if revision == "" || !strings.HasPrefix(d.last.Revision, revision) {
		return Artifact{}, fault.New(fault.NotFound, "the folder %q does not keep revision %q", d.dir, revision)
	}
	return d.last, nil
}

// Keep has nothing to do: a folder keeps only what it is.
func (d *Dir) Keep(uint64, string) error { return nil }
