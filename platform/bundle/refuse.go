package bundle

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// refuse is an error at the import.
func refuse(why reason) api.OnResolveResult {
	m := api.Message{Text: why.text, PluginName: pluginName, Notes: []api.Note{{Text: why.hint}}}
	return api.OnResolveResult{Errors: []api.Message{m}}
}

type reason struct{ text, hint string }

var scheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]+:`)

// testFile is how an import names a file of tests.
var testFile = regexp.MustCompile(`\.test(\.[cm]?[jt]sx?)?$`)

func outside(what string) reason {
	return reason{what + " is outside the app's folder", "an app is made of the files of its own folder; what is beside it is not deployed with it"}
}

// refused knows imports that cannot work by how they are written.
func (r *resolver) refused(a api.OnResolveArgs) (reason, bool) {
	spec := a.Path
	name, _, _ := strings.Cut(spec, "?")
	if strings.HasPrefix(spec, "/") && !strings.HasPrefix(spec, "//") {
		return reason{"\"" + spec + "\" is a path of a machine", "write it from the importing file: \"./\" or \"../\""}, true
	}
	if _, inside := r.inside(filepath.Join(a.ResolveDir, spec)); strings.HasPrefix(spec, ".") && !inside {
		return outside("\"" + spec + "\""), true
	}
	switch ext := path.Ext(name); {
	case !r.req.Test && strings.HasPrefix(spec, ".") && testFile.MatchString(spec) && !strings.Contains(filepath.ToSlash(a.Importer), "/node_modules/"):
		return reason{"\"" + spec + "\" is a file of tests, which no release has", "put what both need into a file of another name"}, true
	case strings.HasPrefix(spec, "http:"), strings.HasPrefix(spec, "https:"), strings.HasPrefix(spec, "//"):
		return reason{"\"" + spec + "\" is an address: nothing is downloaded", "put the package into the app's node_modules and import it by its name"}, true
	case strings.HasPrefix(spec, "npm:"), strings.HasPrefix(spec, "jsr:"):
		return reason{"\"" + spec + "\" names a registry: nothing is downloaded", "put the package into the app's node_modules and import it by its name"}, true
	case spec == testName:
		return reason{"\"" + spec + "\" is for tests alone", "import it in a file named NAME.test.ts, which fazt test runs and no release has"}, true
	case strings.HasPrefix(spec, "data:"):
		return reason{}, false
	case scheme.MatchString(spec):
		return reason{"\"" + spec + "\" is a module of another platform", "what an app reaches is in env: the blocks of its configuration"}, true
	case ext == ".wasm":
		return reason{"\"" + spec + "\" is WebAssembly, which does not run here", "use a package, or a build of it, that is plain JavaScript"}, true
	case ext == ".node":
		return reason{"\"" + spec + "\" is machine code for Node", "use a package, or a build of it, that is plain JavaScript"}, true
	}
	return reason{}, false
}

// isBuiltin tells whether Node has a module of this name.
func isBuiltin(spec string) bool {
	if strings.HasPrefix(spec, "node:") {
		return true
	}
	first, _, _ := strings.Cut(spec, "/")
	return slices.Contains(strings.Fields(`assert async_hooks buffer child_process cluster console constants crypto dgram
		diagnostics_channel dns domain events fs http http2 https inspector module net os path perf_hooks process punycode
		querystring readline repl stream string_decoder sys timers tls trace_events tty url util v8 vm wasi worker_threads zlib`), first)
}

func builtinHint(name string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(name, "node:"), "/")
	switch first {
	case "fs":
		return "keep files with a blobs binding; files that ship with the app are at env.ASSETS, or imported: import text from \"./a.txt\""
	case "http", "https", "http2", "net", "tls":
		return "a handler takes a Request and returns a Response, see fetch(request, env, ctx); call out with fetch and an egress block"
	case "child_process", "cluster", "worker_threads", "vm", "v8":
		return "an app computes in its handler; work for later goes into a queue"
	case "process", "os":
		return "settings come in env: env = { NAME = \"value\" } in the app's block"
	case "sqlite":
		return "use an sql binding"
	case "path":
		return "join with \"/\" or use new URL(path, base)"
	}
	return "use a package, or a build of it, that is made for browsers or workers"
}
