package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// evalIn is what every command that evaluates a folder takes.
type evalIn struct {
	Dir  op.Tree           `arg:"" optional:"" name:"dir" default:"." help:"folder of the configuration" json:"dir"`
	Node string            `placeholder:"NAME" help:"node block to evaluate for; needed when there are several" json:"node"`
	Var  map[string]string `placeholder:"NAME=VALUE" help:"value of a variable; may be repeated" json:"var"`
}

func (in evalIn) input() (spec.Input, error) {
	tree, err := source.FS(in.Dir.FS)
	if err != nil {
		return spec.Input{}, err
	}
	return spec.Input{Tree: tree, Node: in.Node, Vars: in.Var}, nil
}

type validateIn struct {
	evalIn
	Format string `default:"text" enum:"text,github" help:"text, or github for annotations of a pull request" json:"format"`
}

type validateOut struct {
	Diagnostics spec.Diagnostics `json:"diagnostics"`
	Files       int              `json:"files"`
	Errors      int              `json:"errors"`
	Warnings    int              `json:"warnings"`
}

// Exit is 3 when something is wrong, as for every invalid configuration.
func (o validateOut) Exit() int {
	if o.Errors > 0 {
		return fault.Invalid.Exit()
	}
	return 0
}

// WriteText shows the findings, then one line that counts them.
func (o validateOut) WriteText(w *op.Screen) error {
	if in, ok := w.In.(validateIn); ok && in.Format == "github" {
		o.Diagnostics.WriteGitHub(w)
		return nil
	}
	o.Diagnostics.WriteText(w, spec.TextOptions{Color: w.Color})
	if len(o.Diagnostics) == 0 {
		w.Printf("valid: %s\n", plural(o.Files, "file"))
		return nil
	}
	var counts []string
	if o.Errors > 0 {
		counts = append(counts, plural(o.Errors, "error"))
	}
	if o.Warnings > 0 {
		counts = append(counts, plural(o.Warnings, "warning"))
	}
	bad := map[string]bool{}
	beside := 0 // files beside the configuration with something wrong
	for _, d := range o.Diagnostics {
		if d.Range == nil || bad[d.Range.Filename] {
			continue
		}
		bad[d.Range.Filename] = true
		if !isConfiguration(d.Range.Filename) {
			beside++
		}
	}
	w.Printf("%s in %d of %s\n", strings.Join(counts, ", "), len(bad), plural(o.Files+beside, "file"))
	return nil
}

// isConfiguration tells by its name whether a file is of the language: rules of an
// app and its code are not.
func isConfiguration(name string) bool {
	base := path.Base(name)
	return base == "fazt.hcl" || strings.HasSuffix(base, ".fazt.hcl") || strings.HasSuffix(base, ".fazt.json")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// languageOps are the commands that need no node, only text.
func languageOps(log *slog.Logger) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "validate", Group: groupWrite, Summary: "judge a configuration without a node", Effect: op.Read, Needs: op.Plan, Offline: true, Since: "0.1.0",
			Detail: "Evaluates every file of the folder and its content folders, bundles the code of apps that have some, and prints all " +
				"findings at once. Nothing of that code is run. Without --node every app is judged, whichever node takes it.",
			Examples: []op.Example{{Command: "validate"}, {Command: "validate --format github", Note: "annotates a pull request"}},
			Exits:    map[int]string{3: "the configuration is invalid"},
		}, func(ctx context.Context, in validateIn) (validateOut, error) { return validate(ctx, loader{log}, in) }),
		op.New(op.Row{
			Name: "fmt", Group: groupWrite, Summary: "bring configuration files into the one format", Effect: op.Read, Needs: op.Plan, Offline: true, Since: "0.1.0",
			Detail:   "Rewrites the files of the folder that differ. With --check nothing is written and the exit code tells.",
			Examples: []op.Example{{Command: "fmt"}, {Command: "fmt --check", Note: "for continuous integration"}},
			Exits:    map[int]string{1: "with --check: some file is not formatted", 3: "a file cannot be parsed"},
		}, format),
		op.New(op.Row{
			Name: "schema", Group: groupWrite, Summary: "print the language as data, for editors", Effect: op.Read, Offline: true, Since: "0.1.0",
		}, func(context.Context, noIn) (schemaOut, error) { return schemaOut{spec.Language()}, nil }),
		op.New(op.Row{
			Name: "explain", Group: groupWrite, Summary: "explain a diagnostic code", Effect: op.Read, Offline: true, Since: "0.1.0",
			Examples: []op.Example{{Command: "explain F1203"}},
			Exits:    map[int]string{6: "there is no such code"},
		}, explain),
	}
}

func validate(ctx context.Context, l loader, in validateIn) (validateOut, error) {
	input, err := in.input()
	if err != nil {
		return validateOut{}, err
	}
	input.AllApps = in.Node == ""
	out := validateOut{Diagnostics: spec.Diagnostics{}}
	loaded, err := l.Load(ctx, input)
	if err != nil {
		return out, err
	}
	out.Diagnostics, out.Files = append(out.Diagnostics, findings(input.Tree, loaded)...), loaded.Files
	wrong, err := codeFindings(ctx, input.Tree, loaded, out.Diagnostics)
	if err != nil {
		return out, err
	}
	out.Diagnostics = append(out.Diagnostics, wrong...).Sort()
	for _, d := range out.Diagnostics {
		if d.Severity == spec.Error {
			out.Errors++
		} else {
			out.Warnings++
		}
	}
	return out, nil
}

// findings is everything wrong with a loaded configuration, content folders
// included, each cause once.
func findings(tree spec.Tree, out spec.Output) spec.Diagnostics {
	if out.Spec == nil {
		return out.Findings()
	}
	content := spec.Output{Diagnostics: slices.Clone(out.Diagnostics), Spec: out.Spec}
	for _, o := range out.Spec.Objects {
		if o.Kind != spec.KindApp {
			continue
		}
		var found spec.Diagnostics
		o.Content, found = spec.ReadContent(tree, o, nil)
		content.Diagnostics = append(content.Diagnostics, found...)
		content.Diagnostics = append(content.Diagnostics, edge.Judge(tree, o)...)
	}
	return content.Findings()
}

// codeFindings is what is wrong with the code of the apps of which nothing worse is
// known.
func codeFindings(ctx context.Context, tree spec.Tree, out spec.Output, known spec.Diagnostics) (spec.Diagnostics, error) {
	if out.Spec == nil {
		return nil, nil
	}
	sound := slices.DeleteFunc(slices.Clone(out.Spec.Objects), func(o spec.Object) bool {
		return slices.ContainsFunc(known.Errors(), func(d spec.Diagnostic) bool { return d.Address == o.Addr })
	})
	return edge.JudgeCode(ctx, tree, sound)
}

type formatIn struct {
	Dir   op.Tree `arg:"" optional:"" name:"dir" default:"." help:"folder to format, with everything below it" json:"dir"`
	Check bool    `help:"write nothing; exit 1 if some file would change" json:"check"`
}

type formatOut struct {
	Changed []string `json:"changed"`
	Patch   op.Patch `json:"patch,omitempty"`
	Check   bool     `json:"check"`
}

// Exit is 1 when --check found something.
func (o formatOut) Exit() int {
	if o.Check && len(o.Changed) > 0 {
		return 1
	}
	return 0
}

// WriteText lists the files, one a line, for scripts.
func (o formatOut) WriteText(w *op.Screen) error {
	for _, f := range o.Changed {
		w.Printf("%s\n", f)
	}
	return nil
}

// Files is what the command line writes for the caller.
func (o formatOut) Files() op.Patch { return o.Patch }

func format(_ context.Context, in formatIn) (formatOut, error) {
	tree, err := source.FS(in.Dir.FS)
	if err != nil {
		return formatOut{}, err
	}
	names, diags := spec.ConfigFiles(tree)
	out := formatOut{Changed: []string{}, Patch: op.Patch{}, Check: in.Check}
	for _, name := range names {
		if path.Ext(name) == ".json" {
			continue
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return out, fault.Wrap(fault.NotFound, err, "read %q", name)
		}
		formatted, ds := spec.Format(name, src)
		diags = append(diags, ds...)
		if len(ds) > 0 || bytes.Equal(src, formatted) {
			continue
		}
		out.Changed = append(out.Changed, name)
		if !in.Check {
			out.Patch[name] = formatted
		}
	}
	if diags.HasErrors() {
		return out, invalid(diags)
	}
	return out, nil
}

// invalid is a list of diagnostics as an error that crosses the wire with
// them.
func invalid(ds spec.Diagnostics) error {
	return &invalidError{fault.New(fault.Invalid, "the configuration is invalid: %s", plural(len(ds.Errors()), "error")), ds}
}

type invalidError struct {
	error
	found spec.Diagnostics
}

// Unwrap lets the kind be found.
func (e *invalidError) Unwrap() error { return e.error }

// Diagnostics travel in the error's envelope.
func (e *invalidError) Diagnostics() any { return e.found }

type schemaOut struct{ spec.Schema }

// WriteText prints the schema as JSON: it has no other form.
func (o schemaOut) WriteText(w *op.Screen) error {
	b, err := json.MarshalIndent(o.Schema, "", "  ")
	if err != nil {
		return err
	}
	w.Printf("%s\n", b)
	return nil
}

type explainIn struct {
	Code string `arg:"" help:"the code in brackets, such as F1203" json:"code"`
}

type explainOut struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Body  string `json:"body"`
}

// WriteText prints the page.
func (o explainOut) WriteText(w *op.Screen) error {
	w.Printf("%s: %s\n\n%s\n", o.Code, o.Title, strings.TrimSpace(o.Body))
	return nil
}

func explain(_ context.Context, in explainIn) (explainOut, error) {
	code := strings.ToUpper(in.Code)
	if page, ok := spec.Explain(code); ok {
		return explainOut(page), nil
	}
	return explainOut{}, fault.New(fault.NotFound, "there is no diagnostic %q", in.Code).
		WithHint("codes look like F1203; all of them: fazt docs reference/errors")
}
