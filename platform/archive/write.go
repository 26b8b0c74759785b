package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Writer writes an archive. Its methods return what its writer returned, and then
// nothing more is written.
type Writer struct {
	tar   *tar.Writer
	tally *tally
}

// NewWriter begins an archive.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	h.Format = Format
	a := &Writer{tar: tar.NewWriter(w), tally: newTally()}
	return a, a.addJSON(headName, h)
}

// Add writes a piece. Names must ascend, and r must have exactly size bytes.
func (a *Writer) Add(name string, size int64, r io.Reader) error {
	if name == headName || name == endName {
		return bad("%q is its own", name)
	}
	return a.add(name, size, r)
}

// AddFile writes a file as a piece.
func (a *Writer) AddFile(name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "read %q", path)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "read %q", path)
	}
	return a.Add(name, info.Size(), f)
}

// AddJSON writes a value as a piece.
func (a *Writer) AddJSON(name string, v any) error {
	if name == headName || name == endName {
		return bad("%q is its own", name)
	}
	return a.addJSON(name, v)
}

func (a *Writer) addJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write %q into an archive", name)
	}
	b = append(b, '\n')
	return a.add(name, int64(len(b)), bytes.NewReader(b))
}

func (a *Writer) add(name string, size int64, r io.Reader) error {
	sums := io.Writer(a.tally.hash)
	if name == endName {
		sums = io.Discard
	} else if err := a.tally.begin(name, size); err != nil {
		return err
	}
	if err := a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, Format: tar.FormatPAX}); err != nil {
		return writing(err, name)
	}
	n, err := io.Copy(io.MultiWriter(a.tar, sums), io.LimitReader(r, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return writing(err, name)
}

// Close writes the last piece. It does not close the writer below.
func (a *Writer) Close() error {
	if err := a.addJSON(endName, a.tally.total()); err != nil {
		return err
	}
	return writing(a.tar.Close(), endName)
}

func writing(err error, name string) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.Unavailable, err, "write %q into an archive", name)
}
