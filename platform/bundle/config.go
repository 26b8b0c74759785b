package bundle

import (
	"encoding/json"
	"errors"
	"io/fs"
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

// readConfig returns the app's tsconfig.json in one piece, for esbuild. It is
// read here and not by esbuild, which would follow "extends" anywhere and quote
// what it finds. A base that is a package is ignored: it sets what editors
// check, and is a development package that is not there.
func readConfig(root string) (string, []Problem) {
	var c compiler
	if p := c.read(root, configName, 0); p != nil {
		return "", []Problem{*p}
	}
	switch {
	case c.JSX == "" && c.JSXFactory != "":
		c.JSX = "react" // TypeScript's name for calls of a factory
	case c.JSX != "react":
		c.JSX = "react-jsx"
	}
	b, err := json.Marshal(map[string]compiler{"compilerOptions": c})
	if err != nil {
		return "", []Problem{{File: configName, Text: err.Error()}}
	}
	return string(b), nil
}

// read lays a file over c: its bases first.
func (c *compiler) read(root, name string, depth int) *Problem {
	if depth > maxExtends {
		return &Problem{File: name, Text: "more than 8 files extend one another"}
	}
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) && depth == 0 {
		return nil
	}
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
		if !strings.HasPrefix(base, ".") && !strings.HasPrefix(base, "/") {
			continue
		}
		base = path.Join(path.Dir(name), base)
		if path.Ext(base) != ".json" {
			base += ".json"
		}
		if !filepath.IsLocal(base) {
			return &Problem{File: name, Text: "it extends a file outside the app's folder"}
		}
		if p := c.read(root, base, depth+1); p != nil {
			return p
		}
	}
	return c.apply(name, file.CompilerOptions)
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
