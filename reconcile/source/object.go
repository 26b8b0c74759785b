package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// errMalformed marks bytes that are not the object they should be.
var errMalformed = errors.New("malformed object")

// The modes git writes.
const (
	gitTree       = 0o40000
	gitFile       = 0o100644
	gitExecutable = 0o100755
	gitSymlink    = 0o120000
	gitSubmodule  = 0o160000
)

// entry is one name in a folder. What it leads to is its id in a git tree and
// its node in a snapshot of another file system.
type entry struct {
	name string
	mode fs.FileMode
	id   plumbing.Hash
	node *node
}

func (e entry) isDir() bool { return e.mode.Type() == fs.ModeDir }

// isContent reports whether the entry is a blob: a file or a symbolic link.
func (e entry) isContent() bool { return e.mode.IsRegular() || e.mode.Type() == fs.ModeSymlink }

// fileMode translates a git mode. Group-writable files of old repositories are
// files; a submodule is an irregular folder without entries; what git itself
// never writes is irregular.
func fileMode(mode uint64) fs.FileMode {
	switch mode {
	case gitTree:
		return fs.ModeDir | 0o755
	case gitFile, 0o100664:
		return 0o644
	case gitExecutable:
		return 0o755
	case gitSymlink:
		return fs.ModeSymlink | 0o777
	case gitSubmodule:
		return fs.ModeDir | fs.ModeIrregular | 0o755
	default:
		return fs.ModeIrregular
	}
}

// badName is the error of a tree that holds a name no tree may have, or bytes
// that git would not write as a tree. The name is empty where it is the whole.
type badName struct{ name, why string }

func (b *badName) Error() string { return fmt.Sprintf("%q: %s", b.name, b.why) }

// decodeTree decodes a tree object into its entries sorted by name. It refuses
// what no tree may hold with a *badName: the bytes are what their id promises,
// so they were written like that, and fetching them again would not help.
func decodeTree(raw []byte) ([]entry, error) {
	text := string(raw)
	entries := make([]entry, 0, len(text)/40)
	for len(text) > 0 {
		mode, rest, ok := strings.Cut(text, " ")
		if !ok || len(mode) > 7 {
			return nil, &badName{"", "an entry without a mode"}
		}
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil {
			return nil, &badName{"", "an entry with the mode " + strconv.Quote(mode)}
		}
		name, rest, ok := strings.Cut(rest, "\x00")
		if !ok || len(rest) < len(plumbing.ZeroHash) {
			return nil, &badName{name, "an entry that is cut short"}
		}
		if why := nameFault(name); why != "" {
			return nil, &badName{name, why}
		}
		e := entry{name: name, mode: fileMode(bits)}
		copy(e.id[:], rest)
		if e.id.IsZero() {
			return nil, &badName{name, "an entry that leads to nothing"}
		}
		if n := len(entries); n > 0 && gitOrder(entries[n-1]) > gitOrder(e) {
			return nil, &badName{name, "a name out of order"}
		}
		entries = append(entries, e)
		text = rest[len(e.id):]
	}
	return entries, sortEntries(entries)
}

// sortEntries puts entries into name order, which differs from git's where a
// folder's name is another name's beginning, and refuses a name given twice.
func sortEntries(entries []entry) error {
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(entries); i++ {
		if entries[i].name == entries[i-1].name {
			return &badName{entries[i].name, "a name given twice"}
		}
	}
	return nil
}

// encodeTree is the inverse of decodeTree for entries with plain modes.
func encodeTree(entries []entry) []byte {
	ordered := slices.Clone(entries)
	slices.SortFunc(ordered, func(a, b entry) int { return cmp.Compare(gitOrder(a), gitOrder(b)) })
	var b bytes.Buffer
	for _, e := range ordered {
		fmt.Fprintf(&b, "%o %s\x00", gitMode(e.mode), e.name)
		b.Write(e.id[:])
	}
	return b.Bytes()
}

func gitOrder(e entry) string {
	if e.isDir() {
		return e.name + "/"
	}
	return e.name
}

func gitMode(mode fs.FileMode) int {
	switch {
	case mode.IsDir():
		return gitTree
	case mode.Type() == fs.ModeSymlink:
		return gitSymlink
	case mode&0o100 != 0:
		return gitExecutable
	default:
		return gitFile
	}
}

// findEntry looks name up in entries sorted by name.
func findEntry(entries []entry, name string) (entry, bool) {
	i, ok := slices.BinarySearchFunc(entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return entry{}, false
	}
	return entries[i], true
}

// commit is what the source needs of a commit.
type commit struct {
	id      plumbing.Hash
	tree    plumbing.Hash
	parents []plumbing.Hash
	author  string
	subject string
	time    time.Time
}

// decodeCommit decodes a commit object. Names and subject come from strangers:
// they are cut and freed of control characters before anything prints them.
func decodeCommit(id plumbing.Hash, raw []byte) (commit, error) {
	c := commit{id: id}
	head, message, _ := strings.Cut(string(raw), "\n\n")
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "tree":
			c.tree = plumbing.NewHash(value)
		case "parent":
			c.parents = append(c.parents, plumbing.NewHash(value))
		case "author":
			c.author, _ = signature(value)
		case "committer":
			_, c.time = signature(value)
		}
	}
	if c.tree.IsZero() {
		return commit{}, &badName{"", fmt.Sprintf("the commit %s has no tree", id)}
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n")
	c.subject = printable(subject, 200)
	return c, nil
}

// signature splits "Asha <asha@example.com> 1700000000 +0530".
func signature(s string) (who string, when time.Time) {
	end := strings.LastIndexByte(s, '>')
	if end < 0 {
		return printable(s, 200), time.Time{}
	}
	seconds, _, _ := strings.Cut(strings.TrimSpace(s[end+1:]), " ")
	if n, err := strconv.ParseInt(seconds, 10, 64); err == nil {
		when = time.Unix(n, 0).UTC()
	}
	return printable(s[:end+1], 200), when
}

// printable returns at most limit bytes of s without control characters and
// invalid text.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	for len(s) > limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.TrimSpace(s)
}

// tagTarget returns what an annotated tag points at.
func tagTarget(raw []byte) (plumbing.Hash, error) {
	line, _, _ := strings.Cut(string(raw), "\n")
	id, ok := strings.CutPrefix(line, "object ")
	if !ok || !plumbing.IsHash(id) {
		return plumbing.ZeroHash, fmt.Errorf("%w: tag", errMalformed)
	}
	return plumbing.NewHash(id), nil
}
