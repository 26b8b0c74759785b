package spec

import (
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
)

// programBlocks are the blocks of an app that have a meaning only where it runs
// code.
func programBlocks() []Block {
	return []Block{kvBlock(), sqlBlock(), docsBlock(), blobsBlock(), queueBlock(), cronBlock(), serviceBlock(), egressBlock(), healthBlock()}
}

// program fills in what an app that runs code has and may reach.
func (a *App) program(d *decoded, r *reporter) {
	a.Runtime, a.Health = runtimeOf(d, r), healthOf(d, r)
	a.Env, _ = d.values["env"].(map[string]EnvValue)
	a.stores(d, r)
	a.work(d, r)
	a.reach(d, r)
	d.judgeBindings(a.Env, r)
	d.judgeProgram(r)
}

// judgeProgram reports what needs code, where there is none.
func (d *decoded) judgeProgram(r *reporter) {
	if d.inside("runtime") != nil {
		return
	}
	const help = `it is for code: add runtime { entry = "main.ts" }`
	if d.attrs["env"] != nil {
		r.error(codeTogether, d.at("env"), `"env" has no meaning without "runtime"`, help)
	}
	for _, b := range d.blocks {
		if _, of := findBlock(programBlocks(), b.block.Type); of {
			r.error(codeTogether, b.block.Place, fmt.Sprintf("%q has no meaning without %q", b.block.Type, "runtime"), help)
		}
	}
}

// bindingForm is what the names that code knows things by look like.
var bindingForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]{0,63}$`) })

// assetsBinding is the name of the app's own files, which is always there.
const assetsBinding = "ASSETS"

// judgeBindings judges the names in env: settings and bindings share them.
func (d *decoded) judgeBindings(env map[string]EnvValue, r *reporter) {
	first := map[string]hcl.Range{}
	judge := func(name, what string, at hcl.Range) {
		before, twice := first[name]
		switch {
		case !bindingForm().MatchString(name) || len(name) > 1 && name[:2] == "__":
			r.error(codeName, at, fmt.Sprintf("%s is not a name for %s", quoted(name), what), "it is env.NAME in the code: letters, digits, _ and $, beginning with a letter, at most 64")
		case name == assetsBinding:
			r.error(codeName, at, fmt.Sprintf("%q is not a name for %s", name, what), "env.ASSETS are the files of the app; choose another name")
		case twice:
			r.error(codeTwice, at, fmt.Sprintf("env.%s is declared twice", name), "settings and bindings share one space of names; rename one", declaredAt("first declared here", before)...)
		default:
			first[name] = at
		}
	}
	for _, key := range sortedKeys(env) {
		judge(key, "a setting", d.spot("env").keyAt(key))
	}
	for _, b := range d.blocks {
		if slices.Contains([]string{"kv", "sql", "docs", "blobs", "queue", "service"}, b.block.Type) {
			judge(b.block.label(), "a binding", b.block.name())
		}
	}
}
