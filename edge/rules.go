package edge

import (
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"

	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// The codes of what Judge finds.
const (
	codeNotRead = "F2009"
	codeRule    = "F2011"
	codeCircle  = "F2012"
)

// ruleFileBytes is the most that a rule file may have.
const ruleFileBytes = 1 << 20

// mostFindings is how many problems of one app are told: nobody reads more.
const mostFindings = 20

// IsRuleFile tells whether a file of a content folder holds rules: it is part of
// a release and never served.
func IsRuleFile(name string) bool {
	return name == rewrite.RedirectsFile || name == rewrite.HeadersFile
}

// Judge finds what is wrong with an app's redirects and headers, those of its
// rule files included, which Stage would refuse. The object has its content. A
// finding has the place of its line, or of the attribute that declares the rule.
func Judge(tree spec.Tree, object spec.Object) spec.Diagnostics {
	var app spec.App
	if err := json.Unmarshal(object.Spec, &app); err != nil || object.Content == nil {
		return nil // Stage says so
	}
	files := object.Content.Files
	if len(app.Redirects)+len(app.Headers) == 0 && !slices.ContainsFunc(files, func(f spec.File) bool { return IsRuleFile(f.Path) }) {
		return nil
	}
	rules, err := compileRules(app, files, func(f spec.File) ([]byte, error) {
		return spec.ReadSource(tree, path.Join(app.Content, f.Path))
	})
	if err == nil && !app.Disabled {
		err = static.CheckRedirects(rules, names(files))
	}
	var problems rewrite.Problems
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &problems):
		return spec.Diagnostics{spec.FindingAt(tree, object, "content", codeNotRead, fault.Message(err), "")}
	}
	var found spec.Diagnostics
	for _, p := range problems[:min(len(problems), mostFindings)] {
		found = append(found, finding(tree, object, app.Content, p))
	}
	return found
}

func names(files []spec.File) []string {
	list := make([]string, len(files))
	for i, f := range files {
		list[i] = f.Path
	}
	return list
}

// finding is a problem as a diagnostic.
func finding(tree spec.Tree, object spec.Object, folder string, p rewrite.Problem) spec.Diagnostic {
	code, help := codeRule, ""
	switch {
	case p.Circle:
		code, help = codeCircle, rewrite.CircleHint
	case p.Line == 0:
	case p.File == rewrite.RedirectsFile:
		help = `a line is a path, a target and a status: "/old/* /new/:splat 301"`
	default:
		help = `a path stands on a line of its own; the lines after it are headers, "Name: value"`
	}
	if p.Line > 0 {
		return spec.FindingInFile(tree, object, path.Join(folder, p.File), p.Line, code, p.Message, help)
	}
	attribute := map[string]string{rewrite.RedirectsFile: "redirects", rewrite.HeadersFile: "headers"}[p.File]
	return spec.FindingAt(tree, object, attribute, code, p.Message, help)
}

// compileRules makes one table of what an app declares and what its rule files
// say. The configuration wins over the files in both:
// the first redirect that matches is taken, so its redirects come first; the
// last header set stays, so its headers come last.
func compileRules(app spec.App, files []spec.File, read func(spec.File) ([]byte, error)) (*rewrite.Table, error) {
	var redirects, fileRedirects []rewrite.Redirect
	var headers []rewrite.Header
	var problems rewrite.Problems
	for _, f := range files {
		if !IsRuleFile(f.Path) {
			continue
		}
		src, err := read(f)
		if err != nil {
			return nil, fault.Wrap(fault.KindOf(err), err, "%q cannot be read", f.Path)
		}
		var wrong []rewrite.Problem
		if f.Path == rewrite.RedirectsFile {
			fileRedirects, wrong = rewrite.ParseRedirects(src)
		} else {
			headers, wrong = rewrite.ParseHeaders(src)
		}
		problems = append(problems, wrong...)
	}
	for _, d := range app.Redirects {
		redirects = append(redirects, rewrite.Redirect{From: d.From, To: d.To, Status: d.Status, Force: d.Force})
	}
	for _, d := range app.Headers {
		headers = append(headers, rewrite.Header{Path: d.Path, Set: d.Set})
	}
	table, err := rewrite.Compile(append(redirects, fileRedirects...), headers)
	if len(problems) == 0 {
		return table, err
	}
	var more rewrite.Problems
	errors.As(err, &more)
	more = slices.DeleteFunc(more, func(p rewrite.Problem) bool { return p.Circle }) // the lines left out may open it
	return nil, append(problems, more...).Err()
}

// ruleFile reads a rule file out of the store.
func (s *Server) ruleFile(f spec.File) ([]byte, error) {
	if f.Size > ruleFileBytes {
		return nil, fault.New(fault.Invalid, "it has more than %d bytes", ruleFileBytes)
	}
	file, err := s.config.Blobs.Open(blob.Digest(f.Blob), "")
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the store")
	}
	defer file.Close()
	src, err := io.ReadAll(file)
	if err == nil && !s.config.Blobs.Sound(blob.Digest(f.Blob), "", src) {
		err = fault.New(fault.Internal, "its bytes are damaged").WithSubject(f.Path)
	}
	return src, err
}
