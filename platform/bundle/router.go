package bundle

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// entry finds what to start from: a file, or the routes of a folder.
func entry(job Job) (request, error) {
	name := path.Clean(job.Entry)
	if !fs.ValidPath(name) {
		return request{}, fault.New(fault.Invalid, "%q is no path inside the app's folder", job.Entry).WithSubject(job.Entry)
	}
	info, err := fs.Stat(job.Files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return request{}, missing(job, name)
	}
	if err != nil {
		return request{}, classed(err, job.Name)
	}
	if !info.IsDir() {
		return request{Entry: name, Test: job.Test}, scriptName(name)
	}
	return folder(job, name)
}

func missing(job Job, name string) error {
	err := fault.New(fault.NotFound, "the app has no file %q", name).WithSubject(name)
	err.Kind = fault.Invalid
	stem := strings.TrimSuffix(name, path.Ext(name))
	for _, ext := range scripts() {
		if _, e := fs.Stat(job.Files, stem+ext); e == nil {
			return err.WithHint("did you mean %q", stem+ext)
		}
	}
	return err
}

func scriptName(name string) error {
	if slices.Contains(scripts(), path.Ext(name)) {
		return nil
	}
	return fault.New(fault.Invalid, "%q is neither TypeScript nor JavaScript", name).WithSubject(name)
}

// folder collects the route files below a folder, and the main file in it.
func folder(job Job, dir string) (request, error) {
	r := request{Entry: dir}
	err := fs.WalkDir(job.Files, dir, func(name string, d fs.DirEntry, err error) error {
		switch base := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && name != dir && (base == "node_modules" || strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".")):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(scripts(), path.Ext(base)):
		case strings.TrimSuffix(base, path.Ext(base)) == "route":
			r.Routes = append(r.Routes, name)
		case path.Dir(name) == dir && strings.TrimSuffix(base, path.Ext(base)) == "main":
			r.Main = name
		}
		return nil
	})
	if err != nil {
		return r, classed(err, job.Name)
	}
	if len(r.Routes) == 0 {
		return r, fault.New(fault.Invalid, "the folder %q has no route.ts", dir).WithSubject(dir).
			WithHint("name a file, or add %s that exports GET or POST", path.Join(dir, "hello/route.ts"))
	}
	_, err = table(r.Routes)
	return r, err
}

// route is a file and the path it answers.
type route struct {
	file     string
	segments []segment
}

// segment is one part of a path: a text, a parameter, or the rest.
type segment struct {
	name string
	kind int
}

// The kinds of segments, in the order in which they are tried.
const (
	literal = iota
	param   // [name]
	rest    // [...name], at least one part
	all     // [[...name]], any number
)

var segmentForm = regexp.MustCompile(`^\[(\[)?(\.\.\.)?([A-Za-z_][A-Za-z0-9_-]*)\](\])?$`)

// table returns the routes in the order in which they are tried.
func table(files []string) ([]route, error) {
	var routes []route
	for _, f := range files {
		r, err := parseRoute(f)
		if err != nil {
			return nil, err
		}
		routes = append(routes, r)
	}
	slices.SortFunc(routes, func(a, b route) int {
		return cmp.Or(slices.CompareFunc(a.segments, b.segments, compareSegments), cmp.Compare(a.file, b.file))
	})
	for i := 1; i < len(routes); i++ {
		if slices.CompareFunc(routes[i-1].segments, routes[i].segments, compareSegments) == 0 {
			return nil, fault.New(fault.Invalid, "%q and %q answer the same paths", routes[i-1].file, routes[i].file).WithSubject(routes[i].file)
		}
	}
	return routes, nil
}

// compareSegments takes parameters of one kind for equal, whatever their names.
func compareSegments(a, b segment) int {
	if a.kind != b.kind || a.kind != literal {
		return cmp.Compare(a.kind, b.kind)
	}
	return cmp.Compare(a.name, b.name)
}

// parseRoute reads a path as Next does: api/notes/[id]/route.ts answers
// /api/notes/7, and a folder in parentheses is no part of the path.
func parseRoute(file string) (route, error) {
	r := route{file: file}
	parts := strings.Split(path.Dir(file), "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "(") && strings.HasSuffix(p, ")") || i == 0 && (p == "src" || p == "app" || p == ".") ||
			i == 1 && parts[0] == "src" && p == "app" {
			continue
		}
		s, err := parseSegment(file, p)
		if err != nil {
			return r, err
		}
		if n := len(r.segments); n > 0 && r.segments[n-1].kind >= rest {
			return r, fault.New(fault.Invalid, "%q has a folder below the rest of the path", file).WithSubject(file)
		}
		r.segments = append(r.segments, s)
	}
	return r, nil
}

func parseSegment(file, p string) (segment, error) {
	if !strings.ContainsAny(p, "[]") {
		return segment{p, literal}, nil
	}
	m := segmentForm.FindStringSubmatch(p)
	if m == nil || (m[1] == "") != (m[4] == "") || m[1] != "" && m[2] == "" {
		return segment{}, fault.New(fault.Invalid, "%q has a folder %q", file, p).WithSubject(file).
			WithHint("parameters are written [name], [...name] or [[...name]]")
	}
	kind := param
	switch {
	case m[1] != "":
		kind = all
	case m[2] != "":
		kind = rest
	}
	return segment{m[3], kind}, nil
}

//go:embed router.js
var routerSource string

// routerModule is the module that imports the routes and answers for them.
func routerModule(routes []route, main string) string {
	var b strings.Builder
	fmt.Fprintln(&b, `import { router } from "fazt:router";`)
	for i, r := range routes {
		fmt.Fprintf(&b, "import * as r%d from %s;\n", i, quote("./"+r.file))
	}
	last := "undefined"
	if main != "" {
		last = "main"
		fmt.Fprintf(&b, "import main from %s;\n", quote("./"+main))
	}
	fmt.Fprintln(&b, "export default router([")
	for i, r := range routes {
		var segments []string
		for _, s := range r.segments {
			segments = append(segments, fmt.Sprintf("[%s, %d]", quote(s.name), s.kind))
		}
		fmt.Fprintf(&b, "  [%s, [%s], r%d],\n", quote(r.file), strings.Join(segments, ", "), i)
	}
	fmt.Fprintf(&b, "], %s);\n", last)
	return b.String()
}
