package edge

import (
	"context"
	"io"
	"os"
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

// bundle makes the program of one app, in a folder of its own that is gone
// afterwards.
func (p *passing) bundle(ctx context.Context, batch *blob.Batch, c *candidate) error {
	if p.desired.Folder == nil {
		return fault.New(fault.NotFound, "the program of %q is not in the store, or damaged", c.object.Addr)
	}
	files, err := p.desired.Folder(*c.object)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(p.server.config.Temp, "bundle-")
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "bundle %q", c.object.Addr)
	}
	defer os.RemoveAll(scratch)
	made, err := bundle.Bundle(ctx, bundle.Job{Name: c.object.Name, Files: files, Entry: c.app.Runtime.Entry, Dir: scratch, Node: web.Node()})
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

// readBlob reads all of what the store has under a digest.
func (s *Server) readBlob(digest string) ([]byte, error) {
	f, err := s.config.Blobs.Open(blob.Digest(digest), "")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
