package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script/web"
	"github.com/fazt-sh/fazt/spec"
)

// bundles makes the programs of changed apps that run code. One that was made
// before of the same sources, or came with a release that was kept, is used again:
// at boot there is nothing to make one of.
func (p *passing) bundles(ctx context.Context) error {
	var wanted []*candidate
	for i := range p.apps {
		if c := &p.apps[i]; c.pending() && c.app.Runtime != nil && !c.app.Disabled && !p.hasProgram(c) {
			wanted = append(wanted, c)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	batch := p.server.config.Blobs.Batch()
	defer batch.Discard()
	each(len(wanted), func(i int) {
		if ctx.Err() != nil {
			return
		}
		if err := p.bundle(ctx, batch, wanted[i]); err != nil {
			wanted[i].fail(err)
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	return batch.Commit()
}

// hasProgram looks for the program of an app among what is served, and in the
// record of its release.
func (p *passing) hasProgram(c *candidate) bool {
	if now := c.current; now != nil && now.entry == c.app.Runtime.Entry && sameFiles(now.content, c.content) {
		c.content.Program = now.content.Program
	}
	made := c.content.Program
	return made != nil && p.kept(made.Code) && p.kept(made.Map)
}

// kept tells whether the store has bytes of which nobody knows the size.
func (p *passing) kept(digest string) bool {
	if digest == "" {
		return false
	}
	p.server.config.Blobs.Use(blob.Digest(digest))
	if _, ok := p.server.config.Blobs.Stat(blob.Digest(digest), ""); !ok {
		return false
	}
	return !p.desired.Verify || p.server.config.Blobs.Scrub(blob.Digest(digest), nil) == nil
}

// bundle makes the program of one app and keeps it.
func (p *passing) bundle(ctx context.Context, batch *blob.Batch, c *candidate) error {
	if p.desired.Folder == nil {
		return fault.New(fault.NotFound, "the program of %q is not in the store, or damaged", c.object.Addr)
	}
	files, err := p.desired.Folder(*c.object)
	if err != nil {
		return err
	}
	made, err := bundled(ctx, *c.object, c.app, files, p.server.config.Temp)
	if err != nil {
		return err
	}
	code, _, err := batch.Put(ctx, strings.NewReader(string(made.Code)), false)
	if err != nil {
		return err
	}
	places, _, err := batch.Put(ctx, strings.NewReader(string(made.Map)), false)
	if err != nil {
		return err
	}
	c.content.Program = &spec.Program{Code: string(code), Map: string(places), Inputs: made.Inputs}
	return nil
}

// bundled is the program of an app, made in a folder of temp that is gone afterwards.
func bundled(ctx context.Context, object spec.Object, app spec.App, files fs.FS, temp string) (made bundle.Result, err error) {
	scratch, err := os.MkdirTemp(temp, "bundle-")
	if err != nil {
		return made, fault.Wrap(fault.Unavailable, err, "bundle %q", object.Addr)
	}
	defer os.RemoveAll(scratch)
	made, err = bundle.Bundle(ctx, bundle.Job{Name: object.Name, Files: files, Entry: app.Runtime.Entry, Dir: scratch, Node: web.Node()})
	if err != nil {
		err = mistakes{object, app, files}.bundled(err)
	}
	return made, err
}

// JudgeCode finds what Stage would refuse of the code of apps before it is run. It
// makes each program and throws it away, in a child of its own: too much for every
// plan, and what somebody wants who judges a revision that is not live yet. An error
// is for what is no fault of the code.
func JudgeCode(ctx context.Context, tree spec.Tree, objects []spec.Object) (spec.Diagnostics, error) {
	type program struct{ folder, entry string }
	seen := map[program]bool{}
	var apps []spec.App
	var of []spec.Object
	for _, object := range objects {
		var app spec.App
		if object.Kind != spec.KindApp || json.Unmarshal(object.Spec, &app) != nil || app.Runtime == nil || app.Disabled {
			continue
		}
		if p := (program{app.Content, app.Runtime.Entry}); !seen[p] {
			seen[p] = true
			apps, of = append(apps, app), append(of, object)
		}
	}
	found, failed := make([]spec.Diagnostics, len(apps)), make([]error, len(apps))
	each(len(apps), func(i int) {
		if failed[i] = ctx.Err(); failed[i] != nil {
			return
		}
		files, err := fs.Sub(tree, apps[i].Content)
		if err == nil {
			_, err = bundled(ctx, of[i], apps[i], files, "")
		}
		if !errors.As(err, &found[i]) {
			failed[i] = err
		}
	})
	return slices.Concat(found...), errors.Join(failed...)
}

// readBlob reads all of what the store has under a digest.
func (s *Server) readBlob(digest string) ([]byte, error) {
	f, err := s.config.Blobs.Open(blob.Digest(digest), "")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
