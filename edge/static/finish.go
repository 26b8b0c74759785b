package static

import (
	"context"

	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
)

// Finish makes the compressed forms that are missing, tries each file once, and
// returns how many files got some. Each serves its forms as soon as they are
// there. It is called by one goroutine at a time. The error is that of a disk
// that takes no more; a file that is damaged is left to whoever meets it.
func (h *Handler) Finish(ctx context.Context) (made int, err error) {
	for i := range h.entries {
		e := &h.entries[i]
		if !e.many || e.tried || e.sizes[brotli].Load() >= 0 {
			continue
		}
		if err := h.store.Pack(ctx, e.blob); err != nil {
			kind := fault.KindOf(err)
			if ctx.Err() != nil || kind != fault.Internal && kind != fault.NotFound {
				return made, err
			}
		}
		e.tried = true
		if h.addVariants(e) {
			made++
		}
	}
	return made, nil
}

// addVariants looks for brotli first: without it the store has no other that
// counts. A form that is new may be longer than one that was dropped.
func (h *Handler) addVariants(e *entry) (found bool) {
	for f := brotli; f < forms; f++ {
		size, ok := h.store.Stat(e.blob, f.encoding())
		switch {
		case ok && e.sizes[f].Load() != size:
			e.reps[f].Store(nil)
			e.sizes[f].Store(size)
			found = true
		case !ok && f == brotli:
			return false
		}
	}
	return found
}

// compressed tells whether the store makes forms of a file.
func compressed(path string, size int64) bool {
	return size >= blob.PackFrom && size <= blob.PackLimit && Compressible(path)
}
