package blob

import (
	"context"

	"github.com/fazt-sh/fazt/platform/failpoint"
)

// Pack makes the variants of a blob that the store has already, of bytes that it
// verifies first, durable when it returns. It does nothing where they are, or
// where none would pay. The error's kind is Internal or NotFound where the bytes
// are damaged or missing.
func (s *Store) Pack(ctx context.Context, d Digest) error {
	size, there := s.Stat(d, Identity)
	if there && (size < PackFrom || size > PackLimit) {
		return nil
	}
	if _, packed := s.Stat(d, Brotli); packed {
		return nil
	}
	if _, err := s.verify(d, Identity, -1, func(int) error { return ctx.Err() }); err != nil {
		return err
	}
	b := s.Batch()
	defer b.Discard()
	err := b.once(ctx, d, func(st *staged) error { return b.packLarge(ctx, st, s.path(d, Identity), size) })
	if err != nil {
		return err
	}
	failpoint.Reached("blob.packed")
	return b.Commit()
}
