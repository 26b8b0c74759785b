package source

import (
	"bufio"
	"compress/zlib"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// errMissing marks an object that is not in the store.
var errMissing = errors.New("object missing")

const (
	// objectCache bounds delta bases and small objects kept in memory.
	objectCache = 16 << 20
	// streamAbove is the size from which a blob is read through instead of held.
	streamAbove = 1 << 20
	// openPacks bounds the pack files one store keeps open.
	openPacks = 32
	// alternatesDepth is how often objects may point at further ones, as in git.
	alternatesDepth = 5
)

// store reads git objects by id from an objects folder and its alternates,
// loose or packed, and adds to the first folder. Every byte it hands out was
// hashed and found to be what was asked for. Safe for several goroutines.
type store struct {
	folders []string // the store's own objects folder, then alternates
	limit   int64    // bytes of the largest object it reads
	deflate *zlib.Writer
	git     string // a git binary to index packs with; empty does it here

	mu    sync.Mutex // guards what follows and every use of a pack's reader
	packs []*pack
	open  []*pack // with a reader, the longest unused first
	bases cache.Object
}

// pack is one pack file with its index in memory.
type pack struct {
	folder, name string // objects folder, "pack-<checksum>"
	index        *idxfile.MemoryIndex
	stamp        stamp              // of the index's file
	reader       *packfile.Packfile // nil while closed
}

// stamp tells one state of a file from the next.
type stamp struct {
	size     int64
	modified time.Time
}

func stampOf(info fs.FileInfo) stamp { return stamp{info.Size(), info.ModTime()} }

// openStore opens an objects folder.
func openStore(folder string, limit int64) (*store, error) {
	s := &store{limit: limit, bases: cache.NewObjectLRU(objectCache)}
	if err := s.addFolder(folder, alternatesDepth); err != nil {
		return nil, err
	}
	return s, s.rescan()
}

// addFolder adds an objects folder and, up to a depth, the alternates it names.
func (s *store) addFolder(folder string, depth int) error {
	s.folders = append(s.folders, folder)
	if depth == 0 {
		return nil
	}
	list, err := readSmall(filepath.Join(folder, "info", "alternates"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(folder, line)
		}
		if err := s.addFolder(line, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// rescan takes note of packs that came and went.
func (s *store) rescan() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]*pack{}
	for _, p := range s.packs {
		known[filepath.Join(p.folder, p.name)] = p
	}
	var packs []*pack
	for _, folder := range s.folders {
		found, err := filepath.Glob(filepath.Join(globEscape(folder), "pack", "pack-*.pack"))
		if err != nil {
			return err
		}
		for _, path := range found {
			name := strings.TrimSuffix(filepath.Base(path), ".pack")
			p := known[filepath.Join(folder, name)]
			delete(known, filepath.Join(folder, name))
			if p == nil || !p.unchanged() {
				if p != nil {
					s.closePack(p)
				}
				if p, err = loadPack(folder, name); errors.Is(err, fs.ErrNotExist) {
					continue // the index is written last, or the pack just went
				} else if err != nil {
					return err
				}
			}
			packs = append(packs, p)
		}
	}
	for _, gone := range known {
		s.closePack(gone)
	}
	s.packs = packs
	return nil
}

func (p *pack) unchanged() bool {
	info, err := os.Stat(filepath.Join(p.folder, "pack", p.name+".idx"))
	return err == nil && stampOf(info) == p.stamp
}

// count returns the number of packed objects.
func (s *store) count() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.packs {
		n += p.count()
	}
	return n
}

// own returns the packs of the store's own folder.
func (s *store) own() []*pack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.packs), func(p *pack) bool { return p.folder != s.folders[0] })
}

func (p *pack) count() int64 { return int64(p.index.Fanout[255]) }

// globEscape keeps a folder's own name out of a pattern.
func globEscape(folder string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(folder)
}

func loadPack(folder, name string) (*pack, error) {
	index, stamp, err := readIndex(filepath.Join(folder, "pack", name+".idx"))
	if err != nil {
		return nil, err
	}
	return &pack{folder: folder, name: name, index: index, stamp: stamp}, nil
}

func readIndex(path string) (*idxfile.MemoryIndex, stamp, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, stamp{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, stamp{}, err
	}
	index := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bufio.NewReader(file)).Decode(index); err != nil {
		return nil, stamp{}, fmt.Errorf("%w: index %s: %w", errMalformed, filepath.Base(path), err)
	}
	return index, stampOf(info), nil
}

// find returns the pack that holds id, or nil. The caller holds mu.
func (s *store) find(id plumbing.Hash) *pack {
	for i, p := range s.packs {
		if ok, _ := p.index.Contains(id); ok {
			// The next object is most likely in the same pack.
			s.packs[0], s.packs[i] = s.packs[i], s.packs[0]
			return p
		}
	}
	return nil
}

// use returns p's reader, opening it if needed. The caller holds mu.
func (s *store) use(p *pack) (*packfile.Packfile, error) {
	if p.reader != nil {
		return p.reader, nil
	}
	if len(s.open) >= openPacks {
		s.closePack(s.open[0])
	}
	disk := osfs.New(p.folder)
	file, err := disk.Open("pack/" + p.name + ".pack")
	if err != nil {
		return nil, err
	}
	p.reader = packfile.NewPackfileWithCache(p.index, disk, file, s.bases, streamAbove)
	s.open = append(s.open, p)
	return p.reader, nil
}

// closePack closes p's reader. The caller holds mu.
func (s *store) closePack(p *pack) {
	if p.reader == nil {
		return
	}
	p.reader.Close()
	p.reader = nil
	for i := range s.open {
		if s.open[i] == p {
			s.open = append(s.open[:i], s.open[i+1:]...)
			return
		}
	}
}

// rest closes the files and keeps the indexes, which are all that the next fetch
// wants of this one: the objects it has read would be half as much as 10,000 apps
// take otherwise. What was opened for reading stays readable, what is asked next is
// opened again.
func (s *store) rest() {
	s.bases.Clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.open) > 0 {
		s.closePack(s.open[0])
	}
}

// Close closes the files for good.
func (s *store) Close() {
	s.rest()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packs = nil
}
