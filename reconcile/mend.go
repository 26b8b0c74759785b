package reconcile

import (
	"context"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// Damage is a file in service whose bytes the node has lost on its own disk.
type Damage struct {
	Addr spec.Addr `json:"addr"`
	Path string    `json:"path"`
}

// wounds are the blobs that somebody found damaged or missing.
type wounds struct {
	mu    sync.Mutex
	blobs map[string]bool // guarded by mu
}

// Damaged tells the loop that the bytes of a file in service are damaged or
// missing, by the file's Blob. The loop fetches them again from the revision
// that the release was made of; nothing that is served changes by that. It may
// be called again and again, from any goroutine, and never blocks.
func (l *Loop) Damaged(blob string) {
	l.wounds.mu.Lock()
	known := l.wounds.blobs[blob]
	if l.wounds.blobs == nil {
		l.wounds.blobs = map[string]bool{}
	}
	l.wounds.blobs[blob] = true
	l.wounds.mu.Unlock()
	if !known { // what could not be fetched waits for the next pass
		l.poke(own("damage"))
	}
}

// list returns the blobs in order.
func (w *wounds) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.blobs))
}

func (w *wounds) heal(blob string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.blobs, blob)
}

// mend fetches again what is damaged of what is served. It is no step of the
// pass: no revision is needed for it, and nothing that fails here stops one.
func (l *Loop) mend(ctx context.Context, p *pass) {
	blobs := l.wounds.list()
	if len(blobs) == 0 && len(l.Status().Damaged) == 0 {
		return
	}
	served, err := l.config.Target.Observe(ctx)
	if err != nil {
		return // the pass says so
	}
	var left []Damage
	for _, blob := range blobs {
		places := placesOf(served, blob)
		err := l.mendOne(ctx, p, places)
		if err == nil {
			l.wounds.heal(blob)
			continue
		}
		for _, place := range places {
			left = append(left, Damage{place.app.Addr, place.file.Path})
		}
		l.log.Warn("a damaged file cannot be fetched again", "app", left[len(left)-1].Addr, "path", left[len(left)-1].Path, "error", err)
	}
	slices.SortFunc(left, func(a, b Damage) int { return strings.Compare(string(a.Addr)+a.Path, string(b.Addr)+b.Path) })
	s := *l.Status()
	s.Damaged = left
	l.status.Store(&s)
}

// place is where a blob is served.
type place struct {
	app  spec.Object
	file spec.File
	made bool // the file is no file of the repository: it was made of some
}

func placesOf(served []spec.Object, blob string) (list []place) {
	for _, o := range served {
		if o.Content == nil {
			continue
		}
		for _, f := range o.Content.Files {
			if f.Blob == blob {
				list = append(list, place{app: o, file: f})
			}
		}
		if slices.Contains(o.Content.Program.Blobs(), blob) {
			list = append(list, place{app: o, file: spec.File{Path: "the program", Blob: blob}, made: true})
		}
	}
	return list
}

// mendOne fetches the bytes of a file from the first place that still has them;
// what is not served any more needs no mending.
func (l *Loop) mendOne(ctx context.Context, p *pass, places []place) (err error) {
	for _, at := range places {
		if err = l.mendAt(ctx, p, at); err == nil {
			l.log.Info("a damaged file was fetched again", "app", at.app.Addr, "path", at.file.Path)
			return nil
		}
	}
	return err
}

func (l *Loop) mendAt(ctx context.Context, p *pass, at place) error {
	if l.config.Mend == nil {
		return fault.New(fault.Unavailable, "the target keeps no files")
	}
	if at.made {
		return fault.New(fault.Unavailable, "the program of %s is damaged", at.app.Addr).WithHint("it is made again with the next change of the app's files")
	}
	from, err := l.again(ctx, p, at.app, at.file.Path)
	if err != nil {
		return err
	}
	defer from.Close()
	return l.config.Mend(ctx, at.file, from)
}

// again opens a file of a release in the revision that the release was made of,
// or in the folder that is being applied.
func (l *Loop) again(ctx context.Context, p *pass, app spec.Object, path string) (io.ReadCloser, error) {
	art, err := l.origin(ctx, p, app)
	if err != nil {
		return nil, err
	}
	return opener(art.Tree)(app, path)
}

// folderAgain opens the folder that a release was built of.
func (l *Loop) folderAgain(ctx context.Context, p *pass, app spec.Object) (fs.FS, error) {
	art, err := l.origin(ctx, p, app)
	if err != nil {
		return nil, err
	}
	return folder(art.Tree)(app)
}

// origin is the revision that a release was made of, or the folder that is being
// applied.
func (l *Loop) origin(ctx context.Context, p *pass, app spec.Object) (source.Artifact, error) {
	switch {
	case p != nil && p.apply != nil:
		return p.art, nil
	case l.config.Source != nil:
		return l.config.Source.At(ctx, app.Revision)
	}
	return source.Artifact{}, fault.New(fault.Unavailable, "its bytes are damaged, and there is no repository to fetch them from").
		WithHint("apply the folder again: fazt apply DIR; to go back, choose another release: fazt history")
}
