package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// ingest takes a pack from the network into the store under the limits. On an
// error the store is as before.
func (s *store) ingest(ctx context.Context, r io.Reader, limits Limits, d *delivery) error {
	file, err := newScratch(filepath.Join(s.folders[0], "pack"), "tmp_pack_")
	if err != nil {
		return err
	}
	defer file.Close()
	counted := &counter{r: r}
	seen, err := guardPack(ctx, io.TeeReader(counted, file), limits)
	if err != nil {
		return err
	}
	d.objects, d.bytes, d.memory = seen.objects, counted.n, seen.memory()
	if seen.objects == 0 {
		return nil
	}
	if s.git != "" {
		return s.indexByGit(ctx, file)
	}
	if d.memory > limits.Memory {
		return fault.New(fault.Exhausted, "indexing %d objects could take %d MiB of memory, the limit is %d", seen.objects, d.memory>>20, limits.Memory>>20).
			WithCode(codeMemory).WithHint("let git do it in a process of its own: --fetch-with git")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	writer := new(idxfile.Writer)
	parser, err := packfile.NewParser(packfile.NewScanner(&boundFile{file.File, ctx}), writer)
	if err != nil {
		return err
	}
	if _, err := parser.Parse(); err != nil {
		return fmt.Errorf("%w: the received pack: %w", errMalformed, err)
	}
	index, err := writer.Index()
	if err != nil {
		return err
	}
	_, err = s.addPack(file, index)
	return err
}

// indexByGit has a git binary index the pack. It gets a file and gives an
// index: no address, no credentials, no configuration, no hooks.
func (s *store) indexByGit(ctx context.Context, file *scratch) error {
	pack, made := file.Name(), file.Name()+".idx"
	defer os.Remove(made)
	cmd := exec.CommandContext(ctx, s.git, "-c", "pack.threads=1", "-c", "pack.writeReverseIndex=false", "-c", "core.bigFileThreshold=1m", "-c", "core.deltaBaseCacheLimit=32m",
		"index-pack", "-o", made, pack)
	cmd.Dir = filepath.Dir(pack)
	cmd.Env = []string{"GIT_DIR=" + filepath.Dir(s.folders[0]), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_ALLOW_PROTOCOL=", "GIT_TERMINAL_PROMPT=0", "HOME=" + os.DevNull, "LC_ALL=C"}
	var said lastWords
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			return fault.Wrap(fault.Invalid, err, "the git binary cannot be run").WithSubject(s.git)
		}
		return fmt.Errorf("%w: the received pack: git says: %s", errMalformed, printable(said.String(), 300))
	}
	index, _, err := readIndex(made)
	if err == nil {
		_, err = s.addPack(file, index)
	}
	return err
}

// counter counts what passes.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// packShape is what a look at a pack tells before anything is kept in memory.
type packShape struct {
	objects  int
	inflated int64 // bytes of all entries
	step     int64 // most that working on one entry takes
}

const (
	// objectMemory is what the library's parser and index keep of an object: 300
	// bytes measured on packs of 20,000 and 200,000, the rest for the collector.
	objectMemory = 512
	// basesMemory is its cache of delta bases.
	basesMemory = 96 << 20
)

// memory bounds what indexing takes: the table of objects, the cache of delta
// bases, and the entry at work.
func (s packShape) memory() int64 {
	return int64(s.objects)*objectMemory + min(basesMemory, s.inflated) + s.step
}

// guardPack reads a pack through once before anything is kept in memory: it
// checks the counts, every declared size and the checksum.
func guardPack(ctx context.Context, r io.Reader, limits Limits) (packShape, error) {
	var shape packShape
	scanner := packfile.NewScanner(r)
	_, count, err := scanner.Header()
	if errors.Is(err, packfile.ErrEmptyPackfile) {
		return shape, fmt.Errorf("%w: the remote sent no pack", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return shape, err
	}
	if int64(count) > int64(limits.Objects) {
		return shape, tooLarge("the fetch brings %d objects, the limit is %d", count, limits.Objects)
	}
	shape.objects = int(count)
	for range count {
		if err := ctx.Err(); err != nil {
			return shape, err
		}
		if err := shape.guardObject(scanner, limits.Object); err != nil {
			return shape, err
		}
	}
	if _, err := scanner.Checksum(); err != nil {
		return shape, err
	}
	_, err = io.Copy(io.Discard, r) // what the remote still says may be an error
	return shape, err
}

func (s *packShape) guardObject(scanner *packfile.Scanner, limit int64) error {
	header, err := scanner.NextObjectHeader()
	if err != nil {
		return err
	}
	if header.Length > limit {
		return tooLarge("a received object has %d bytes, the limit is %d", header.Length, limit)
	}
	var start prefix
	written, _, err := scanner.NextObject(&start)
	if err != nil {
		return err
	}
	if written != header.Length {
		return fmt.Errorf("%w: an object of %d bytes says it has %d", errMalformed, written, header.Length)
	}
	s.inflated += written
	s.step = max(s.step, 3*written) // a buffer that grows to twice that, and the one before it
	if !header.Type.IsDelta() {
		return nil
	}
	sizes := bytes.NewReader(start.bytes)
	base, err := binary.ReadUvarint(sizes)
	if err != nil {
		return fmt.Errorf("%w: a delta without sizes", errMalformed)
	}
	result, err := binary.ReadUvarint(sizes)
	if err != nil || max(base, result) > uint64(limit) {
		return tooLarge("a received delta makes an object of %d bytes, the limit is %d", max(base, result), limit)
	}
	s.inflated += int64(result)
	s.step = max(s.step, 2*(written+int64(base+result))) // three buffers that double
	return nil
}

// prefix keeps the first bytes written to it: enough for a delta's two sizes.
type prefix struct{ bytes []byte }

func (p *prefix) Write(b []byte) (int, error) {
	if room := 20 - len(p.bytes); room > 0 {
		p.bytes = append(p.bytes, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

// boundFile stops a long parse when its context ends.
type boundFile struct {
	*os.File
	ctx context.Context
}

func (b *boundFile) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.File.Read(p)
}

func (b *boundFile) Seek(offset int64, whence int) (int64, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.File.Seek(offset, whence)
}
