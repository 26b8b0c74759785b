package release

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// The forms of a packed file list, its first byte.
const (
	plain    = 0
	deflated = 1
)

// A list shorter than this is kept plain: it fits into its page either way, and
// a node with many small apps boots without unpacking.
const smallManifest = 1 << 10

// putList writes a file list, unless it is there and whole, and returns its
// digest; nil for none.
func (p *packer) putList(tx *sqlite.Tx, list []byte) ([]byte, error) {
	if list == nil {
		return nil, nil
	}
	sum := sha256.Sum256(list)
	var there []byte
	err := tx.QueryRow(`SELECT packed FROM list WHERE digest = ?`, sum[:]).Scan(&there)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return sum[:], err
	}
	if err == nil {
		if has, damaged := p.u.unpack(there); damaged == nil && bytes.Equal(has, list) {
			return sum[:], nil
		}
	}
	packed, err := p.pack(list)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(`INSERT OR REPLACE INTO list (digest, packed) VALUES (?, ?)`, sum[:], packed)
	return sum[:], err
}

// list unpacks the file list of an object; nil where it has none.
func (u *unpacker) list(addr string, digest, packed []byte) ([]byte, error) {
	if len(digest) == 0 {
		return nil, nil
	}
	list, err := u.unpack(packed)
	if sum := sha256.Sum256(list); err == nil && !bytes.Equal(sum[:], digest) {
		err = errors.New("they have another digest")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the recorded files of %q are damaged", addr)
	}
	return list, nil
}

// packer reuses a compressor, whose tables cost more than a usual list.
type packer struct {
	w *flate.Writer
	b bytes.Buffer
	u unpacker
}

// pack returns bytes that are good until the next call.
func (p *packer) pack(list []byte) ([]byte, error) {
	p.b.Reset()
	if len(list) < smallManifest {
		p.b.WriteByte(plain)
		p.b.Write(list)
		return p.b.Bytes(), nil
	}
	p.b.WriteByte(deflated)
	if p.w == nil {
		w, err := flate.NewWriter(&p.b, flate.BestSpeed)
		if err != nil {
			return nil, err
		}
		p.w = w
	}
	p.w.Reset(&p.b)
	if _, err := p.w.Write(list); err != nil {
		return nil, err
	}
	if err := p.w.Close(); err != nil {
		return nil, err
	}
	return p.b.Bytes(), nil
}

// unpacker reuses its 40 KiB of tables from one list to the next.
type unpacker struct {
	r io.ReadCloser
}

func (u *unpacker) unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 || packed[0] > deflated {
		return nil, errors.New("unknown form")
	}
	if packed[0] == plain {
		return append(make([]byte, 0, len(packed)-1), packed[1:]...), nil
	}
	src := bytes.NewReader(packed[1:])
	if u.r == nil {
		u.r = flate.NewReader(src)
	} else if err := u.r.(flate.Resetter).Reset(src, nil); err != nil {
		return nil, err
	}
	return io.ReadAll(u.r)
}
