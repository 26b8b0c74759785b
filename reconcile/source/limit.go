package source

import (
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// CodeDiverged is the code of a refusal because the followed ref no longer
// descends from what is applied.
const CodeDiverged = "F2201"

// Codes of the other refusals a person may have to act on.
const (
	codeUnsafe   = "F2202" // a name in the tree that no tree may have
	codeTooLarge = "F2203" // over one of the Limits
	codeCut      = "F2204" // a question about history that is not here
	codeWhole    = "F2205" // too much history of a server that cannot leave any out
	codeMemory   = "F2206" // indexing could take more memory than allowed
)

// Limits bounds what one source may cost. A zero field takes its default.
type Limits struct {
	Deadline time.Duration // one fetch from first byte to validated tree; 120 s
	Transfer int64         // bytes received in one fetch; 256 MiB
	Clone    int64         // bytes of a first fetch from which old history is left out; 128 MiB
	Memory   int64         // bytes that indexing what was received may take; 512 MiB
	Object   int64         // bytes of one file, inflated; 100 MiB
	Objects  int           // objects received in one fetch; 1,000,000
	Entries  int           // paths in one revision; 1,000,000
	Depth    int           // folders above a file; 32
}

func (l Limits) withDefaults() Limits {
	if l.Deadline <= 0 {
		l.Deadline = 120 * time.Second
	}
	if l.Transfer <= 0 {
		l.Transfer = 256 << 20
	}
	if l.Clone <= 0 {
		l.Clone = 128 << 20
	}
	if l.Memory <= 0 {
		l.Memory = 512 << 20
	}
	if l.Object <= 0 {
		l.Object = 100 << 20
	}
	if l.Objects <= 0 {
		l.Objects = 1_000_000
	}
	if l.Entries <= 0 {
		l.Entries = 1_000_000
	}
	if l.Depth <= 0 {
		l.Depth = 32
	}
	return l
}

func tooLarge(format string, args ...any) *fault.Error {
	return fault.New(fault.Exhausted, format, args...).WithCode(codeTooLarge)
}

func tooDeep(path string, depth int) error {
	return tooLarge("the folder %q is more than %d folders deep", path, depth)
}

func tooMany(entries int) error {
	return tooLarge("the tree has more than %d entries", entries)
}
