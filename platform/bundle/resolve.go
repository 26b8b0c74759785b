package bundle

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// The namespaces of modules that are no files of the app.
const (
	pluginName  = "fazt"
	nodeSpace   = "node"
	asCommon    = "node-require" // a stand-in as require gives it
	ownSpace    = "fazt"
	entryModule = "fazt:entry"
	routerName  = "fazt:router"
	testName    = "fazt:test"
	globalsName = "fazt:globals"
)

// globalsModule is what Node's programs have without an import. It comes into a program
// that names them, and into no other.
const globalsModule = `export { Buffer } from "node:buffer"; export { default as process } from "node:process";`

// globals are the modules that a program may name without an import.
func (r *resolver) globals() []string {
	for _, name := range []string{"buffer.js", "process.js"} {
		if !exists(filepath.Join(r.node, name)) {
			return nil
		}
	}
	return []string{globalsName}
}

// resolver judges imports before esbuild resolves them, and files before it
// loads them: what leaves the app's folder is refused whatever the kernel says.
// It never asks esbuild to resolve something, which would parse every
// package.json on the way anew: 200 KiB for each import within date-fns.
type resolver struct {
	root, node string
	req        request
	hollow     map[string]bool // files that are taken for empty
}

func (r *resolver) setup(b api.PluginBuild) {
	b.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		return r.resolve(a), nil
	})
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "file"}, r.loadFile)
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: nodeSpace}, r.loadNode)
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: asCommon}, loadCommon)
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: ownSpace}, r.loadOwn)
}

// resolve answers for what is no file; an empty answer leaves it to esbuild.
func (r *resolver) resolve(a api.OnResolveArgs) api.OnResolveResult {
	name, node := strings.CutPrefix(a.Path, "node:")
	switch {
	case a.Path == globalsName:
		return api.OnResolveResult{Path: a.Path, Namespace: ownSpace, SideEffects: api.SideEffectsFalse}
	case a.Path == entryModule, a.Path == routerName && a.Namespace == ownSpace, a.Path == testName && r.req.Test:
		return api.OnResolveResult{Path: a.Path, Namespace: ownSpace}
	case a.Importer == entryModule && r.req.Test: // a package.json that says "sideEffects": false does not take tests away
		return api.OnResolveResult{Path: filepath.Join(r.root, filepath.FromSlash(r.req.Entry))}
	case node:
		return r.builtin(a, name)
	case a.Namespace == nodeSpace:
		return r.builtin(a, strings.TrimSuffix(path.Join(path.Dir(a.Importer), a.Path), ".js"))
	}
	if why, ok := r.refused(a); ok {
		return refuse(why)
	}
	if isBuiltin(a.Path) && !r.installed(a.ResolveDir, a.Path) {
		return r.builtin(a, a.Path)
	}
	return api.OnResolveResult{}
}

// builtin resolves a module of Node's to its stand-in. One that has none is left
// to esbuild, which lets it pass where the code is ready to be without it, as in
// try { require("fs") } catch {}.
func (r *resolver) builtin(a api.OnResolveArgs, name string) api.OnResolveResult {
	if !filepath.IsLocal(name) || !exists(filepath.Join(r.node, filepath.FromSlash(name)+".js")) {
		return api.OnResolveResult{}
	}
	space := nodeSpace
	if a.Kind == api.ResolveJSRequireCall && a.Namespace != asCommon {
		space = asCommon
	}
	return api.OnResolveResult{Path: name, Namespace: space, SideEffects: api.SideEffectsFalse}
}

// installed tells whether a package is in a node_modules on the way up.
func (r *resolver) installed(dir, spec string) bool {
	for name := packageName(spec); ; dir = filepath.Dir(dir) {
		if _, inside := r.inside(dir); !inside {
			return false
		}
		if exists(filepath.Join(dir, "node_modules", name)) {
			return true
		}
	}
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// inside returns the name of a file below the app's folder.
func (r *resolver) inside(file string) (name string, ok bool) {
	rel, err := filepath.Rel(r.root, file)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

func (r *resolver) loadFile(a api.OnLoadArgs) (api.OnLoadResult, error) {
	name, inside := r.inside(a.Path)
	if !inside {
		return api.OnLoadResult{Errors: refuse(outside("the file it leads to")).Errors}, nil
	}
	if r.hollow[name] {
		nothing := "module.exports = {}"
		return api.OnLoadResult{Contents: &nothing, Loader: api.LoaderJS}, nil
	}
	return api.OnLoadResult{}, nil
}

func (r *resolver) loadNode(a api.OnLoadArgs) (api.OnLoadResult, error) {
	b, err := os.ReadFile(filepath.Join(r.node, filepath.FromSlash(a.Path)+".js"))
	text := string(b)
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, err
}

// loadCommon gives require what Node gives it: the default export, such as the
// class that require("events") is.
func loadCommon(a api.OnLoadArgs) (api.OnLoadResult, error) {
	text := "const all = require(" + quote("node:"+a.Path) + "); module.exports = all.default ?? all;"
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, nil
}

func (r *resolver) loadOwn(a api.OnLoadArgs) (api.OnLoadResult, error) {
	text := routerSource
	switch {
	case a.Path == globalsName:
		text = globalsModule
	case a.Path == testName:
		text = testSource
	case r.req.Test:
		text = testModule(r.req.Entry)
	case a.Path == entryModule:
		routes, err := table(r.req.Routes)
		if err != nil {
			return api.OnLoadResult{}, err
		}
		text = routerModule(routes, r.req.Main)
	}
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS, ResolveDir: r.root}, nil
}
