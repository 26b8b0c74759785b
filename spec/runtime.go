package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// runtimeBlock is the row of how an app runs code.
func runtimeBlock() Block {
	return Block{
		Name:    "runtime",
		Doc:     "The app runs code: a module whose default export has the handlers fetch, scheduled and queue. It is bundled when it is staged, with the packages it imports. Without it an app is files.",
		Example: "runtime {\n  entry  = \"api/main.ts\"\n  routes = [\"/api/*\"]\n  memory = \"64MiB\"\n}",
		Since:   "0.4.0",
		Once:    true,
		Attributes: []Attribute{
			{Name: "entry", Type: TypeString, Required: true, Doc: "the module, a file of the content folder; or a folder of route.ts files, each for the path of the folder it is in. That folder, or the one the file is in if it is one below, is never served", Effect: EffectNewDeployment, Risk: RiskMedium, Since: "0.4.0"},
			{Name: "routes", Type: TypeStrings, Default: `["/*"]`, Doc: "the paths that the code answers, each whole or with a /* at its end; at all others the app's files do", Effect: EffectHot, Risk: RiskMedium, Since: "0.4.0"},
			{Name: "cpu", Type: TypeDuration, Default: `"2s"`, Min: "10ms", Max: "60s", Doc: "how long one call may compute", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "wall", Type: TypeDuration, Default: `"30s"`, Min: "10ms", Max: "15m", Doc: "how long one call may take, waiting included, never less than cpu", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "memory", Type: TypeSize, Default: `"64MiB"`, Min: "8MiB", Max: "1GiB", Doc: "what one call may hold", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "fresh", Type: TypeBool, Default: "false", Doc: "each request begins with nothing of the ones before; otherwise what the module keeps in variables may still be there, and may not", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "isolation", Type: TypeString, Default: `"shared"`, Allowed: []string{IsolationShared, IsolationOwn}, Doc: "own: the code runs in a process of its own, for code of people whom the others do not trust", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
		},
	}
}

// envRow is the row of an app's settings.
func envRow() Attribute {
	return Attribute{
		Name: "env", Type: TypeSettings, Doc: "settings of the code, as `env.NAME`: texts and secrets. Names are those of JavaScript and are shared with kv, sql, docs, blobs, queue and service",
		Example: `env = { TITLE = "Notes", STRIPE = secret.stripe }`, Effect: EffectHot, Risk: RiskLow, Since: "0.4.0",
	}
}

// healthBlock is the row of how to tell that a release works.
func healthBlock() Block {
	return Block{
		Name:    "health",
		Doc:     "How to tell that a new release works. It is asked before it takes over and for a while after; one that fails goes back to the release before.",
		Example: "health {\n  path     = \"/healthz\"\n  deadline = \"30s\"\n}",
		Since:   "0.4.0",
		Once:    true,
		Attributes: []Attribute{
			{Name: "path", Type: TypeString, Required: true, Doc: "the path that is asked; an answer below 400 is well", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "deadline", Type: TypeDuration, Default: `"30s"`, Min: "1s", Max: "10m", Doc: "it answers well by then, or it failed", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "window", Type: TypeDuration, Default: `"60s"`, Min: "0s", Max: "1h", Doc: "how long it is watched after it took over, by the path and by what its code answers visitors", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "auto_revert", Type: TypeBool, Default: "true", Doc: "false: a release that fails is reported and stays", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
		},
	}
}

// runtimeOf is an app's runtime, nil where it runs no code.
func runtimeOf(app *decoded, r *reporter) *Runtime {
	d := app.inside("runtime")
	if d == nil {
		return nil
	}
	rt := Runtime{
		Entry: pathBelow(d, "entry", "file", r), Routes: routesOf(d, r), CPUMS: d.number("cpu"), WallMS: d.number("wall"),
		Memory: d.number("memory"), Fresh: d.bool("fresh", false), Isolation: d.string("isolation"),
	}
	if all := rt.Filled(); all.CPUMS > all.WallMS && !r.failed() {
		at := "cpu"
		if d.attrs[at] == nil {
			at = "wall"
		}
		w := written{}
		w.duration("cpu", all.CPUMS)
		w.duration("wall", all.WallMS)
		r.error(codeTogether, d.at(at), fmt.Sprintf(`"runtime.cpu" is %s, more than the %s of "runtime.wall"`, w["cpu"], w["wall"]), "lower cpu, or raise wall: computing is a part of it")
	}
	usual := DefaultRuntime()
	drop(&rt.CPUMS, usual.CPUMS)
	drop(&rt.WallMS, usual.WallMS)
	drop(&rt.Memory, usual.Memory)
	drop(&rt.Isolation, usual.Isolation)
	if slices.Equal(rt.Routes, usual.Routes) {
		rt.Routes = nil
	}
	return &rt
}

// routesOf are the paths that code answers, sorted, each once.
func routesOf(d *decoded, r *reporter) []string {
	list, given := d.values["routes"].([]string)
	if given && len(list) == 0 {
		r.error(codeValue, d.at("routes"), `"runtime.routes" is empty`, "leave it out, and the code answers every path")
	}
	for i, route := range list {
		if fault := patternFault(route); fault != "" {
			r.error(codeValue, d.spot("routes").index(i).at(), fmt.Sprintf("%s is not a route: %s", quoted(route), fault), `write it as "/api/*" or "/hook"`)
		}
	}
	list = slices.Sorted(slices.Values(list))
	return slices.Compact(list)
}

// patternFault says what is wrong with a path that may end in /*.
func patternFault(pattern string) string {
	names, fault := fromFault(pattern)
	if fault == "" && len(names) > 0 && (len(names) > 1 || names[0] != "splat") {
		fault = "it has no :names"
	}
	if clean := path.Clean(pattern); fault == "" && clean != pattern && clean+"/" != pattern {
		fault = fmt.Sprintf("it is written %q", clean)
	}
	return fault
}

// pathBelow reads an argument that is a path below the app's content folder.
func pathBelow(d *decoded, name, what string, r *reporter) string {
	text, ok := d.values[name].(string)
	if !ok {
		return ""
	}
	clean, help := path.Clean(text), ""
	switch {
	case text == "" || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) || clean == ".":
		help = fmt.Sprintf("name a %s of the app's content folder, with / between its parts", what)
	case text[0] == '/':
		help = "paths start at the app's content folder, without a / before them"
	case clean == ".." || strings.HasPrefix(clean, "../"):
		help = "it must be inside the app's content folder: the release is made of that alone"
	default:
		return clean
	}
	r.error(codeContent, d.at(name), fmt.Sprintf("%s is not a %s of the content folder", quoted(text), what), help)
	return ""
}

// healthOf is how an app is asked whether it works, nil where it is not.
func healthOf(app *decoded, r *reporter) *Health {
	d := app.inside("health")
	if d == nil {
		return nil
	}
	h := Health{Path: d.string("path"), DeadlineMS: d.number("deadline"), WindowMS: d.number("window"), NoRevert: !d.bool("auto_revert", true)}
	if _, given := d.values["path"]; given && (!strings.HasPrefix(h.Path, "/") || strings.HasPrefix(h.Path, "//") || unfitForPath(h.Path) || strings.Contains(h.Path, "#")) {
		r.error(codeValue, d.at("path"), fmt.Sprintf("%s is not a path", quoted(h.Path)), `write it as "/healthz"`)
	}
	if w, given := d.values["window"]; given && w == int64(0) {
		h.WindowMS = -1
	}
	drop(&h.DeadlineMS, (&Health{}).Filled().DeadlineMS)
	drop(&h.WindowMS, (&Health{}).Filled().WindowMS)
	return &h
}
