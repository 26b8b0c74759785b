package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The limits of one app's content. Over them the app stalls and keeps what it
// serves.
const (
	MaxContentEntries = 50_000   // files and folders
	MaxContentDepth   = 32       // folders below each other
	MaxContentFile    = 25 << 20 // bytes of one file
)

// maxContentFaults ends a walk early: nobody reads more.
const maxContentFaults = 20

// The codes that reading content reports.
const (
	codeNoFolder     = "F2001"
	codeNotFolder    = "F2002"
	codeOddFile      = "F2003"
	codeFileName     = "F2004"
	codeSameName     = "F2005"
	codeLargeFile    = "F2006"
	codeManyFiles    = "F2007"
	codeDeepFolder   = "F2008"
	codeNotRead      = "F2009"
	codeEmptyContent = "F2010"
	codeStorage      = "F2013"
	codeNoEntry      = "F2014"
	codeNoMigrations = "F2015"
)

// ReadContent lists the files that an app serves: those below its content
// folder but names that begin with a dot (other than a .well-known folder at
// the top), _redirects and _headers below the top, configuration files, *.age
// and *.tfstate. The _redirects and _headers at the top are part of the list,
// as they are part of the release; they are rules and never served.
//
// Of an app that runs code it lists the sources beside them: the folder of the
// entry where that is not the whole content, the migrations, TypeScript and JSX
// anywhere, package.json and its like, and each node_modules as one entry with its
// tree id. It is an error if the entry or the migrations are not there.
//
// If known was read from the same folder id, and sources were told from files in
// the same way, it is returned as it is; otherwise files with an id that known
// has keep their size and digest, and a content that is the same as known keeps
// its program. The content is
// nil if there is an error, also if the files together have more bytes than the
// app's limits.storage. Findings carry the place of the app's content argument,
// or of the limit.
func ReadContent(tree Tree, app Object, known *Content) (*Content, Diagnostics) {
	root, err := contentFolder(app.Spec)
	if err != nil {
		return nil, Diagnostics{contentFault(tree, app, codeNotRead, "app cannot be read: "+err.Error(), "")}
	}
	rules := rulesOf(app.Spec)
	if known != nil && known.Split == rules.String() && fs.ValidPath(root) {
		if id, err := tree.ID(root); err == nil && id == known.Tree {
			return within(tree, app, known, nil) // a pass asks this of every app
		}
	}
	r := contentReader{tree: tree, app: app, root: root, rules: rules, known: byID(known)}
	id := r.folder()
	if len(r.diags) > 0 {
		return nil, r.diags
	}
	r.walk("", 0)
	if !r.diags.HasErrors() {
		r.judgeSources()
	}
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	c := &Content{Tree: id, Files: r.files, Sources: r.sources, Split: rules.String()}
	for _, list := range [][]File{c.Files, c.Sources} {
		slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	}
	if c.Same(known) {
		c.Program = known.Program
	}
	if len(r.files) == 0 && rules == nil {
		r.warn(codeEmptyContent, fmt.Sprintf("folder %q holds no file that is served", r.root),
			"put an index.html into it")
	}
	return within(tree, app, c, r.diags)
}

// contentFolder reads the content argument of an app's canonical form. Keys are
// sorted there, so it is found without decoding the rest.
func contentFolder(canonical json.RawMessage) (string, error) {
	if rest, first := bytes.CutPrefix(canonical, []byte(`{"content":"`)); first { // nearly always, and a pass asks it of every app
		if end := bytes.IndexAny(rest, `"\\`); end >= 0 && rest[end] == '"' {
			return string(rest[:end]), nil
		}
	}
	var folder string
	dec := json.NewDecoder(bytes.NewReader(canonical))
	for {
		switch key, err := dec.Token(); {
		case err != nil:
			return "", err
		case key == "content":
			err := dec.Decode(&folder)
			return folder, err
		case key != json.Delim('{'):
			var app App
			err := json.Unmarshal(canonical, &app)
			return app.Content, err
		}
	}
}

// contentReader walks over one app's folder.
type contentReader struct {
	tree    Tree
	app     Object
	root    string
	rules   *sourceRules
	known   map[string]File // by git blob id
	entries int
	files   []File
	sources []File
	diags   Diagnostics
}

func byID(known *Content) map[string]File {
	if known == nil {
		return nil
	}
	out := make(map[string]File, len(known.Files))
	for _, f := range known.Files {
		out[f.ID] = f
	}
	return out
}

// folder finds the content folder and returns its id, or reports why not.
func (r *contentReader) folder() string {
	if !fs.ValidPath(r.root) {
		r.fail(codeNoFolder, fmt.Sprintf("content %q is not a path inside of the repository", r.root),
			`write it from the root of the repository, such as "apps/blog"`)
		return ""
	}
	switch found, err := fs.Stat(r.tree, r.root); {
	case errors.Is(err, fs.ErrNotExist):
		r.fail(codeNoFolder, fmt.Sprintf("content folder %q does not exist", r.root), r.suggest())
		return ""
	case err != nil:
		r.fail(codeNotRead, fmt.Sprintf("content folder %q cannot be read: %s", r.root, plainError(err).Error()), "")
		return ""
	case found.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0:
		r.odd(r.root, found.Mode())
		return ""
	case !found.IsDir():
		r.fail(codeNotFolder, fmt.Sprintf("content %q is a file and not a folder", r.root),
			fmt.Sprintf("name the folder it is in: %q", path.Dir(r.root)))
		return ""
	}
	id, err := r.tree.ID(r.root)
	if err != nil {
		r.fail(codeNotRead, fmt.Sprintf("content folder %q cannot be read: %s", r.root, plainError(err).Error()), "")
	}
	return id
}

// suggest names the folder that was probably meant: the path with each part
// that does not exist replaced by the nearest one that does.
func (r *contentReader) suggest() string {
	found := "."
	for part := range strings.SplitSeq(r.root, "/") {
		entries, err := fs.ReadDir(r.tree, found)
		if err != nil {
			return ""
		}
		var folders []string
		for _, e := range entries {
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				folders = append(folders, e.Name())
			}
		}
		if !slices.Contains(folders, part) {
			part = nearest(part, folders)
		}
		if part == "" {
			return "paths begin at the root of the repository, wherever the file stands; git keeps no empty folders, so put a file into a new one"
		}
		found = path.Join(found, part)
	}
	return fmt.Sprintf("did you mean %q?", found)
}

// walk reads one folder, given by its path below the content folder. The depth
// is bounded, so recursion is.
func (r *contentReader) walk(dir string, depth int) {
	if depth > MaxContentDepth {
		r.fail(codeDeepFolder, fmt.Sprintf("folder %q is more than %d folders deep", r.full(dir), MaxContentDepth), "")
		return
	}
	entries, err := fs.ReadDir(r.tree, r.full(dir))
	if err != nil {
		r.fail(codeNotRead, fmt.Sprintf("folder %q cannot be read: %s", r.full(dir), plainError(err).Error()), "")
		return
	}
	seen := make(map[string]string, len(entries))
	for _, e := range entries {
		if r.entries++; r.entries > MaxContentEntries {
			r.fail(codeManyFiles, fmt.Sprintf("folder %q holds more than %d files and folders", r.root, MaxContentEntries),
				"node_modules and other things that are not served belong next to it, not inside")
		}
		if r.over() {
			return
		}
		if !neverServed(e, depth) && r.named(dir, e.Name(), seen) {
			r.entry(path.Join(dir, e.Name()), e, depth)
		}
	}
}

// over tells whether to stop: a limit was passed or enough was found.
func (r *contentReader) over() bool {
	return r.entries > MaxContentEntries || len(r.diags) >= maxContentFaults
}

func (r *contentReader) full(below string) string { return path.Join(r.root, below) }

// neverServed tells whether an entry is left out, whatever it is: it is not
// judged either, so that the links in node_modules/.bin harm nobody. Depth 0 is
// the top of the content folder.
func neverServed(e fs.DirEntry, depth int) bool {
	name := strings.ToLower(e.Name())
	if strings.HasPrefix(name, ".") {
		return !(depth == 0 && e.Name() == ".well-known" && e.IsDir())
	}
	if e.IsDir() {
		return false
	}
	switch name {
	case "_redirects", "_headers":
		return depth > 0 || e.Name() != name
	case "fazt.hcl":
		return true
	}
	if IsTest(name) {
		return true
	}
	for _, ending := range []string{".fazt.hcl", ".fazt.json", ".age", ".tfstate"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

// IsTest tells by its name whether a file of an app's folder is one of its tests,
// which no release has: "notes.test.ts".
func IsTest(name string) bool {
	name = strings.ToLower(name)
	ext := path.Ext(name)
	stem, test := strings.CutSuffix(strings.TrimSuffix(path.Base(name), ext), ".test")
	return test && stem != "" && isScript(name)
}

// named judges a name and notes it; seen holds the names of the folder by what
// a file system may take for the same.
func (r *contentReader) named(dir, name string, seen map[string]string) bool {
	where := path.Join(r.root, dir)
	if reason := nameFault(name); reason != "" {
		r.fail(codeFileName, fmt.Sprintf("name %q in %q %s", name, where, reason), "rename it")
		return false
	}
	key := sameName(name)
	if other, taken := seen[key]; taken {
		verb := "%q"
		if norm.NFC.String(other) == norm.NFC.String(name) {
			verb = "%+q" // they look the same
		}
		r.fail(codeSameName, fmt.Sprintf(verb+" and "+verb+" in %q are the same name on some machines", other, name, where),
			"they differ in letter case or in the encoding of accents only; rename one")
		return false
	}
	seen[key] = name
	if !norm.NFC.IsNormalString(name) {
		r.fail(codeFileName, fmt.Sprintf("name %+q in %q is not in Unicode normal form C", name, where),
			fmt.Sprintf("rename it to %+q, which looks the same", norm.NFC.String(name)))
		return false
	}
	return true
}

// nameFault says what is wrong with the characters of a file name.
func nameFault(name string) string {
	switch {
	case name == "" || strings.ContainsRune(name, '/'):
		return "is not a file name"
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "has a control character"
	case strings.ContainsRune(name, '\\'):
		return "has a backslash"
	}
	return ""
}

// sameName maps names that some file system takes for one to one key.
func sameName(name string) string {
	if isASCII(name) {
		return strings.ToLower(name)
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
}

// entry adds a file or reads a folder.
func (r *contentReader) entry(below string, e fs.DirEntry, depth int) {
	switch {
	case e.Type()&(fs.ModeSymlink|fs.ModeIrregular) != 0:
		r.odd(r.full(below), e.Type())
	case e.IsDir() && r.rules != nil && e.Name() == packageFolder:
		r.packages(below)
	case e.IsDir():
		r.walk(below, depth+1)
	case !e.Type().IsRegular():
		r.odd(r.full(below), e.Type())
	default:
		r.file(below, e)
	}
}

func (r *contentReader) file(below string, e fs.DirEntry) {
	id, err := r.tree.ID(r.full(below))
	if err != nil {
		r.fail(codeNotRead, fmt.Sprintf("file %q cannot be read: %s", r.full(below), plainError(err).Error()), "")
		return
	}
	f := File{Path: below, ID: id}
	if same, ok := r.known[id]; ok {
		f.Size, f.Blob = same.Size, same.Blob
	} else if found, err := e.Info(); err != nil {
		r.fail(codeNotRead, fmt.Sprintf("file %q cannot be read: %s", r.full(below), plainError(err).Error()), "")
		return
	} else {
		f.Size = found.Size()
	}
	if f.Size > MaxContentFile {
		r.fail(codeLargeFile, fmt.Sprintf("file %q has %d bytes, more than %d MiB", r.full(below), f.Size, MaxContentFile>>20),
			"a repository is the wrong place for it")
		return
	}
	if r.rules.has(below) {
		f.Drops = r.drops(f)
		r.sources = append(r.sources, f)
		return
	}
	r.files = append(r.files, f)
}

// odd reports what is neither a file nor a folder.
func (r *contentReader) odd(name string, mode fs.FileMode) {
	kind := "a special file"
	switch {
	case mode&fs.ModeSymlink != 0:
		kind = "a symbolic link"
	case mode&fs.ModeIrregular != 0:
		kind = "a submodule or has an odd mode"
	}
	r.fail(codeOddFile, fmt.Sprintf("%q is %s", name, kind), "content consists of plain files and folders; copy the files instead")
}

func (r *contentReader) fail(code, summary, detail string) {
	r.diags = append(r.diags, contentFault(r.tree, r.app, code, summary, detail))
}

func (r *contentReader) warn(code, summary, detail string) {
	d := contentFault(r.tree, r.app, code, summary, detail)
	d.Severity = Warning
	r.diags = append(r.diags, d)
}

// contentFault builds a finding that points at the app's content argument.
func contentFault(tree Tree, app Object, code, summary, detail string) Diagnostic {
	return FindingAt(tree, app, "content", code, summary, detail)
}
