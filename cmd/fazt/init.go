package main

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// templates are the folders `fazt init` can begin with.
//
//go:embed all:template
var templates embed.FS

type initIn struct {
	Dir      string `arg:"" optional:"" name:"dir" default:"." help:"folder to write into; it is made if it does not exist" json:"dir"`
	Template string `default:"site" enum:"site,code,blog,empty" help:"what to begin with: site, code (an app that runs some and keeps data), blog or empty" json:"template"`
	Git      bool   `help:"also make the folder a git repository" json:"git"`
}

type initOut struct {
	Dir   string   `json:"dir"`
	Files []string `json:"files"`
	Git   bool     `json:"git"`
}

// plainWord is what a shell takes as one word as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./@%+,:][A-Za-z0-9_./@%+,:=-]*$`)

// shellWord quotes a word that a shell would not take as it stands.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// WriteText lists what was written and the next two commands.
func (o initOut) WriteText(w *op.Screen) error {
	for _, f := range o.Files {
		w.Printf("  + %s\n", filepath.Join(o.Dir, f))
	}
	w.Printf("\nNext:\n")
	if o.Dir != "." {
		folder := shellWord(o.Dir)
		if strings.HasPrefix(o.Dir, "-") {
			folder = "-- " + folder
		}
		w.Printf("  cd %s\n", folder)
	}
	if in, ok := w.In.(initIn); ok && in.Template == "empty" {
		w.Printf("  add an app in apps/NAME/app.fazt.hcl (how: `fazt docs reference/language`), then run `fazt dev`\n")
		return nil
	}
	w.Printf("  fazt dev     # serve it here and watch it change\n")
	return nil
}

func (p *program) initOp() op.Op {
	return op.New(op.Row{
		Name: "init", Group: groupBegin,
		Summary: "begin a configuration repository",
		Detail:  "Writes a small repository that works as it is. It asks nothing and never overwrites a file.",
		Effect:  op.Change, Offline: true, Local: true, Since: "0.1.0",
		Examples: []op.Example{{Command: "init mycloud --git", Note: "a repository in a new folder"}, {Command: "init mycloud --template code", Note: "its app runs TypeScript"}},
	}, p.scaffold)
}

// scaffold writes a template, refusing before the first byte if any of its
// files exists.
func (p *program) scaffold(ctx context.Context, in initIn) (initOut, error) {
	dir := p.path(in.Dir)
	tmpl, err := fs.Sub(templates, "template/"+in.Template)
	if err != nil {
		return initOut{}, err
	}
	files, err := templateFiles(tmpl)
	if err != nil {
		return initOut{}, err
	}
	if in.Template == "code" {
		files["fazt.d.ts"] = []byte(bundle.Types())
	}
	for name := range files {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return initOut{}, fault.New(fault.Conflict, "%s exists already", filepath.Join(in.Dir, name)).
				WithHint("choose another folder; init never overwrites a file")
		}
	}
	out := initOut{Dir: in.Dir}
	for name, src := range files {
		if err := writeNew(filepath.Join(dir, name), src); err != nil {
			return out, err
		}
		out.Files = append(out.Files, name)
	}
	sort.Strings(out.Files)
	if in.Git {
		err = gitInit(ctx, dir)
		out.Git = err == nil
	}
	return out, err
}

// templateFiles reads a template with what every repository gets: a
// .gitignore for the development state and a workflow that validates pull
// requests.
func templateFiles(tmpl fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{
		".gitignore":                  []byte("# State of `fazt dev`.\n.fazt/\n"),
		".github/workflows/fazt.yaml": []byte(workflow),
	}
	return files, fs.WalkDir(tmpl, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(tmpl, name)
		return err
	})
}

const workflow = `# Judges every pull request: the configuration must be valid and formatted.
# What the commands print: ` + "`fazt docs guides/ci`" + `.
name: fazt
on: [pull_request]
permissions:
  contents: read
jobs:
  validate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-go@v5
        with:
          go-version: "1.26"
      - run: go install github.com/fazt-sh/fazt/cmd/fazt@latest
      - run: fazt validate --format github
      - run: fazt fmt --check
`

func writeNew(name string, src []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fault.Wrap(fault.Unavailable, err, "make folder")
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "write")
	}
	_, err = f.Write(src)
	return errors.Join(err, f.Close())
}

func gitInit(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "init", "--quiet", "--initial-branch=main", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fault.New(fault.Unavailable, "git init: %v %s", err, out).
			WithHint("the files are written; install git and run `git init` in %s", dir)
	}
	return nil
}
