package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// packageFolder holds other people's packages: one entry of an app's sources,
// whatever is in it.
const packageFolder = "node_modules"

// sourceRules tell an app's sources from the files that it serves. nil: the app
// runs no code, and all are files.
type sourceRules struct {
	entry      string // clean paths below the content folder
	migrations string // empty: none
	database   string // the label of the sql block that names it
}

// rulesOf reads them from an app's canonical form. Few apps run code; the others
// are not decoded.
func rulesOf(canonical json.RawMessage) *sourceRules {
	var app App
	if !bytes.Contains(canonical, []byte(`"runtime":`)) || json.Unmarshal(canonical, &app) != nil || app.Runtime == nil {
		return nil
	}
	r := sourceRules{entry: app.Runtime.Entry}
	if app.SQL != nil {
		r.migrations, r.database = app.SQL.Migrations, app.SQL.Name
	}
	return &r
}

// String is the rules as a content remembers them.
func (s *sourceRules) String() string {
	if s == nil {
		return ""
	}
	if s.migrations == "" {
		return s.entry
	}
	return s.entry + " " + s.migrations
}

// has tells whether a file is a source: one of the entry's folder, unless that
// is the whole content, a migration, or a file that only programs are made of.
func (s *sourceRules) has(name string) bool {
	if s == nil {
		return false
	}
	folder := s.folder()
	return name == s.entry || folder != "." && inside(name, folder) || s.migrations != "" && inside(name, s.migrations) || isSource(path.Base(name))
}

// folder is where all is code: the entry, or what the entry is in.
func (s *sourceRules) folder() string {
	if s.routes() {
		return s.entry
	}
	return path.Dir(s.entry)
}

// routes tells whether the entry is a folder of route files: it is if it has not the
// name of a file of code.
func (s *sourceRules) routes() bool { return !isScript(s.entry) }

// isScript tells by its name whether a file is JavaScript or TypeScript.
func isScript(name string) bool {
	return slices.Contains([]string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"}, strings.ToLower(path.Ext(name)))
}

func inside(name, folder string) bool { return strings.HasPrefix(name, folder+"/") }

// isSource tells whether a file of this name is never anything but a part of a
// program.
func isSource(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "deno.lock", "deno.json", "tsconfig.json":
		return true
	}
	return slices.Contains([]string{".ts", ".tsx", ".mts", ".cts", ".jsx"}, path.Ext(name))
}

// packages notes a folder of packages by its tree id, without a look inside.
func (r *contentReader) packages(below string) {
	id, err := r.tree.ID(r.full(below))
	if err != nil {
		r.fail(codeNotRead, fmt.Sprintf("folder %q cannot be read: %s", r.full(below), plainError(err).Error()), "")
		return
	}
	r.sources = append(r.sources, File{Path: below, ID: id})
}

// begins tells whether a source is one that the program begins with: the entry, or a
// route in it.
func (s *sourceRules) begins(name string) bool {
	if !s.routes() {
		return name == s.entry
	}
	stem := strings.TrimSuffix(path.Base(name), path.Ext(name))
	return inside(name, s.entry) && stem == "route" && isScript(name)
}

// judgeSources reports what the app's program is to be made of and is not there.
func (r *contentReader) judgeSources() {
	if r.rules == nil {
		return
	}
	var names []string
	for _, f := range r.sources {
		names = append(names, f.Path)
	}
	if !slices.ContainsFunc(names, r.rules.begins) {
		summary, help := fmt.Sprintf("entry %q does not exist", r.full(r.rules.entry)), "it is a file of the content folder, such as \"api/main.ts\", or a folder of route.ts files"
		if found, err := fs.Stat(r.tree, r.full(r.rules.entry)); err == nil && found.IsDir() {
			summary, help = fmt.Sprintf("folder %q has no route.ts", r.full(r.rules.entry)), "name a file, or add route.ts to the folder, or to one in it, that exports GET or POST"
		} else if err == nil && r.rules.routes() {
			summary, help = fmt.Sprintf("entry %q is neither TypeScript nor JavaScript", r.full(r.rules.entry)), "name a file such as \"api/main.ts\", or a folder of route.ts files"
		} else if near := nearest(r.rules.entry, names); near != "" {
			help = fmt.Sprintf("did you mean %q?", near)
		}
		r.diags = append(r.diags, FindingAt(r.tree, r.app, "runtime.entry", codeNoEntry, summary, help))
	}
	if r.rules.migrations == "" {
		return
	}
	if found, err := fs.Stat(r.tree, r.full(r.rules.migrations)); err != nil || !found.IsDir() {
		summary := fmt.Sprintf("migrations folder %q does not exist", r.full(r.rules.migrations))
		argument := fmt.Sprintf("sql[%q].migrations", r.rules.database)
		r.diags = append(r.diags, FindingAt(r.tree, r.app, argument, codeNoMigrations, summary, "put its *.sql files there; git keeps no empty folders"))
	}
}

// Same reports whether two contents are one release: equal files and equal
// sources. What was made of them does not count.
func (c *Content) Same(other *Content) bool {
	switch {
	case c == other:
		return true
	case c == nil || other == nil:
		return false
	}
	return sameFiles(c.Files, other.Files) && sameFiles(c.Sources, other.Sources)
}

// sameFiles compares lists of files. Lists that are one in memory, as an
// unchanged app's are, need no reading.
func sameFiles(a, b []File) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 0 || &a[0] == &b[0] {
		return true
	}
	return slices.EqualFunc(a, b, func(a, b File) bool { return a.Path == b.Path && a.ID == b.ID })
}

// Blobs are the digests of what the program keeps in the store; none where there
// is no program.
func (p *Program) Blobs() []string {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc([]string{p.Code, p.Map}, func(digest string) bool { return digest == "" })
}
