package journal

import (
	"context"
	"fmt"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Broken is the error of a journal that is not as it was written.
type Broken struct {
	Seq uint64 // the first bad entry
	Why string
}

func (b *Broken) Error() string { return fmt.Sprintf("journal entry %d %s", b.Seq, b.Why) }

func broken(seq uint64, why string, args ...any) error {
	return &fault.Error{Kind: fault.Internal, Err: &Broken{seq, fmt.Sprintf(why, args...)}}
}

// Verify reads the whole journal and checks the chain, and that each head known
// from elsewhere is still in it. It returns the last good entry; the error, a
// Broken of kind Internal, names the first that is not as it was written.
func (j *Journal) Verify(ctx context.Context, known ...Head) (last Head, err error) {
	heads := map[uint64]string{}
	for _, h := range known {
		heads[h.Seq] = h.Hash
	}
	err = j.db.Read(ctx, func(tx *sqlite.Tx) error {
		return each(tx, func(e Entry) error {
			if err := e.follows(last); err != nil {
				return err
			}
			if hash, ok := heads[e.Seq]; ok && hash != e.Hash {
				return broken(e.Seq, "was rewritten: it is not the one that was noted")
			}
			last = Head{Seq: e.Seq, Hash: e.Hash}
			return nil
		}, columns+` ORDER BY seq`)
	})
	if err != nil {
		return last, err
	}
	for seq := range heads {
		if seq > last.Seq {
			return last, broken(last.Seq+1, "is missing: the journal was cut short")
		}
	}
	return last, nil
}

func (e Entry) follows(last Head) error {
	switch {
	case e.Seq != last.Seq+1:
		return broken(last.Seq+1, "is missing")
	case e.Prev != last.Hash:
		return broken(e.Seq, "does not follow entry %d", last.Seq)
	case e.Hash != e.sum():
		return broken(e.Seq, "was changed")
	}
	return nil
}
