package bundle

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

// The namespaces of modules that are no files of the app.
const (
	pluginName  = "fazt"
	nodeSpace   = "node"
	asCommon    = "node-require" // a stand-in as require gives it
	ownSpace    = "fazt"
	entryModule = "fazt:entry"
)

// graph watches every import: it refuses what leaves the app's folder, finds
// Node's stand-ins, and remembers who imports whom.
type graph struct {
	root, node string
	req        request

	mu        sync.Mutex
	importers map[string][]string // of a module, by the names that people see
}

// asked marks a resolution that the plugin itself asks for.
type asked struct{}

func (g *graph) setup(b api.PluginBuild) {
	b.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		if _, ours := a.PluginData.(asked); ours {
			return api.OnResolveResult{}, nil
		}
		return g.resolve(b, a), nil
	})
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: nodeSpace}, g.loadNode)
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: asCommon}, loadCommon)
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: ownSpace}, g.loadOwn)
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "file"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		if _, inside := g.inside(a.Path); !inside {
			return api.OnLoadResult{Errors: []api.Message{{Text: "a file outside the app's folder"}}}, nil
		}
		return api.OnLoadResult{}, nil
	})
}

// resolve judges an import. An empty result leaves it to esbuild, which then
// finds the same again, out of its cache.
func (g *graph) resolve(b api.PluginBuild, a api.OnResolveArgs) api.OnResolveResult {
	switch {
	case a.Path == entryModule || a.Path == "fazt:router" && a.Namespace == ownSpace:
		g.edge(a, a.Path)
		return api.OnResolveResult{Path: a.Path, Namespace: ownSpace}
	case strings.HasPrefix(a.Path, "node:"):
		return g.builtin(a, strings.TrimPrefix(a.Path, "node:"))
	case a.Namespace == nodeSpace:
		return g.builtin(a, strings.TrimSuffix(path.Join(path.Dir(a.Importer), a.Path), ".js"))
	}
	if why, ok := g.refused(a); ok {
		return refuse(why.text, why.hint)
	}
	r := b.Resolve(a.Path, api.ResolveOptions{
		Importer: a.Importer, Namespace: a.Namespace, ResolveDir: a.ResolveDir, Kind: a.Kind, PluginData: asked{}, With: a.With,
	})
	switch {
	case r.Path == "" && isBuiltin(a.Path):
		return g.builtin(a, strings.TrimSuffix(a.Path, "/"))
	case r.Path == "" || r.External:
		return api.OnResolveResult{}
	}
	name, inside := g.inside(r.Path)
	if !inside && r.Namespace == "file" {
		return refuse(outside(a.Path).text, outside(a.Path).hint)
	}
	g.edge(a, name)
	return api.OnResolveResult{}
}

// builtin resolves a module of Node's to its stand-in. One that has none is left
// to esbuild, which lets it pass where the code is ready to be without it, as in
// try { require("fs") } catch {}.
func (g *graph) builtin(a api.OnResolveArgs, name string) api.OnResolveResult {
	if !filepath.IsLocal(name) {
		return api.OnResolveResult{}
	}
	if _, err := os.Lstat(filepath.Join(g.node, filepath.FromSlash(name)+".js")); err != nil {
		return api.OnResolveResult{}
	}
	g.edge(a, "node:"+name)
	space := nodeSpace
	if a.Kind == api.ResolveJSRequireCall && a.Namespace != asCommon {
		space = asCommon
	}
	return api.OnResolveResult{Path: name, Namespace: space, SideEffects: api.SideEffectsFalse}
}

func (g *graph) loadNode(a api.OnLoadArgs) (api.OnLoadResult, error) {
	b, err := os.ReadFile(filepath.Join(g.node, filepath.FromSlash(a.Path)+".js"))
	text := string(b)
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, err
}

// loadCommon gives require what Node gives it: the default export, such as the
// class that require("events") is.
func loadCommon(a api.OnLoadArgs) (api.OnLoadResult, error) {
	text := "const all = require(" + quote("node:"+a.Path) + "); module.exports = all.default ?? all;"
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, nil
}

func (g *graph) loadOwn(a api.OnLoadArgs) (api.OnLoadResult, error) {
	text := routerSource
	if a.Path == entryModule {
		routes, err := table(g.req.Routes)
		if err != nil {
			return api.OnLoadResult{}, err
		}
		text = routerModule(routes, g.req.Main)
	}
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS, ResolveDir: g.root}, nil
}

// inside returns the name of a file below the app's folder.
func (g *graph) inside(file string) (name string, ok bool) {
	rel, err := filepath.Rel(g.root, file)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

// edge remembers an import.
func (g *graph) edge(a api.OnResolveArgs, to string) {
	from := g.shown(a.Namespace, a.Importer)
	if from == "" || from == to {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.importers[to], from) {
		g.importers[to] = append(g.importers[to], from)
	}
}

// shown is the name of a module as people see it.
func (g *graph) shown(namespace, file string) string {
	switch namespace {
	case nodeSpace, asCommon:
		return "node:" + file
	case "file", "":
		name, inside := g.inside(file)
		if !inside {
			return ""
		}
		return name
	}
	return file
}

// chain is the shortest way from the entry to a module: the module's importer
// first, the entry last; empty for the entry. Of equal ways it is always the
// same one, in whatever order files were read.
func (g *graph) chain(name string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := map[string]string{name: ""} // towards name
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == g.req.Entry || at == entryModule {
			var way []string
			for n := at; n != name; n = from[n] {
				way = append(way, n)
			}
			slices.Reverse(way)
			return slices.DeleteFunc(way, func(n string) bool { return n == entryModule })
		}
		next := slices.Sorted(slices.Values(g.importers[at]))
		for _, n := range next {
			if _, seen := from[n]; !seen {
				from[n] = at
				queue = append(queue, n)
			}
		}
	}
	return nil
}
