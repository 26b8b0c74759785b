package web

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"iter"
	"runtime"
)

const (
	// maxInflated is how much one DecompressionStream gives: as much as the memory
	// that a function has, so that what is refused could not have been held.
	maxInflated = 64 << 20
	// maxZips is how many streams of a machine may be open: each has a window of
	// 32 KiB and tables, a compressing one about 800 KiB.
	maxZips     = 32
	inflateStep = 64 << 10
)

// zips are the open streams of one machine. A stream has either a writer that
// compresses or an inflater.
type zips struct {
	open map[int]*zip
	last int
}

type zip struct {
	out      bytes.Buffer
	writer   io.WriteCloser
	inflater *inflater
}

func zipOperations(ops map[string]Function) {
	z := &zips{open: map[int]*zip{}}
	ops["zip.open"] = func(args []any) (any, error) { return z.begin(text(args, 0), truth(args, 1)) }
	ops["zip.push"] = func(args []any) (any, error) { return z.push(number(args, 0), args) }
	ops["zip.pull"] = func(args []any) (any, error) { return z.pull(number(args, 0)) }
	ops["zip.end"] = func(args []any) (any, error) { return z.end(number(args, 0)) }
	ops["zip.close"] = func(args []any) (any, error) {
		z.drop(number(args, 0))
		return nil, nil
	}
}

func (z *zips) begin(format string, inflate bool) (any, error) {
	if len(z.open) >= maxZips {
		return nil, named{"QuotaExceededError", "too many compression streams are open"}
	}
	s := &zip{}
	var err error
	if inflate {
		s.inflater = newInflater(format)
	} else {
		s.writer, err = compressor(format, &s.out)
	}
	if err != nil {
		return nil, err
	}
	z.last++
	z.open[z.last] = s
	return z.last, nil
}

func compressor(format string, to io.Writer) (io.WriteCloser, error) {
	switch format {
	case "gzip":
		return gzip.NewWriter(to), nil
	case "deflate":
		return zlib.NewWriter(to), nil
	}
	return flate.NewWriter(to, flate.DefaultCompression)
}

// push takes the next bytes. It returns what a compressing stream has ready; an
// inflating one is pulled.
func (z *zips) push(id int, args []any) (any, error) {
	s, err := z.get(id)
	if err != nil {
		return nil, err
	}
	b, err := data(args, 1)
	if err != nil {
		return nil, err
	}
	if s.inflater != nil {
		return "", s.inflater.feed(b)
	}
	if _, err := s.writer.Write(b); err != nil {
		return nil, operation(err)
	}
	return s.take(), nil
}

// pull returns some of what can be inflated, and nothing when more is needed first.
func (z *zips) pull(id int) (any, error) {
	s, err := z.get(id)
	if err != nil || s.inflater == nil {
		return "", err
	}
	b, err := s.inflater.step()
	return encoded(b), err
}

// end returns the last bytes of a compressing stream; an inflating one must have
// come to its end.
func (z *zips) end(id int) (any, error) {
	s, err := z.get(id)
	if err != nil {
		return nil, err
	}
	defer z.drop(id)
	if s.inflater != nil {
		return "", s.inflater.finish()
	}
	if err := s.writer.Close(); err != nil {
		return nil, operation(err)
	}
	return s.take(), nil
}

func (z *zips) get(id int) (*zip, error) {
	s, ok := z.open[id]
	if !ok {
		return nil, named{"TypeError", "the stream has ended"}
	}
	return s, nil
}

func (z *zips) drop(id int) {
	if s, ok := z.open[id]; ok && s.inflater != nil {
		s.inflater.stop()
	}
	delete(z.open, id)
}

func (s *zip) take() string {
	defer s.out.Reset()
	return encoded(s.out.Bytes())
}

// inflater turns the pulling readers of the standard library round: bytes are fed
// to it as they come. It runs in a coroutine, which a cleanup ends for a machine
// that is closed with open streams.
type inflater struct {
	in    *input
	next  func() ([]byte, bool)
	stop  func()
	given int
}

// input is what has been fed and not read.
type input struct {
	rest  []byte
	last  bool   // no more comes
	wait  func() // gives way until more was fed
	err   error  // why the coroutine ended
	ended bool   // the compressed data is complete
}

func newInflater(format string) *inflater {
	in := &input{}
	next, stop := iter.Pull(func(yield func([]byte) bool) { in.inflate(format, yield) })
	f := &inflater{in: in, next: next, stop: stop}
	runtime.AddCleanup(f, func(stop func()) { stop() }, stop)
	return f
}

func (f *inflater) feed(b []byte) error {
	if f.in.ended && len(b) > 0 {
		return named{"TypeError", "there is data after the end of the compressed data"}
	}
	f.in.rest = append(f.in.rest, b...)
	return nil
}

func (f *inflater) step() ([]byte, error) {
	b, ok := f.next()
	if f.given += len(b); f.given > maxInflated {
		f.stop()
		return nil, named{"TypeError", "the data has more than 64 MiB when it is decompressed"}
	}
	if !ok {
		return nil, f.failure()
	}
	return b, nil
}

// failure is why no more comes, or nil at a proper end.
func (f *inflater) failure() error {
	switch {
	case f.in.err != nil:
		return named{"TypeError", "the compressed data is damaged"}
	case f.in.ended && len(f.in.rest) > 0:
		return named{"TypeError", "there is data after the end of the compressed data"}
	}
	return nil
}

func (f *inflater) finish() error {
	f.in.last = true
	for {
		b, ok := f.next()
		switch {
		case !ok && !f.in.ended && f.in.err == nil:
			return named{"TypeError", "the compressed data is not complete"}
		case !ok:
			return f.failure()
		case len(b) > 0:
			return named{"TypeError", "the compressed data is not complete"}
		}
	}
}

var errStopped = errors.New("stopped")

// inflate yields pieces, and nil when it waits for more input.
func (in *input) inflate(format string, yield func([]byte) bool) {
	stopped := false
	in.wait = func() { stopped = stopped || !yield(nil) }
	if in.err = in.copy(format, func(b []byte) bool { return !stopped && yield(b) }, &stopped); in.err == nil {
		in.ended = !stopped
	}
}

func (in *input) copy(format string, yield func([]byte) bool, stopped *bool) error {
	src := &waiting{in: in, stopped: stopped}
	r, err := decompressor(format, src)
	if err != nil {
		return err
	}
	buf := make([]byte, inflateStep)
	for {
		n, err := r.Read(buf)
		if n > 0 && !yield(bytes.Clone(buf[:n])) {
			return errStopped
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func decompressor(format string, from *waiting) (io.Reader, error) {
	switch format {
	case "gzip":
		r, err := gzip.NewReader(from)
		if err == nil {
			r.Multistream(false)
		}
		return r, err
	case "deflate":
		return zlib.NewReader(from)
	}
	return flate.NewReader(from), nil
}

// waiting reads the input and gives way when there is none. Being a ByteReader it
// is never read further than the compressed data goes.
type waiting struct {
	in      *input
	stopped *bool
}

func (w *waiting) ready() error {
	for len(w.in.rest) == 0 {
		if *w.stopped {
			return errStopped
		}
		if w.in.last {
			return io.ErrUnexpectedEOF
		}
		w.in.wait()
	}
	return nil
}

func (w *waiting) Read(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	n := copy(p, w.in.rest)
	w.in.rest = w.in.rest[n:]
	return n, nil
}

func (w *waiting) ReadByte() (byte, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	b := w.in.rest[0]
	w.in.rest = w.in.rest[1:]
	return b, nil
}
