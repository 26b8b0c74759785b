package bundle

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
)

// Child is the child's side: one request, one answer.
func Child(_ context.Context, c *child.Conn) error {
	b, err := c.ReadFrame()
	if err != nil {
		return err
	}
	var req request
	if err := json.Unmarshal(b, &req); err != nil {
		return err
	}
	a, code, sourceMap := build(req)
	if b, err = json.Marshal(a); err != nil {
		return err
	}
	if err := c.WriteFrame(b); err != nil || len(a.Problems) > 0 {
		return err
	}
	if err := c.WriteFrame(code); err != nil {
		return err
	}
	return c.WriteFrame(sourceMap)
}

// build runs esbuild.
func build(req request) (a answer, code, sourceMap []byte) {
	root := filepath.Join(req.Dir, appFolder)
	config, warnings, broken := readConfig(root, req.Entry)
	if broken != nil {
		return answer{Problems: []Problem{*broken}}, nil, nil
	}
	r := &resolver{root: root, node: filepath.Join(req.Dir, nodeFolder), req: req}
	result := api.Build(options(r, config))
	if len(result.Errors) == 0 && keepsContext(result.Metafile) {
		o := options(r, config)
		o.Supported = map[string]bool{"async-await": false, "async-generator": false, "for-await": false}
		result = api.Build(o)
	}
	if len(result.Errors) > 0 {
		found := problems(result.Errors)
		r.trace(found, config)
		return answer{Problems: found}, nil, nil
	}
	for _, f := range result.OutputFiles {
		switch filepath.Ext(f.Path) {
		case ".map":
			sourceMap = f.Contents
		default:
			code = f.Contents
		}
	}
	if len(code) > maxCode || len(sourceMap) > maxMap {
		return answer{Problems: []Problem{{
			File: req.Entry, Text: sizes(len(code), len(sourceMap)), Hint: "import less, or put data into files that are read at run time",
		}}}, nil, nil
	}
	inputs, exports, err := metafile(result.Metafile)
	if err != nil {
		return answer{Problems: []Problem{{File: req.Entry, Text: fault.Message(err)}}}, nil, nil
	}
	a = answer{Inputs: inputs, Warnings: append(warnings, problems(result.Warnings)...)}
	shapes := r.shapes(inputs)
	if len(exports) > 0 || req.made() {
		a.Warnings = append(a.Warnings, shapes...)
		a.Warnings = a.Warnings[:min(len(a.Warnings), maxProblems)]
		return a, code, sourceMap
	}
	if len(shapes) == 0 {
		shapes = []Problem{{File: req.Entry, Text: "the file exports no handler", Hint: handlerHint}}
	}
	return answer{Problems: shapes}, nil, nil
}

// options are the same for every app; the app's own are those of its
// tsconfig.json. Code is not minified, since stack traces in logs should be
// readable before anybody maps them, and nothing is sent over a network.
func options(r *resolver, config string) api.BuildOptions {
	entry := "./" + r.req.Entry
	if r.req.made() {
		entry = entryModule
	}
	return api.BuildOptions{
		AbsWorkingDir: r.root,
		EntryPoints:   []string{entry},
		Outfile:       filepath.Join(r.root, "bundle.mjs"),
		Bundle:        true,
		Format:        api.FormatESModule,
		Target:        api.ES2022,
		// Packages know our kind of runtime by these names; "import" and
		// "default" are added by the bundler where they hold, and what a package
		// says to leave out for browsers ("browser": {"fs": false}) is left out.
		Platform:       api.PlatformBrowser,
		Conditions:     []string{"fazt", "workerd", "worker", "browser", "module"},
		MainFields:     []string{"fazt", "worker", "browser", "module", "main"},
		Define:         map[string]string{"process.env.NODE_ENV": `"production"`, "global": "globalThis"},
		Loader:         loaders(),
		Inject:         r.globals(),
		JSX:            api.JSXAutomatic,
		TsconfigRaw:    config,
		KeepNames:      true,
		TreeShaking:    api.TreeShakingTrue,
		Charset:        api.CharsetUTF8,
		LegalComments:  api.LegalCommentsNone,
		Sourcemap:      api.SourceMapExternal,
		SourcesContent: api.SourcesContentInclude,
		Metafile:       true,
		LogLevel:       api.LogLevelSilent,
		LogLimit:       maxMessages,
		Plugins:        []api.Plugin{{Name: pluginName, Setup: r.setup}},
	}
}

// keepsContext tells whether a program has AsyncLocalStorage in it. That follows
// what is given to then, and the engine's own await does not go through then: async
// functions become generators over it, and to call and await one takes 6 µs instead of
// 1. Other programs stay as they are.
func keepsContext(text string) bool {
	var m struct {
		Outputs map[string]struct {
			Inputs map[string]struct{ BytesInOutput int }
		}
	}
	if json.Unmarshal([]byte(text), &m) != nil {
		return false
	}
	for _, o := range m.Outputs {
		if o.Inputs[nodeSpace+":async_hooks"].BytesInOutput > 0 {
			return true
		}
	}
	return false
}

// loaders says how a file is read, by its extension.
func loaders() map[string]api.Loader {
	l := map[string]api.Loader{
		".js": api.LoaderJSX, ".mjs": api.LoaderJS, ".cjs": api.LoaderJS, ".jsx": api.LoaderJSX,
		".ts": api.LoaderTS, ".mts": api.LoaderTS, ".cts": api.LoaderTS, ".tsx": api.LoaderTSX,
		".json": api.LoaderJSON,
	}
	for _, ext := range []string{".txt", ".html", ".css", ".md", ".sql", ".svg"} {
		l[ext] = api.LoaderText
	}
	return l
}

// scripts are the extensions of code.
func scripts() []string {
	return []string{".ts", ".tsx", ".js", ".jsx", ".mts", ".mjs", ".cts", ".cjs"}
}

// metafile reads what went in, and which exports came out that can be handlers.
func metafile(text string) (inputs, handlers []string, err error) {
	var m struct {
		Inputs  map[string]struct{}
		Outputs map[string]struct{ Exports []string }
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Inputs)) {
		if !strings.Contains(name, ":") {
			inputs = append(inputs, name)
		}
	}
	for _, o := range m.Outputs {
		for _, name := range o.Exports {
			if slices.Contains(handlerNames(), name) {
				handlers = append(handlers, name)
			}
		}
	}
	return inputs, handlers, nil
}

func handlerNames() []string {
	return []string{"default", "fetch", "scheduled", "queue", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
}
