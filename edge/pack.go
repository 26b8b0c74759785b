package edge

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/fault"
)

// packInline is how many bytes of compressible files a pass compresses before it
// is live. They cost a few milliseconds; a megabyte of text costs a hundred, which
// a push would wait for (measured: 20 files of 1 MiB, 3.4 s with their forms, 33 ms
// without).
const packInline = 32 << 10

// packsInline tells whether what a pass brings is little enough to be compressed
// at once.
func packsInline(order []*fetch) bool {
	var total int64
	for _, f := range order {
		if static.Compressible(f.file.Path) {
			total += f.file.Size
		}
	}
	return total <= packInline
}

// pack has the forms made that the current snapshot lacks; it never blocks.
func (s *Server) pack() {
	select {
	case s.unpacked <- struct{}{}:
	default:
	}
}

// packs makes missing compressed forms after each publish and at the start, one
// file at a time, until ctx ends. Until a form is there visitors get another.
func (s *Server) packs(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.unpacked:
		}
		n := s.acquire()
		began, made := time.Now(), 0
		for _, site := range n.sites {
			if site.files == nil {
				continue
			}
			count, err := site.files.Finish(ctx)
			made += count
			if err != nil && ctx.Err() == nil {
				s.log.Warn("compressed forms are not made", "app", site.addr, "error", err, "kind", fault.KindOf(err))
			}
		}
		n.release()
		if made > 0 {
			s.log.Info("compressed forms are made", "component", "edge", "files", made, "took", time.Since(began).Round(time.Millisecond))
		}
	}
}
