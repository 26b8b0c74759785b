package source

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// addPack gives a complete temporary pack its name and makes it readable.
func (s *store) addPack(file *scratch, index *idxfile.MemoryIndex) (*pack, error) {
	name := "pack-" + plumbing.Hash(index.PackfileChecksum).String()
	base := filepath.Join(s.folders[0], "pack", name)
	failpoint.Reached("source.pack.received")
	if err := file.name(base + ".pack"); err != nil {
		return nil, err
	}
	failpoint.Reached("source.pack.named")
	stamp, err := writeIndex(base+".idx", index)
	if err != nil {
		return nil, err
	}
	failpoint.Reached("source.packed")
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &pack{folder: s.folders[0], name: name, index: index, stamp: stamp}
	s.packs = append(s.packs, p)
	return p, nil
}

func writeIndex(path string, index *idxfile.MemoryIndex) (stamp, error) {
	file, err := newScratch(filepath.Dir(path), "tmp_idx_")
	if err != nil {
		return stamp{}, err
	}
	defer file.Close()
	buffered := bufio.NewWriter(file)
	if _, err := idxfile.NewEncoder(buffered).Encode(index); err != nil {
		return stamp{}, err
	}
	if err := buffered.Flush(); err != nil {
		return stamp{}, err
	}
	info, err := file.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stampOf(info), file.name(path)
}

// take copies objects from another store as one pack.
func (s *store) take(ctx context.Context, from *store, ids []plumbing.Hash, limits Limits) (int64, error) {
	if len(ids) > limits.Objects {
		return 0, tooLarge("the fetch brings %d objects, the limit is %d", len(ids), limits.Objects)
	}
	var written int64
	_, err := s.writePack(len(ids), func(w *packWriter) error {
		for _, id := range ids {
			if err := errors.Join(ctx.Err(), w.add(from, id)); err != nil {
				return err
			}
			if written = w.written; written > limits.Transfer {
				return tooMuch(limits.Transfer)
			}
		}
		return nil
	})
	return written, err
}

// errBudget marks a fetch that was larger than its order allows.
var errBudget = errors.New("over the budget of one fetch")

func tooMuch(limit int64) error {
	e := tooLarge("the fetch brings more than %d bytes", limit)
	e.Err = errBudget
	return e
}

// writePack makes a pack of count objects that fill writes. On an error the
// store is as before.
func (s *store) writePack(count int, fill func(w *packWriter) error) (*pack, error) {
	file, err := newScratch(filepath.Join(s.folders[0], "pack"), "tmp_pack_")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	w := newPackWriter(file, count, s.deflater())
	if err := fill(w); err != nil {
		return nil, err
	}
	if err := w.finish(); err != nil {
		return nil, err
	}
	index, err := w.index.Index()
	if err != nil {
		return nil, err
	}
	return s.addPack(file, index)
}

// deflater returns the store's compressor: a new one costs a megabyte, and only
// one goroutine writes.
func (s *store) deflater() *zlib.Writer {
	if s.deflate == nil {
		s.deflate, _ = zlib.NewWriterLevel(io.Discard, zlib.BestSpeed) // the level is valid
	}
	return s.deflate
}

// packWriter writes a pack of whole objects and its index.
type packWriter struct {
	file    *bufio.Writer
	out     io.Writer // file and sum
	written int64
	crc     uint32
	deflate *zlib.Writer
	sum     interface {
		io.Writer
		Sum([]byte) []byte
	}
	index *idxfile.Writer
}

func newPackWriter(file io.Writer, count int, deflate *zlib.Writer) *packWriter {
	w := &packWriter{deflate: deflate, file: bufio.NewWriterSize(file, 64<<10), sum: sha1.New(), index: new(idxfile.Writer)}
	w.out = io.MultiWriter(w.file, w.sum)
	_ = w.index.OnHeader(uint32(count))
	header := append([]byte("PACK\x00\x00\x00\x02"), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(header[8:], uint32(count))
	_, _ = w.Write(header) // a failing file fails again in finish
	return w
}

// Write counts and sums what goes to the file.
func (w *packWriter) Write(p []byte) (int, error) {
	w.crc = crc32.Update(w.crc, crc32.IEEETable, p)
	w.written += int64(len(p))
	return w.out.Write(p)
}

func (w *packWriter) add(from *store, id plumbing.Hash) error {
	kind, size, r, err := from.reader(id)
	if err != nil {
		return err
	}
	defer r.Close()
	offset := w.written
	w.crc = 0
	if _, err := w.Write(objectHeader(kind, size)); err != nil {
		return err
	}
	w.deflate.Reset(w)
	if _, err := io.Copy(w.deflate, r); err != nil {
		return err
	}
	if err := w.deflate.Close(); err != nil {
		return err
	}
	w.index.Add(id, uint64(offset), w.crc)
	return nil
}

// objectHeader is a pack entry's type and size: four bits of size with the
// type, then seven a byte.
func objectHeader(kind plumbing.ObjectType, size int64) []byte {
	b := []byte{byte(kind)<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		b[len(b)-1] |= 0x80
		b = append(b, byte(size&0x7f))
	}
	return b
}

func (w *packWriter) finish() error {
	checksum := w.sum.Sum(nil)
	if _, err := w.file.Write(checksum); err != nil {
		return err
	}
	if err := w.file.Flush(); err != nil {
		return err
	}
	return w.index.OnFooter(plumbing.Hash(checksum))
}
