package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The bounds of what is laid out for the child. date-fns, the largest package
// in common use by count, has 3,000 such files; react-dom's largest is 1 MiB.
const (
	maxEntries = 100_000 // looked at, of any sort
	maxFiles   = 20_000
	maxFile    = 8 << 20
	maxBytes   = 128 << 20
	maxDepth   = 32
	maxName    = 255
)

// The folders below Job.Dir.
const (
	appFolder  = "app"
	nodeFolder = "node"
)

// needed tells by the name whether a bundle can need a file. Declarations and
// maps are most of what npm packages weigh, and no code imports them.
func needed(name string) bool {
	for _, declares := range []string{".d.ts", ".d.mts", ".d.cts"} {
		if strings.HasSuffix(name, declares) {
			return false
		}
	}
	_, ok := loaders()[path.Ext(name)]
	return ok
}

// lay writes what the child needs below dir: the app and Node's stand-ins.
func lay(ctx context.Context, job Job, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "bundle %q", job.Name)
	}
	defer root.Close()
	for folder, from := range map[string]fs.FS{appFolder: job.Files, nodeFolder: job.Node} {
		if err := root.Mkdir(folder, 0o700); err != nil {
			return fault.Wrap(fault.Unavailable, err, "bundle %q", job.Name)
		}
		if from == nil {
			continue
		}
		c := &copier{from: from, to: root, folder: folder, made: map[string]bool{}}
		if err := c.copyAll(ctx); err != nil {
			return classed(err, job.Name)
		}
	}
	return boundary(root)
}

// boundary puts a package.json at the root of an app that has none, so that
// nobody looks for one above it.
func boundary(root *os.Root) error {
	f, err := root.OpenFile(appFolder+"/package.json", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString("{}")
	return errors.Join(err, f.Close())
}

func classed(err error, name string) error {
	var known *fault.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "lay out the code of %q", name)
}

// copier copies what a bundle can need.
type copier struct {
	from   fs.FS
	to     *os.Root
	folder string
	made   map[string]bool // folders

	entries int
	names   []string // of what is copied
	bytes   int64
}

// copyAll looks first, so that what is too much is refused before it is written.
func (c *copier) copyAll(ctx context.Context) error {
	if err := fs.WalkDir(c.from, ".", c.visit); err != nil {
		return err
	}
	for _, name := range c.names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.copy(name); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if c.entries++; c.entries > maxEntries {
		return tooMuch("the app has more than %d files", maxEntries)
	}
	switch {
	case name == ".":
		return nil
	case strings.HasPrefix(d.Name(), ".") && d.IsDir():
		return fs.SkipDir // .git, .bin of node_modules with its links
	case strings.HasPrefix(d.Name(), "."):
		return nil
	case d.Type()&fs.ModeSymlink != 0:
		return fault.New(fault.Invalid, "%q is a symbolic link", name).WithSubject(name).
			WithHint("put the files there; packages are laid out without links by npm, and by pnpm with node-linker=hoisted")
	case !d.Type().IsRegular() || !needed(d.Name()):
		return nil
	case len(c.names) == maxFiles:
		return tooMuch("the app has more than %d files of code", maxFiles)
	}
	c.names = append(c.names, name)
	return checkName(name)
}

func tooMuch(format string, limit int) error {
	return fault.New(fault.Invalid, format, limit).WithHint("leave development packages out: npm install --omit=dev")
}

// checkName refuses what would mean something else to a file system, a
// terminal or a source map.
func checkName(name string) error {
	odd := !fs.ValidPath(name) || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || r == ':' || unicode.IsControl(r) })
	for _, part := range strings.Split(name, "/") {
		odd = odd || len(part) > maxName
	}
	if odd {
		return fault.New(fault.Invalid, "%q is no name for a file of code", name).WithSubject(name).WithHint("rename it")
	}
	if strings.Count(name, "/") > maxDepth {
		return fault.New(fault.Invalid, "%q is more than %d folders deep", name, maxDepth).WithSubject(name)
	}
	return nil
}

func (c *copier) copy(name string) error {
	f, err := c.from.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(f, maxFile+1)); err != nil {
		return err
	}
	switch {
	case b.Len() <= maxFile:
	case strings.Contains("/"+name, "/node_modules/"):
		return nil // TypeScript itself has 9 MiB, and is often there without being imported
	default:
		return fault.New(fault.Invalid, "%q has more than %d MiB", name, maxFile>>20).WithSubject(name).
			WithHint("data belongs into a file that is read at run time, not into code")
	}
	if c.bytes += int64(b.Len()); c.bytes > maxBytes {
		return tooMuch("the app has more than %d MiB of code", maxBytes>>20)
	}
	name = path.Join(c.folder, name)
	if dir := path.Dir(name); !c.made[dir] {
		c.made[dir] = true
		if err := c.to.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return c.to.WriteFile(name, b.Bytes(), 0o600)
}
