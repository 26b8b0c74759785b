package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/failpoint"
)

// settle ends a swap of mirrors that was cut short.
func (g *Git) settle() error {
	if _, err := os.Lstat(g.dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(g.dir+".old", g.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(os.RemoveAll(g.dir+".old"), os.RemoveAll(g.dir+".new"))
}

func (g *Git) openMirror(dir string) (*mirror, error) {
	m, err := openMirror(dir, g.limits.Object)
	if err == nil {
		m.objects.git = g.binary
	}
	return m, err
}

// renew fetches everything anew beside the damaged mirror and takes its place.
// It returns a fresh session. The caller holds mu.
func (g *Git) renew(ctx context.Context) (session, error) {
	if err := g.settle(); err != nil {
		return nil, g.diskFault(err)
	}
	fresh, err := g.openMirror(g.dir + ".new")
	if err != nil {
		return nil, g.diskFault(err)
	}
	defer fresh.objects.Close()
	s, err := g.remote.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err = g.bring(ctx, s, fresh, s.head()); err == nil {
		err = g.replace(fresh)
	}
	s.Close()
	if err != nil {
		return nil, err
	}
	g.damaged.Store(false)
	return g.remote.connect(ctx)
}

// replace swaps the mirrors' folders; refs whose commits are there come along.
func (g *Git) replace(fresh *mirror) error {
	applied, _ := os.ReadDir(filepath.Join(g.dir, filepath.FromSlash(refApplied)))
	names := []string{refLast}
	for _, d := range applied {
		names = append(names, refApplied+d.Name())
	}
	for _, name := range names {
		if id := g.mirror.ref(name); !id.IsZero() && fresh.objects.has(id) {
			if err := fresh.setRef(name, id); err != nil {
				return g.diskFault(err)
			}
		}
	}
	failpoint.Reached("source.swap.fetched")
	if err := os.Rename(g.dir, g.dir+".old"); err != nil {
		return g.diskFault(err)
	}
	failpoint.Reached("source.swap.aside")
	if err := os.Rename(g.dir+".new", g.dir); err != nil {
		return g.diskFault(err)
	}
	failpoint.Reached("source.swap.placed")
	m, err := g.openMirror(g.dir)
	if err != nil {
		return g.diskFault(err)
	}
	g.use(m)
	if err := os.RemoveAll(g.dir + ".old"); err != nil {
		return g.diskFault(err)
	}
	failpoint.Reached("source.swap.done")
	return nil
}
