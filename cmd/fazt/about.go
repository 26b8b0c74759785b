package main

import (
	"context"
	"io/fs"
	"path"
	"runtime"
	"sort"
	"strings"

	"github.com/fazt-sh/fazt/docs"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec"
)

// version is set by the linker for a release.
var version = "0.1.0-dev"

type versionOut struct {
	Version  string `json:"version"`
	Language string `json:"language"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// WriteText prints one line, for bug reports.
func (o versionOut) WriteText(w *op.Screen) error {
	w.Printf("fazt %s, language %s, %s, %s\n", o.Version, o.Language, o.Go, o.Platform)
	return nil
}

func aboutOps() []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "version", Group: groupMore, Summary: "print the version", Effect: op.Read, Offline: true, Since: "0.1.0",
		}, func(context.Context, noIn) (versionOut, error) {
			return versionOut{version, spec.LanguageVersion, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}, nil
		}),
		op.New(op.Row{
			Name: "docs", Group: groupMore, Summary: "read the documentation", Effect: op.Read, Offline: true, Since: "0.1.0",
			Detail:   "Without a topic it lists the pages. A topic is a page's path, or its last part; a file that a page names is printed as it is.",
			Examples: []op.Example{{Command: "docs"}, {Command: "docs first-site"}},
			Exits:    map[int]string{6: "there is no such page"},
		}, readDocs),
	}
}

type docsIn struct {
	Topic string `arg:"" optional:"" help:"page to show" json:"topic"`
}

type docsOut struct {
	Topic string     `json:"topic,omitempty"`
	Text  string     `json:"text,omitempty"`
	Pages []docsPage `json:"pages,omitempty"`
}

type docsPage struct {
	Topic string `json:"topic"`
	Title string `json:"title"`
}

// WriteText prints the page as it is written, or the list of pages.
func (o docsOut) WriteText(w *op.Screen) error {
	if o.Text != "" {
		w.Printf("%s", o.Text)
		return nil
	}
	var rows [][]string
	for _, p := range o.Pages {
		rows = append(rows, []string{p.Topic, p.Title})
	}
	return w.Table([]op.Column{{Name: "TOPIC"}, {Name: "TITLE"}}, rows)
}

func readDocs(_ context.Context, in docsIn) (docsOut, error) {
	pages, err := docPages()
	if err != nil || in.Topic == "" {
		return docsOut{Pages: pages}, err
	}
	want := strings.TrimSuffix(in.Topic, ".md")
	for _, p := range pages {
		if p.Topic != want && path.Base(p.Topic) != want {
			continue
		}
		src, err := fs.ReadFile(docs.Book, p.Topic+".md")
		return docsOut{Topic: p.Topic, Text: string(src)}, err
	}
	if src, err := fs.ReadFile(docs.Book, in.Topic); err == nil { // a file beside the pages, such as a unit
		return docsOut{Topic: in.Topic, Text: string(src)}, nil
	}
	return docsOut{}, fault.New(fault.NotFound, "there is no page %q", in.Topic).WithHint("fazt docs lists the pages")
}

func docPages() ([]docsPage, error) {
	var pages []docsPage
	err := fs.WalkDir(docs.Book, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".md" {
			return err
		}
		src, err := fs.ReadFile(docs.Book, name)
		pages = append(pages, docsPage{strings.TrimSuffix(name, ".md"), title(string(src))})
		return err
	})
	sort.Slice(pages, func(i, j int) bool { return pages[i].Topic < pages[j].Topic })
	return pages, err
}

// title is a page's first heading.
func title(page string) string {
	for line := range strings.Lines(page) {
		if h, ok := strings.CutPrefix(line, "# "); ok {
			return strings.TrimSpace(h)
		}
	}
	return ""
}
