package bundle

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/evanw/esbuild/pkg/api"
)

// trace tells each problem who imports its file. esbuild knows that of programs
// that it could make, so it makes one more, in which the files that have
// problems are empty.
func (r *resolver) trace(problems []Problem, config string) {
	again := *r
	again.hollow = map[string]bool{}
	for _, p := range problems {
		if p.File != "" && p.File != r.req.Entry {
			again.hollow[p.File] = true
		}
	}
	if len(again.hollow) == 0 {
		return
	}
	importers := importersOf(api.Build(options(&again, config)).Metafile)
	for i := range problems {
		problems[i].Chain = chain(importers, r.req.entryName(), problems[i].File)
	}
}

// importersOf turns a metafile around.
func importersOf(metafile string) map[string][]string {
	var m struct {
		Inputs map[string]struct{ Imports []struct{ Path string } }
	}
	if json.Unmarshal([]byte(metafile), &m) != nil {
		return nil
	}
	importers := map[string][]string{}
	for _, from := range slices.Sorted(maps.Keys(m.Inputs)) {
		for _, to := range m.Inputs[from].Imports {
			importers[to.Path] = append(importers[to.Path], from)
		}
	}
	return importers
}

// chain is the shortest way from a file to the entry: its importer first, the
// entry last; empty for the entry. Of equal ways it is the first by name.
func chain(importers map[string][]string, entry, file string) []string {
	towards := map[string]string{file: ""}
	for queue := []string{file}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == entry {
			var way []string
			for ; at != file; at = towards[at] {
				way = append(way, at)
			}
			slices.Reverse(way)
			return slices.DeleteFunc(way, func(name string) bool { return name == entryInput })
		}
		for _, by := range importers[at] {
			if _, seen := towards[by]; !seen {
				towards[by] = at
				queue = append(queue, by)
			}
		}
	}
	return nil
}

// entryInput is the entry of a folder of routes as a metafile has it.
const entryInput = ownSpace + ":" + entryModule

// entryName is the entry as a metafile has it.
func (r request) entryName() string {
	if r.made() {
		return entryInput
	}
	return r.Entry
}

// made tells whether the entry is a module that this package writes.
func (r request) made() bool { return r.Routes != nil || r.Test }
