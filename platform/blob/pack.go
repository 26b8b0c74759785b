package blob

import (
	"bytes"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// The sizes in bytes of what is compressed.
const (
	PackFrom  = 1 << 10  // below, a variant saves one packet at most and never a round trip
	PackLimit = 64 << 20 // above, compressing would take minutes
)

const (
	// browserWindow is the most a client of zstd has to support (RFC 9659).
	browserWindow = 8 << 20
)

// packOrder is the order variants are tried in. Brotli is the strongest: where
// it does not pay, the others do not either.
func packOrder() [3]Encoding { return [...]Encoding{Brotli, Zstd, Gzip} }

// worth tells whether a variant saves at least 5 % of the identity's bytes.
func worth(variant, identity int64) bool { return variant <= identity-identity/20 }

// Levels by size. Measured on source text, brotli 9 is within 1 % of 6 at one
// and a half of its time; 11 saves another 10 % and costs 20 to 50 times as
// much: 73 ms for 32 KiB, which a push would wait for. Page and variants of
// 32 KiB cost 2.5 ms together.
func brotliLevel(size int64) int {
	switch {
	case size <= inMemory:
		return 6
	case size <= 8<<20:
		return 5
	default:
		return 4
	}
}

// packer holds the encoders for reuse: a fresh one costs several times what a
// small page does.
type packer struct {
	buffers sync.Pool // *bytes.Buffer
	brotli  sync.Pool // *brotli.Writer of level 6
	gzip    sync.Pool // *gzip.Writer
	zstd    sync.Pool // *zstd.Encoder
}

func newPacker() *packer {
	p := &packer{}
	p.buffers.New = func() any { return new(bytes.Buffer) }
	p.brotli.New = func() any { return brotli.NewWriterLevel(nil, brotliLevel(0)) }
	// The errors below are about options out of range, and these are constants.
	p.gzip.New = func() any {
		w, _ := gzip.NewWriterLevel(nil, 6)
		return w
	}
	p.zstd.New = func() any {
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(browserWindow), zstd.WithLowerEncoderMem(true))
		return w
	}
	return p
}

func (p *packer) buffer() *bytes.Buffer { return p.buffers.Get().(*bytes.Buffer) }

func (p *packer) release(b *bytes.Buffer) {
	b.Reset()
	p.buffers.Put(b)
}

// pack hands the variants of a body that pay to keep. The bytes are valid until
// keep returns.
func (p *packer) pack(body []byte, keep func(Encoding, []byte) error) error {
	size := int64(len(body))
	if size < PackFrom {
		return nil
	}
	out := p.buffer()
	defer p.release(out)
	for _, e := range packOrder() {
		out.Reset()
		if err := p.stream(out, bytes.NewReader(body), e, size); err != nil {
			return err
		}
		if !worth(int64(out.Len()), size) {
			return nil
		}
		if err := keep(e, out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// encoder is what the three libraries have in common.
type encoder interface {
	io.WriteCloser
	Reset(io.Writer)
}

// stream encodes size bytes of r into w.
func (p *packer) stream(w io.Writer, r io.Reader, e Encoding, size int64) error {
	enc, done := p.encoder(e, size)
	defer done()
	enc.Reset(w)
	if _, err := io.Copy(enc, r); err != nil {
		return err
	}
	return enc.Close()
}

// encoder returns an encoder and what to call when it is not needed any more.
func (p *packer) encoder(e Encoding, size int64) (enc encoder, done func()) {
	pool := &p.gzip
	switch {
	case e == Zstd:
		pool = &p.zstd
	case e == Brotli && brotliLevel(size) != brotliLevel(0):
		return brotli.NewWriterLevel(nil, brotliLevel(size)), func() {}
	case e == Brotli:
		pool = &p.brotli
	}
	enc = pool.Get().(encoder)
	return enc, func() {
		enc.Reset(nil)
		pool.Put(enc)
	}
}

// decode is the inverse of stream.
func decode(r io.Reader, e Encoding) (io.ReadCloser, error) {
	switch e {
	case Brotli:
		return io.NopCloser(brotli.NewReader(r)), nil
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(browserWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case Gzip:
		return gzip.NewReader(r)
	default:
		return io.NopCloser(r), nil
	}
}
