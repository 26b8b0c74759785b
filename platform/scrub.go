package platform

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
)

const (
	scrubEvery = time.Hour
	// scrubRate is the bytes a second that a scrub reads and decodes: a tenth of a
	// core, and less than any disk gives, so that visitors do not feel it.
	scrubRate = 32 << 20
	// scrubSlice is how far a scrub runs ahead before it rests.
	scrubSlice = 50 * time.Millisecond
	// scrubOpen is what opening a file counts as, in bytes.
	scrubOpen = 4 << 10
)

// scrubs reads what is served again, each hour, and at once after a start that
// followed no good end.
func (p *Platform) scrubs(ctx context.Context, f Files) {
	tick := time.NewTicker(scrubEvery)
	defer tick.Stop()
	if p.unclean {
		p.scrub(ctx, f)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.scrub(ctx, f)
		}
	}
}

// scrub reads the bytes of everything in service once and tells of those that
// are not what they should be.
func (p *Platform) scrub(ctx context.Context, f Files) {
	if f.Digests == nil || f.Damaged == nil {
		return
	}
	served, err := p.served(ctx, f.Digests)
	if err != nil {
		p.log.Warn("what is served is not read again", "component", "platform", "error", err)
		return
	}
	pace := &pacer{next: time.Now()}
	for _, d := range served {
		if err = pace.take(ctx, scrubOpen); err == nil {
			err = p.Blobs.Scrub(d, func(bytes int) error { return pace.take(ctx, bytes) })
		}
		switch kind := fault.KindOf(err); {
		case ctx.Err() != nil:
			return
		case kind == fault.Internal || kind == fault.NotFound:
			p.log.Warn("a file in service is damaged", "component", "platform", "error", err)
			f.Damaged(d)
		case err != nil:
			p.log.Warn("a file in service cannot be read again", "component", "platform", "error", err)
		}
	}
	p.log.Debug("what is served was read again", "component", "platform", "files", len(served))
}

// served lists the blobs that the current generation refers to, in order. A
// record that is damaged is not served.
func (p *Platform) served(ctx context.Context, digests Digests) ([]blob.Digest, error) {
	_, objects, err := p.Releases.Current(ctx)
	if err != nil {
		return nil, err
	}
	found := map[blob.Digest]bool{}
	for _, o := range objects {
		if o.Damaged != nil || len(o.Manifest) == 0 {
			continue
		}
		if err := digests(o.Manifest, func(d blob.Digest) { found[d] = true }); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// pacer lets bytes pass at scrubRate.
type pacer struct{ next time.Time }

// take waits until the bytes are due; the error is that of ctx.
func (p *pacer) take(ctx context.Context, bytes int) error {
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(bytes) * time.Second / scrubRate)
	ahead := p.next.Sub(now)
	if ahead < scrubSlice {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
