package edge

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/spec"
)

// The codes of what is wrong with an app's code and migrations.
const (
	codeBundle  = "F2016"
	codeStart   = "F2017"
	codeMigrate = "F2018"
)

// mostCallers is how many lines of a stack a finding has beside its own.
const mostCallers = 5

// mistakes puts what is wrong with one app's code where its author looks for it:
// at a line of a file of the repository.
type mistakes struct {
	object spec.Object
	app    spec.App
	files  fs.FS // the app's folder, nil where it is not at hand
}

// mistakes reads an app's files where there is a revision to read them of.
func (p *passing) mistakes(object spec.Object, app spec.App) mistakes {
	m := mistakes{object: object, app: app}
	if p.desired.Folder != nil {
		m.files, _ = p.desired.Folder(object) // without it a finding has no snippet
	}
	return m
}

// bundled is an error of bundling, with a finding for each problem.
func (m mistakes) bundled(err error) error {
	wrong, is := errors.AsType[*bundle.Error](err)
	switch {
	case is:
	case fault.KindOf(err) == fault.Invalid:
		return m.at(spec.Spot{File: m.app.Runtime.Entry}, codeBundle, err)
	default:
		return err // the machine's
	}
	var found spec.Diagnostics
	for _, p := range wrong.Problems {
		help := p.Hint
		for _, by := range p.Chain {
			help = strings.TrimPrefix(help+"\nimported by "+path.Join(m.app.Content, by), "\n")
		}
		found = append(found, m.finding(spec.Spot{File: p.File, Line: p.Line, Column: p.Column, Length: p.Length}, codeBundle, p.Text, help))
	}
	if wrong.More > 0 {
		last := &found[len(found)-1]
		last.Detail = strings.TrimPrefix(fmt.Sprintf("%s\nand %d more problems", last.Detail, wrong.More), "\n")
	}
	return findings(fault.Invalid, found...)
}

// frame is a line of a stack: "    at greet (api/lib.ts:2:34)".
var frame = regexp.MustCompile(`(?m)^ *at (?:(.*) \()?([^\n()]+):(\d+):(\d+)\)?$`)

// started is an error of the code's first run.
func (m mistakes) started(err error) error {
	entry := spec.Spot{File: m.app.Runtime.Entry}
	thrown, is := errors.AsType[*script.Exception](err)
	switch {
	case !is && (fault.KindOf(err) == fault.Invalid || strings.HasPrefix(subject(err), "limit_")):
		return m.at(entry, codeStart, err)
	case !is:
		return err
	}
	const help = "this runs once for each machine, before any request"
	frames := m.frames(thrown.Stack)
	if len(frames) == 0 {
		return findings(fault.Invalid, m.finding(entry, codeStart, thrown.Error(), help))
	}
	found := m.finding(frames[0].Spot, codeStart, thrown.Error(), help)
	for _, f := range frames[1:min(len(frames), 1+mostCallers)] {
		caller := m.finding(f.Spot, "", "", "")
		found.Related = append(found.Related, spec.Related{Message: "called by " + f.in, Range: *caller.Range})
	}
	return findings(fault.Invalid, found)
}

// subject is what the innermost fault of an error is about.
func subject(err error) (last string) {
	for e, is := errors.AsType[*fault.Error](err); is; e, is = errors.AsType[*fault.Error](e.Err) {
		last = e.Subject
	}
	return last
}

// call is a place in a stack.
type call struct {
	spec.Spot
	in string // the function
}

// frames are the places of a stack that are in the app's own files.
func (m mistakes) frames(stack string) (calls []call) {
	for _, at := range frame.FindAllStringSubmatch(stack, -1) {
		line, _ := strconv.Atoi(at[3])
		column, _ := strconv.Atoi(at[4])
		name := at[1]
		if name == "" || name == "<anonymous>" {
			name = "the module"
		}
		if m.has(at[2]) {
			calls = append(calls, call{spec.Spot{File: at[2], Line: line, Column: column}, name})
		}
	}
	return calls
}

// placed is a subject that names a place: "0002_more.sql:3".
var placed = regexp.MustCompile(`^([^:]+\.sql)(?::(\d+))?$`)

// migrated is an error of an app's migrations, which name their place as subject.
func (m mistakes) migrated(err error) error {
	for e, is := errors.AsType[*fault.Error](err); is; e, is = errors.AsType[*fault.Error](e.Err) {
		at := placed.FindStringSubmatch(e.Subject)
		if at == nil {
			continue
		}
		line, _ := strconv.Atoi(at[2])
		spot := spec.Spot{File: path.Join(m.app.SQL.Migrations, at[1]), Line: line}
		summary := strings.TrimPrefix(fault.Message(e), e.Subject+": ")
		return findings(fault.KindOf(err), m.finding(spot, codeMigrate, summary, fault.HintOf(err)))
	}
	return err
}

// at is an error as the only finding at a spot.
func (m mistakes) at(spot spec.Spot, code string, err error) error {
	return findings(fault.KindOf(err), m.finding(spot, code, fault.Message(err), fault.HintOf(err)))
}

// findings are an error that travels.
func findings(kind fault.Kind, found ...spec.Diagnostic) error {
	return &fault.Error{Kind: kind, Code: found[0].Code, Err: spec.Diagnostics(found)}
}

// finding is an error at a spot, or at the app's block where the spot is in none of
// its files, as what stands in for Node's modules is not.
func (m mistakes) finding(at spec.Spot, code, summary, help string) spec.Diagnostic {
	if m.has(at.File) || m.files == nil && at.File != "" {
		return spec.FindingInContent(m.object, m.app.Content, at, m.source(at.File), code, summary, help)
	}
	switch {
	case at.Line > 0:
		summary = fmt.Sprintf("%s:%d: %s", at.File, at.Line, summary)
	case at.File != "":
		summary = at.File + ": " + summary
	}
	d := spec.Diagnostic{Severity: spec.Error, Code: code, Summary: summary, Detail: help, Address: m.object.Addr}
	if m.object.Range.Filename != "" {
		d.Range = &m.object.Range
	}
	return d
}

// has tells whether a name is a file of the app.
func (m mistakes) has(name string) bool {
	if m.files == nil || !fs.ValidPath(name) {
		return false
	}
	info, err := fs.Stat(m.files, name)
	return err == nil && info.Mode().IsRegular()
}

// mostSource is how large a file may be that is shown in a finding: code has 8 MiB
// at most.
const mostSource = 8 << 20

// source is the text of a file of the app, nil where there is none to be shown.
func (m mistakes) source(name string) []byte {
	if !m.has(name) {
		return nil
	}
	if info, err := fs.Stat(m.files, name); err != nil || info.Size() > mostSource {
		return nil
	}
	src, err := fs.ReadFile(m.files, name)
	if err != nil {
		return nil
	}
	return src
}
