package spec_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/fazt-sh/fazt/spec"
)

// pinned is a tree whose ids are worked out beforehand, as git's are.
type pinned struct {
	memory
	ids map[string]string
}

func pin(files map[string]string) pinned {
	p := pinned{repo(files), map[string]string{}}
	fs.WalkDir(p.MapFS, ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil {
			p.ids[name], err = p.memory.ID(name)
		}
		return err
	})
	return p
}

func (p pinned) ID(name string) (string, error) { return p.ids[name], nil }

// BenchmarkLoad compares a load that knows nothing with one where a single
// file of a thousand changed, whole and without its evaluation, and one where
// nothing of the configuration did.
func BenchmarkLoad(b *testing.B) {
	files := apps(1000)
	var memory spec.Memory
	before := pin(files)
	known := spec.Load(spec.Input{Tree: before, Memory: &memory}).Units
	changed := pin(with(files, "apps/app-0500/app.fazt.hcl", "app \"app-0500\" {\n  content = \"new\"\n}\n"))
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			spec.Load(spec.Input{Tree: changed})
		}
	})
	b.Run("one_of_1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			spec.Load(spec.Input{Tree: changed, Known: known, Memory: &memory})
		}
	})
	b.Run("one_of_1000_assembly", func(b *testing.B) {
		in := spec.Input{Tree: changed, Known: known, Memory: &memory}
		a := spec.Prepare(in)
		p := spec.Evaluate(a.Job(), in.Tree, a, nil)
		b.ReportAllocs()
		for b.Loop() {
			spec.Prepare(in).Output(p)
		}
	})
	b.Run("none_of_1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out := spec.Load(spec.Input{Tree: before, Known: known, Memory: &memory}); out.Spec == nil {
				b.Fatal(out.Diagnostics)
			}
		}
	})
}

// BenchmarkBareParse parses the configuration of a folder, one file after the
// other, and keeps nothing: what a load is measured against.
func BenchmarkBareParse(b *testing.B) {
	dir := os.Getenv("FAZT_BARE_PARSE")
	if dir == "" {
		b.Skip("FAZT_BARE_PARSE names no folder")
	}
	texts := map[string][]byte{}
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, "fazt.hcl") {
			texts[name], err = os.ReadFile(name)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for name, text := range texts {
			if _, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos); diags.HasErrors() {
				b.Fatal(diags)
			}
		}
	}
	b.ReportMetric(float64(len(texts)), "files")
}
