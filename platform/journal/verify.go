package journal

import (
	"context"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Verify reads the whole journal and checks the chain, and that each head known
// from elsewhere is still in it. The error, of kind Internal, names the first
// entry that is not as it was written.
func (j *Journal) Verify(ctx context.Context, known ...Head) error {
	heads := map[uint64]string{}
	for _, h := range known {
		heads[h.Seq] = h.Hash
	}
	var last Head
	err := j.db.Read(ctx, func(tx *sqlite.Tx) error {
		return each(tx, func(e Entry) error {
			if err := e.follows(last); err != nil {
				return err
			}
			if hash, ok := heads[e.Seq]; ok && hash != e.Hash {
				return fault.New(fault.Internal, "journal entry %d was rewritten: it is not the one that was noted", e.Seq)
			}
			last = Head{Seq: e.Seq, Hash: e.Hash}
			return nil
		}, columns+` ORDER BY seq`)
	})
	if err != nil {
		return err
	}
	for seq := range heads {
		if seq > last.Seq {
			return fault.New(fault.Internal, "journal entry %d is missing: the journal was cut short", last.Seq+1)
		}
	}
	return nil
}

func (e Entry) follows(last Head) error {
	switch {
	case e.Seq != last.Seq+1:
		return fault.New(fault.Internal, "journal entry %d is missing", last.Seq+1)
	case e.Prev != last.Hash:
		return fault.New(fault.Internal, "journal entry %d does not follow entry %d", e.Seq, last.Seq)
	case e.Hash != e.sum():
		return fault.New(fault.Internal, "journal entry %d was changed", e.Seq)
	}
	return nil
}
