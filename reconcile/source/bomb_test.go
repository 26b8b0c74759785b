package source_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/source"
)

// craftedPack is a pack of raw entries: a type, a declared size, what stands
// before the compressed bytes, and these.
type craftedPack struct{ bytes.Buffer }

func newCraftedPack(count int) *craftedPack {
	p := &craftedPack{}
	p.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(p, binary.BigEndian, uint32(count))
	return p
}

func (p *craftedPack) add(kind byte, size int64, before, compressed []byte) (offset int) {
	offset = p.Len()
	header := []byte{kind<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		header[len(header)-1] |= 0x80
		header = append(header, byte(size&0x7f))
	}
	p.Write(header)
	p.Write(before)
	p.Write(compressed)
	return offset
}

func (p *craftedPack) answer() []byte {
	sum := sha1.Sum(p.Bytes())
	var b bytes.Buffer
	b.WriteString(pkt("NAK\n"))
	for rest := append(p.Bytes(), sum[:]...); len(rest) > 0; {
		n := min(len(rest), 60_000)
		b.WriteString(pkt("\x01" + string(rest[:n])))
		rest = rest[n:]
	}
	b.WriteString("0000")
	return b.Bytes()
}

func deflated(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Packs that are made to cost more than they weigh end early and in little
// memory.
func TestPackBombsAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("bombs: under the race detector they cost many times what they are held to")
	}
	const blob, distance = 3, 6
	gigabyte := deflated(t, io.LimitReader(zeros{}, 1<<30))
	one := deflated(t, bytes.NewReader([]byte("x")))
	for name, craft := range map[string]func() *craftedPack{
		"a gigabyte, declared": func() *craftedPack {
			p := newCraftedPack(1)
			p.add(blob, 1<<30, nil, gigabyte)
			return p
		},
		"a gigabyte, said to be a byte": func() *craftedPack {
			p := newCraftedPack(1)
			p.add(blob, 1, nil, gigabyte)
			return p
		},
		"a delta that makes a gigabyte": func() *craftedPack {
			p := newCraftedPack(2)
			at := p.add(blob, 1, nil, one)
			delta := append([]byte{1}, binary.AppendUvarint(nil, 1<<30)...)
			p.add(distance, int64(len(delta)), []byte{byte(p.Len() - at)}, deflated(t, bytes.NewReader(delta)))
			return p
		},
		"deltas of deltas, 10,000 deep": func() *craftedPack {
			p := newCraftedPack(10_001)
			at := p.add(blob, 1, nil, one)
			for i := range 10_000 {
				delta := []byte{1, 1, 1, byte('a' + i%26)}
				at = p.add(distance, int64(len(delta)), []byte{byte(p.Len() - at)}, deflated(t, bytes.NewReader(delta)))
			}
			return p
		},
		"a delta without its base": func() *craftedPack {
			p := newCraftedPack(1)
			p.add(distance, 4, []byte{5}, deflated(t, bytes.NewReader([]byte{1, 1, 1, 'a'})))
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, answer := mirrorDir(t), craft().answer()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := source.Receive(t, dir, answer, source.Limits{})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("it was taken")
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 100<<20 {
				t.Errorf("%d bytes were allocated", n)
			}
			if left := packFiles(t, dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
