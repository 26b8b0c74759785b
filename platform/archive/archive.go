// Package archive is one file that holds named pieces and can tell whether it is
// whole: what a backup and an exported app are, at rest and on their way. It is a
// plain tar that any tool can look into. The first piece says what it is, the last
// has the sum of all others, and between them names ascend, so that none is there
// twice. Commands write and read archives; the package refuses to know what the
// pieces mean.
//
// What comes from elsewhere is not believed: names are plain and stay below their
// folder, sizes are bounded before a byte is read, and only regular files are taken.
package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"regexp"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Format is the version of the form that this package writes and reads.
const Format = 1

// Head says what an archive is.
type Head struct {
	Format  int       `json:"format"`
	Kind    string    `json:"kind"` // "backup", "export": its writer's words
	App     string    `json:"app"`  // name of the app
	Time    time.Time `json:"time"` // what was acknowledged before is in it
	Version string    `json:"version"`
}

const (
	headName = "fazt.json"
	endName  = "end.json"
	mostHead = 64 << 10 // bytes of the first and the last piece
)

// Limits bound what is read of an archive. Zero values are without bound.
type Limits struct {
	Bytes  int64 // of all pieces together
	Pieces int
}

// nameForm is what pieces are called: at most six words that begin with a letter or
// a digit, so none is hidden, and none leads out of a folder.
var nameForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}(/[a-z0-9][a-z0-9._-]{0,99}){0,5}$`)
})

// end is the last piece.
type end struct {
	SHA256 string `json:"sha256"`
	Pieces int    `json:"pieces"`
	Bytes  int64  `json:"bytes"`
}

// tally sums up pieces: each with its name and size, so that no byte can pass from
// one to the next.
type tally struct {
	end
	hash hash.Hash
	last string // name of the last piece
}

func newTally() *tally { return &tally{hash: sha256.New()} }

// begin counts a piece whose bytes follow.
func (t *tally) begin(name string, size int64) error {
	switch {
	case !nameForm().MatchString(name):
		return bad("%.100q is no name of a piece", name)
	case name <= t.last && t.Pieces > 1: // the head is before all others
		return bad("%q comes after %q", name, t.last)
	case size < 0:
		return bad("%q has a size below zero", name)
	}
	t.Pieces, t.Bytes, t.last = t.Pieces+1, t.Bytes+size, name
	head := binary.BigEndian.AppendUint64(nil, uint64(len(name)))
	head = append(head, name...)
	t.hash.Write(binary.BigEndian.AppendUint64(head, uint64(size)))
	return nil
}

// total is what the last piece says.
func (t *tally) total() end {
	e := t.end
	e.SHA256 = hex.EncodeToString(t.hash.Sum(nil))
	return e
}

func bad(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "the archive is not whole, or none: "+format, args...).WithHint("use another backup: fazt backup list")
}
