package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/fazt-sh/fazt/platform/fault"
)

// sum stands for what a row says, but for its address and name: those of what
// is kept move along with the app, and the body has them too.
func sum(o Object, list []byte) []byte {
	h := sha256.New()
	var size [8]byte
	for _, part := range [][]byte{[]byte(o.Kind), []byte(o.Revision), []byte(o.Digest), o.Body, list} {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return h.Sum(nil)
}

// check compares a row with the sum it was written with; one that has none is
// its reader's to judge.
func (o Object) check(list, want []byte) error {
	if len(want) == 0 || bytes.Equal(sum(o, list), want) {
		return nil
	}
	return fault.New(fault.Internal, "the record of %q is damaged", o.Addr).WithSubject(o.Addr)
}
