package bundle

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/tailscale/hujson"
)

// compiler are the options of tsconfig.json that change what code means here.
type compiler struct {
	BaseURL                 string              `json:"baseUrl,omitempty"`
	Paths                   map[string][]string `json:"paths,omitempty"`
	JSX                     string              `json:"jsx,omitempty"`
	JSXFactory              string              `json:"jsxFactory,omitempty"`
	JSXFragmentFactory      string              `json:"jsxFragmentFactory,omitempty"`
	JSXImportSource         string              `json:"jsxImportSource,omitempty"`
	ExperimentalDecorators  *bool               `json:"experimentalDecorators,omitempty"`
	Target                  string              `json:"target,omitempty"` // decides the default of the next
	UseDefineForClassFields *bool               `json:"useDefineForClassFields,omitempty"`
	VerbatimModuleSyntax    *bool               `json:"verbatimModuleSyntax,omitempty"`
}

const (
	configName = "tsconfig.json"
	maxExtends = 8
)

// config is a tsconfig.json on its way to esbuild.
type config struct {
	root     string
	options  compiler
	warnings []Problem
}

// readConfig returns the tsconfig.json that is next to the entry or, failing
// that, in a folder above it, in one piece. It is read here and not by esbuild,
// which would follow "extends" anywhere and quote what it finds.
func readConfig(root, entry string) (text string, warnings []Problem, broken *Problem) {
	c := &config{root: root}
	if name := findConfig(root, entry); name != "" {
		if p := c.read(name, 0); p != nil {
			return "", nil, p
		}
	}
	o := &c.options
	switch {
	case o.JSX == "" && o.JSXFactory != "":
		o.JSX = "react" // TypeScript's name for calls of a factory
	case o.JSX != "react":
		o.JSX = "react-jsx"
	}
	b, err := json.Marshal(map[string]compiler{"compilerOptions": *o})
	if err != nil {
		return "", nil, &Problem{File: configName, Text: err.Error()}
	}
	return string(b), c.warnings, nil
}

func findConfig(root, entry string) string {
	for dir := entry; dir != "."; {
		dir = path.Dir(dir)
		name := path.Join(dir, configName)
		if _, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name))); err == nil {
			return name
		}
	}
	return ""
}

// read lays a file over the options: its bases first.
func (c *config) read(name string, depth int) *Problem {
	if depth > maxExtends {
		return &Problem{File: name, Text: "more than 8 files extend one another"}
	}
	b, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(name)))
	if err != nil {
		return &Problem{File: name, Text: "there is no such file to extend"}
	}
	if b, err = hujson.Standardize(b); err != nil {
		return &Problem{File: name, Text: strings.TrimPrefix(err.Error(), "hujson: ")}
	}
	var file struct {
		Extends         json.RawMessage `json:"extends"`
		CompilerOptions json.RawMessage `json:"compilerOptions"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return &Problem{File: name, Text: plain(err.Error())}
	}
	for _, base := range bases(file.Extends) {
		if p := c.extend(name, base, depth); p != nil {
			return p
		}
	}
	return c.options.apply(name, file.CompilerOptions)
}

// extend reads a base. One that is a package sets what editors check, and is a
// development package that is not there. One beside the app's folder is not
// deployed with it, which is worth a word, as it may set paths.
func (c *config) extend(name, base string, depth int) *Problem {
	if !strings.HasPrefix(base, ".") && !strings.HasPrefix(base, "/") {
		return nil
	}
	if path.Ext(base) != ".json" {
		base += ".json"
	}
	at := path.Join(path.Dir(name), base)
	if strings.HasPrefix(base, "/") || !filepath.IsLocal(at) {
		c.warnings = append(c.warnings, Problem{File: name, Text: "what it extends is outside the app's folder and is not read",
			Hint: "repeat here what code depends on: paths, baseUrl, jsx, jsxImportSource"})
		return nil
	}
	return c.read(at, depth+1)
}

// bases reads "extends", which is a name or a list of names.
func bases(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// apply takes a file's own options, whose paths are relative to it.
func (c *compiler) apply(name string, raw json.RawMessage) *Problem {
	if len(raw) == 0 {
		return nil
	}
	own := *c
	own.BaseURL, own.Paths = "", nil
	if err := json.Unmarshal(raw, &own); err != nil {
		return &Problem{File: name, Text: plain(err.Error())}
	}
	dir := path.Dir(name)
	if own.BaseURL == "" {
		own.BaseURL = c.BaseURL
	} else {
		own.BaseURL = "./" + path.Join(dir, own.BaseURL)
	}
	if own.Paths == nil {
		own.Paths = c.Paths
		*c = own
		return nil
	}
	from := "./" + dir
	if own.BaseURL != "" {
		from = own.BaseURL
	}
	for _, targets := range own.Paths {
		for i, t := range targets {
			targets[i] = "./" + path.Join(from, t)
		}
	}
	*c = own
	return nil
}
