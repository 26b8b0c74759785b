package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// errEscape is what a file function says about a path that leaves the tree.
var errEscape = errors.New("the path leaves the tree; paths start at the repository's root and stay inside it")

// reader lets the file functions of one configuration file read the tree and
// remembers what they read: path to git id, empty where there is nothing.
type reader struct {
	tree  Tree
	reads map[string]string
}

// id notes a path as read and returns its cleaned form.
func (r *reader) clean(name string) (string, error) {
	if strings.HasPrefix(name, "/") || strings.Contains(name, `\`) {
		return "", errEscape
	}
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return "", errEscape
	}
	if r.reads[name] = idOf(r.tree, name); r.reads[name] == "" {
		if _, err := fs.Stat(r.tree, name); err != nil {
			return "", fmt.Errorf("there is no %q in the tree", name)
		}
	}
	return name, nil
}

// idOf is the git id of a path, empty where there is none.
func idOf(tree Tree, name string) string {
	id, err := tree.ID(name)
	if err != nil {
		return ""
	}
	return id
}

// text reads a file of the tree.
func (r *reader) text(name string) (string, error) {
	name, err := r.clean(name)
	if err != nil {
		return "", err
	}
	src, err := ReadSource(r.tree, name)
	if err != nil {
		return "", fmt.Errorf("%q cannot be read: %s", name, sentence(err.Error()))
	}
	if !utf8.Valid(src) {
		return "", fmt.Errorf("%q is not UTF-8 text", name)
	}
	return string(src), nil
}

// fileFunctions are the functions that read the tree through r. A nil r gives
// their shape alone.
func fileFunctions(r *reader) []builtin {
	return []builtin{
		{"file", "path", "the text of a file of the repository", fileFunc(r)},
		{"fileset", "folder, pattern", "the files below a folder that match: * and ? in a name, ** for any folders; paths relative to the folder", filesetFunc(r)},
		{"templatefile", "path, vars", "the text of a file with ${…} filled in from an object", templateFunc(r)},
	}
}

func fileFunc(r *reader) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := r.text(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(text), nil
		},
	})
}

func filesetFunc(r *reader) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "folder", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			found, err := r.match(args[0].AsString(), args[1].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			if len(found) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			return cty.SetVal(found), nil
		},
	})
}

// match lists the regular files below a folder that match a pattern.
func (r *reader) match(folder, pattern string) ([]cty.Value, error) {
	folder, err := r.clean(folder)
	if err != nil {
		return nil, function.NewArgError(0, err)
	}
	if _, err := path.Match(strings.ReplaceAll(pattern, "**", "*"), ""); err != nil {
		return nil, function.NewArgErrorf(1, "%q is not a pattern", pattern)
	}
	segments := strings.Split(pattern, "/")
	var found []cty.Value
	err = fs.WalkDir(r.tree, folder, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		below := strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")
		if folder == "." {
			below = name
		}
		if matches(segments, strings.Split(below, "/")) {
			found = append(found, cty.StringVal(below))
		}
		return nil
	})
	if err != nil {
		return nil, function.NewArgErrorf(0, "%q cannot be read: %s", folder, sentence(plainError(err).Error()))
	}
	return found, nil
}

// matches compares a path with a pattern, segment by segment; ** stands for
// any number of segments. It fills a table instead of backtracking, so that no
// pattern is slow.
func matches(pattern, name []string) bool {
	row := make([]bool, len(name)+1) // row[j]: the pattern so far matches name[:j]
	row[0] = true
	for _, p := range pattern {
		next := make([]bool, len(name)+1)
		for j := range next {
			switch {
			case p == "**":
				next[j] = row[j] || j > 0 && next[j-1]
			case j > 0 && row[j-1]:
				next[j], _ = path.Match(p, name[j-1])
			}
		}
		row = next
	}
	return row[len(name)]
}

func templateFunc(r *reader) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "path", Type: cty.String},
			{Name: "vars", Type: cty.DynamicPseudoType},
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := r.text(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			if !isMap(args[1]) {
				return cty.NilVal, function.NewArgErrorf(1, "the variables of a template are an object")
			}
			return fillTemplate(args[0].AsString(), text, args[1].AsValueMap())
		},
	})
}

// fillTemplate evaluates a template of the tree. It may call every function but the
// file functions, so templates do not nest.
func fillTemplate(name, text string, vars map[string]cty.Value) (cty.Value, error) {
	if d := precheckTemplate(name, []byte(text)); d != nil {
		return cty.NilVal, function.NewArgErrorf(0, "%s: %s", name, d.Summary)
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(text), name, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, function.NewArgError(0, templateError(diags))
	}
	for _, t := range expr.Variables() {
		if _, ok := vars[t.RootName()]; !ok {
			line := t.SourceRange().Start.Line
			return cty.NilVal, function.NewArgErrorf(1, "%s:%d needs a variable %q", name, line, t.RootName())
		}
	}
	ctx := &hcl.EvalContext{Variables: vars, Functions: tableOf(slices.Values(builtins()))}
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.NilVal, function.NewArgError(0, templateError(diags))
	}
	return decodeText(v)
}

// decodeText is a template's result as text: ${x} alone keeps the type of x.
func decodeText(v cty.Value) (cty.Value, error) {
	var quiet reporter
	s, ok := decodeString(Attribute{Type: TypeString}, v, &spot{expr: hcl.StaticExpr(v, hcl.Range{})}, &quiet)
	if !ok {
		return cty.NilVal, function.NewArgErrorf(0, "the template does not yield text")
	}
	return cty.StringVal(s.(string)), nil
}

// templateError is the first finding about a template, with its line.
func templateError(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			at := subject(d)
			return fmt.Errorf("%s:%d: %s", at.Filename, at.Start.Line, sentence(d.Summary+": "+d.Detail))
		}
	}
	return diags
}
