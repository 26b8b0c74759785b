// Package static serves the files of one release of an app. The edge makes a
// Handler when it stages the app and asks it for every request that reached the
// app's own paths. A handler is immutable: only what is in its manifest can be
// reached, by exact lookup and never by the file system. It refuses to know
// hosts, people and revisions; what it cannot answer it returns as an error for
// the edge to render.
package static

import (
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
)

// Options are what a handler serves and how.
type Options struct {
	Store   *blob.Store         // holds every file's bytes
	Files   []File              // the manifest; hidden and rule files in it are left out
	Spa     bool                // unknown paths without an extension serve index.html
	Rules   *rewrite.Table      // redirects and headers; nil is none
	Snippet []byte              // put before the end of every HTML page, which is then never cached; for dev
	Cache   *Cache              // small files in memory; nil reads every one from disk
	Lost    func(d blob.Digest) // told of bytes that are damaged or missing, again each time; nil tells nobody
}

// File is one file of the manifest.
type File struct {
	Path string      // slash-separated, relative to the app's content folder
	Blob blob.Digest // in Options.Store
	Size int64       // bytes
}

// Handler serves one release. It is safe for several goroutines.
type Handler struct {
	store    *blob.Store
	cache    *Cache
	lost     func(blob.Digest)
	rules    *rewrite.Table
	snippet  []byte
	spa      bool
	entries  []entry
	index    map[string]int32 // path without a leading slash → entry
	errDepth int              // folders above the deepest 404.html; -1 if there is none
}

// entry is one file. It is kept small, as most files of a node are idle: what a
// request needs is made when the first one comes.
type entry struct {
	name  string
	blob  blob.Digest
	many  bool                // there is a choice of forms, or will be
	tried bool                // to make those that are missing; Finish's own
	sizes [forms]atomic.Int64 // bytes in each form, -1 where there is none, or none that is sound
	reps  [forms]atomic.Pointer[representation]
}

// form is an index of encodings.
type form int

// The forms a file can be sent in.
const (
	identity form = iota
	brotli
	zstd
	gzip
	forms = 4
)

func (f form) encoding() blob.Encoding {
	return [forms]blob.Encoding{blob.Identity, blob.Brotli, blob.Zstd, blob.Gzip}[f]
}

// New checks that every file is in the store, in the size the manifest says, and
// that the redirects lead somewhere.
func New(o Options) (*Handler, error) {
	h := &Handler{store: o.Store, cache: o.Cache, lost: o.Lost, rules: o.Rules, snippet: o.Snippet, spa: o.Spa,
		entries: make([]entry, 0, len(o.Files)), index: make(map[string]int32, len(o.Files)), errDepth: -1}
	for _, f := range o.Files {
		if err := checkFile(f); err != nil {
			return nil, err
		}
		if hidden(f.Path) {
			continue
		}
		if err := h.add(f); err != nil {
			return nil, err
		}
	}
	if err := h.checkLoops(); err != nil {
		return nil, err
	}
	return h, nil
}

// CheckRedirects judges the redirects of a release as New does, by the names of
// its files alone.
func CheckRedirects(rules *rewrite.Table, names []string) error {
	h := &Handler{rules: rules, entries: make([]entry, len(names)), index: make(map[string]int32, len(names))}
	for i, name := range names {
		if !hidden(name) {
			h.entries[i].name = name
			h.index[name] = int32(i)
		}
	}
	return h.checkLoops()
}

// checkLoops refuses redirects that lead on for ever among the files there are.
func (h *Handler) checkLoops() error {
	return h.rules.CheckLoops(func(path string) (bool, string) {
		e, moved := h.find(path)
		return e != nil || moved != "", moved
	})
}

func checkFile(f File) error {
	if !fs.ValidPath(f.Path) || f.Path == "." || strings.ContainsFunc(f.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fault.New(fault.Invalid, "file %q has a path that cannot be served", f.Path)
	}
	return nil
}

func (h *Handler) add(f File) error {
	if _, taken := h.index[f.Path]; taken {
		return fault.New(fault.Invalid, "file %q is there twice", f.Path)
	}
	size, ok := h.store.Stat(f.Blob, blob.Identity)
	if !ok {
		return fault.New(fault.NotFound, "the bytes of file %q are missing", f.Path).WithSubject(string(f.Blob))
	}
	if size != f.Size {
		return damaged(f.Path, f.Blob)
	}
	h.index[f.Path] = int32(len(h.entries))
	h.entries = append(h.entries, entry{name: f.Path, blob: f.Blob})
	e := &h.entries[len(h.entries)-1]
	e.sizes[identity].Store(size)
	for v := brotli; v < forms; v++ {
		e.sizes[v].Store(-1)
	}
	if e.many = compressed(f.Path, size); e.many {
		h.addVariants(e)
	}
	if f.Path == notFoundPage || strings.HasSuffix(f.Path, "/"+notFoundPage) {
		h.errDepth = max(h.errDepth, strings.Count(f.Path, "/"))
	}
	return nil
}

func damaged(path string, d blob.Digest) error {
	return fault.New(fault.Internal, "the bytes of file %q are damaged", path).WithSubject(string(d))
}
