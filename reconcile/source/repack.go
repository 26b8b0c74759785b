package source

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

const (
	// repackAt is the number of packs at which the small ones become one, as git
	// does by itself.
	repackAt = 50
	// mergeMost bounds the objects of one merge, and so its memory: about 200
	// bytes each.
	mergeMost = 250_000
)

// repack puts the small packs of the store's own folder together once there are
// repackAt. Entries are copied as they are, so it costs the bytes of the small
// packs; the library's encoder would hold every object, and choose deltas anew.
// A large pack waits until the small ones together are half of it, so a byte is
// copied a few times in its life. Readers go on: what they opened stays open.
func (s *store) repack(ctx context.Context) error {
	own := s.own()
	if len(own) < repackAt {
		return nil
	}
	small := smallPacks(own)
	if len(small) < 2 {
		return nil
	}
	failpoint.Reached("source.repack.begun")
	merged, err := s.merge(ctx, small)
	if err != nil {
		return fmt.Errorf("putting %d packs together: %w", len(small), err)
	}
	if err := merged.sync(); err != nil {
		return err
	}
	failpoint.Reached("source.repack.written")
	for _, p := range small {
		if p.name == merged.name {
			continue // the same objects in the same order
		}
		for _, end := range []string{".idx", ".pack"} {
			if err := os.Remove(filepath.Join(p.folder, "pack", p.name+end)); err != nil {
				return err
			}
			failpoint.Reached("source.repack.dropping")
		}
	}
	failpoint.Reached("source.repack.done")
	return s.rescan()
}

// smallPacks chooses the packs to put together: from the smallest on, until
// every one that is left is at least twice as large as all before it.
func smallPacks(packs []*pack) []*pack {
	slices.SortFunc(packs, func(a, b *pack) int { return cmp.Or(cmp.Compare(a.count(), b.count()), cmp.Compare(a.name, b.name)) })
	end := len(packs) - 1
	for end > 0 && packs[end].count() >= 2*packs[end-1].count() {
		end--
	}
	var total int64
	for i, p := range packs {
		if i > end && p.count() >= 2*total || total+p.count() > mergeMost {
			return packs[:i]
		}
		total += p.count()
	}
	return packs
}

// sync makes a pack durable, as others are about to be dropped for it.
func (p *pack) sync() error {
	base := filepath.Join(p.folder, "pack", p.name)
	for _, path := range []string{base + ".pack", base + ".idx", filepath.Dir(base)} {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// merge writes one pack of several.
func (s *store) merge(ctx context.Context, packs []*pack) (*pack, error) {
	at := map[plumbing.Hash]uint64{} // where an object is in the new pack
	for _, p := range packs {
		for _, names := range p.index.Names {
			for ; len(names) >= len(plumbing.Hash{}); names = names[len(plumbing.Hash{}):] {
				at[plumbing.Hash(names[:20])] = 0
			}
		}
	}
	return s.writePack(len(at), func(w *packWriter) error {
		for _, p := range packs {
			if err := p.copyTo(ctx, w, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// copyTo appends the entries that are not in the new pack yet.
func (p *pack) copyTo(ctx context.Context, w *packWriter, at map[plumbing.Hash]uint64) error {
	entries, err := p.entries()
	if err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(p.folder, "pack", p.name+".pack"))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	ids := make(map[uint64]plumbing.Hash, len(entries))
	for _, e := range entries {
		ids[e.Offset] = e.Hash
	}
	for i, e := range entries {
		end := uint64(info.Size()) - uint64(len(plumbing.Hash{}))
		if i+1 < len(entries) {
			end = entries[i+1].Offset
		}
		if at[e.Hash] != 0 {
			continue // another pack had it
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if end <= e.Offset {
			return fmt.Errorf("%w: %s ends early", errMalformed, p.name)
		}
		at[e.Hash] = uint64(w.written)
		raw := bufio.NewReader(io.NewSectionReader(file, int64(e.Offset), int64(end-e.Offset)))
		if err := w.copyEntry(raw, e, func(offset uint64) uint64 { return at[ids[offset]] }); err != nil {
			return fmt.Errorf("%s of %s: %w", e.Hash, p.name, err)
		}
	}
	return nil
}

// entries returns what the index knows in the order of the pack.
func (p *pack) entries() ([]idxfile.Entry, error) {
	each, err := p.index.Entries()
	if err != nil {
		return nil, err
	}
	all := make([]idxfile.Entry, 0, p.count())
	for {
		e, err := each.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errMalformed, err)
		}
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b idxfile.Entry) int { return cmp.Compare(a.Offset, b.Offset) })
	return all, nil
}

// copyEntry appends one entry of another pack without inflating it. A delta
// that names its base by distance gets the new one. The checksum of the old
// index tells a rotten entry, which would be found out only when it is read.
func (w *packWriter) copyEntry(r *bufio.Reader, e idxfile.Entry, moved func(offset uint64) uint64) error {
	old := crc32.NewIEEE()
	from := io.TeeReader(r, old)
	header, err := readVarint(from)
	if err != nil {
		return err
	}
	offset := w.written
	w.crc = 0
	if plumbing.ObjectType(header[0]>>4&7) == plumbing.OFSDeltaObject {
		distance, err := readVarint(from)
		if err != nil {
			return err
		}
		base := moved(e.Offset - decodeDistance(distance))
		if base == 0 {
			return fmt.Errorf("%w: a delta without its base", errMalformed)
		}
		header = append(header, encodeDistance(uint64(offset)-base)...)
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	if _, err := io.Copy(w, from); err != nil {
		return err
	}
	if old.Sum32() != e.CRC32 {
		return fmt.Errorf("%w: not what its index says", errMalformed)
	}
	w.index.Add(e.Hash, uint64(offset), w.crc)
	return nil
}

// readVarint returns the bytes of a number: all but the last have the high bit.
func readVarint(r io.Reader) ([]byte, error) {
	var text []byte
	for b := []byte{0x80}; b[0]&0x80 != 0; text = append(text, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil || len(text) >= binary.MaxVarintLen64 {
			return nil, fmt.Errorf("%w: a number without an end: %w", errMalformed, cmp.Or(err, io.ErrUnexpectedEOF))
		}
	}
	return text, nil
}

// decodeDistance reads git's own form of a number, in which no value has two
// spellings.
func decodeDistance(text []byte) (n uint64) {
	for i, b := range text {
		if i > 0 {
			n++
		}
		n = n<<7 | uint64(b&0x7f)
	}
	return n
}

func encodeDistance(n uint64) []byte {
	text := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		text = append(text, 0x80|byte(n&0x7f))
	}
	slices.Reverse(text)
	return text
}
