package archive

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Reader reads an archive piece by piece. Whether it is whole is known only when
// Next has returned io.EOF; until then nothing of it may be put to use.
type Reader struct {
	head   Head
	tar    *tar.Reader
	tally  *tally
	limits Limits
	ended  bool
}

// NewReader reads the first piece. The error's kind is Invalid for what is no archive,
// or one of another format; so are those of all methods. A reader that fails by
// itself is Unavailable.
func NewReader(r io.Reader, l Limits) (*Reader, error) {
	a := &Reader{tar: tar.NewReader(r), tally: newTally(), limits: l}
	name, size, err := a.next()
	if err != nil {
		return nil, err
	}
	if name != headName {
		return nil, bad("it begins with %q", name)
	}
	if err := a.readJSON(size, &a.head); err != nil {
		return nil, err
	}
	if a.head.Format != Format {
		return nil, fault.New(fault.Invalid, "the archive has format %d, and this fazt reads %d", a.head.Format, Format).
			WithHint("use the version of fazt that wrote it: %s", a.head.Version)
	}
	return a, nil
}

// Head returns the first piece.
func (a *Reader) Head() Head { return a.head }

// Next goes on to the next piece, past what was not read of the last one. It returns
// io.EOF after the last one, if the archive is whole.
func (a *Reader) Next() (name string, size int64, err error) {
	if a.ended {
		return "", 0, io.EOF
	}
	if _, err := io.Copy(io.Discard, a); err != nil { // it counts, too
		return "", 0, err
	}
	name, size, err = a.next()
	if err != nil || name != endName {
		return name, size, err
	}
	var said end
	if err := a.readJSON(size, &said); err != nil {
		return "", 0, err
	}
	if said != a.tally.total() {
		return "", 0, bad("it holds something else than was written")
	}
	if _, err := a.tar.Next(); err != io.EOF {
		return "", 0, bad("it goes on behind its end")
	}
	a.ended = true
	return "", 0, io.EOF
}

// next reads a header and judges it.
func (a *Reader) next() (string, int64, error) {
	h, err := a.tar.Next()
	if err == io.EOF {
		return "", 0, bad("it breaks off")
	}
	if err != nil {
		return "", 0, reading(err)
	}
	if h.Typeflag != tar.TypeReg || h.Linkname != "" {
		return "", 0, bad("%.100q is no plain file", h.Name)
	}
	for key := range h.PAXRecords {
		if key != "size" && key != "path" {
			return "", 0, bad("%.100q is stored in a way that it is not written in", h.Name)
		}
	}
	if h.Name == endName {
		return h.Name, h.Size, nil
	}
	if a.limits.Bytes > 0 && h.Size > a.limits.Bytes-a.tally.Bytes {
		return "", 0, fault.New(fault.Exhausted, "the archive has more than %d bytes, from %.100q on", a.limits.Bytes, h.Name).WithHint("make room on the disk, or use a node that has more")
	}
	if a.limits.Pieces > 0 && a.tally.Pieces >= a.limits.Pieces {
		return "", 0, fault.New(fault.Exhausted, "the archive has more than %d pieces", a.limits.Pieces)
	}
	return h.Name, h.Size, a.tally.begin(h.Name, h.Size)
}

// Read reads the piece that Next has found.
func (a *Reader) Read(p []byte) (int, error) {
	n, err := a.tar.Read(p)
	a.tally.hash.Write(p[:n])
	if err != nil && err != io.EOF {
		err = reading(err)
	}
	return n, err
}

// JSON reads the whole piece that Next has found, which has at most so many bytes.
func (a *Reader) JSON(most int64, v any) error {
	b, err := io.ReadAll(io.LimitReader(a, most+1))
	switch {
	case err != nil:
		return err
	case int64(len(b)) > most:
		return bad("%q has more than %d bytes", a.tally.last, most)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return bad("%q cannot be read: %v", a.tally.last, err)
	}
	return nil
}

// readJSON reads the first or the last piece. The latter is not part of the sum.
func (a *Reader) readJSON(size int64, v any) error {
	if size > mostHead {
		return bad("it says too much of itself")
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(a.tar, b); err != nil {
		return reading(err)
	}
	if _, first := v.(*Head); first {
		a.tally.hash.Write(b)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return bad("what it says of itself cannot be read: %v", err)
	}
	return nil
}

// Unpack writes the pieces that are left into a folder that is there, each under its
// name, but for those that other takes. It stops at the first fault; what is in the
// folder then is of no use. With durable, the bytes are on the disk when it returns.
func (a *Reader) Unpack(ctx context.Context, dir string, durable bool, other func(name string) (bool, error)) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "open the folder %q", dir)
	}
	defer root.Close()
	for {
		name, _, err := a.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if other != nil {
			if taken, err := other(name); taken || err != nil {
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := a.unpackOne(ctx, root, name, durable); err != nil {
			return err
		}
	}
}

func (a *Reader) unpackOne(ctx context.Context, root *os.Root, name string, durable bool) error {
	if parent := path.Dir(name); parent != "." {
		if err := root.MkdirAll(parent, 0o700); err != nil {
			return unpacking(err, name)
		}
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unpacking(err, name)
	}
	_, err = io.Copy(f, &patient{ctx, a})
	if err == nil && durable {
		err = f.Sync()
	}
	if failed := f.Close(); err == nil {
		err = failed
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return unpacking(err, name)
}

// patient reads until its context ends.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if p.ctx.Err() != nil {
		return 0, fault.Wrap(fault.Unavailable, context.Cause(p.ctx), "read an archive")
	}
	return p.r.Read(b)
}

func unpacking(err error, name string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return bad("%q is in the place of another piece", name)
	}
	return fault.Wrap(fault.Unavailable, err, "write %q of an archive", name).WithHint("check the disk")
}

// reading tells an archive that is none from a reader that fails.
func reading(err error) error {
	var known *fault.Error
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return bad("it breaks off")
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong), errors.Is(err, tar.ErrInsecurePath):
		return bad("%v", err)
	case errors.As(err, &known):
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "read an archive")
}
