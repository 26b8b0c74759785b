// Package bundle makes one ES module with a source map out of an app's
// TypeScript, JSX and npm packages. The edge calls it when it stages an app. It
// knows neither routes nor bindings, and never runs what it bundles.
//
// The work is done by esbuild in a bounded child that can read one folder: the
// parser of a compiler overflows the stack on hostile text, and what an import
// names is a path that a stranger chose.
package bundle

import (
	"context"
	_ "embed"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
)

// Role is the name under which cmd/fazt registers Child.
const Role = "bundle"

// Job is one program to make.
type Job struct {
	Name  string // the app, for messages
	Files fs.FS  // the app's folder
	Entry string // the file whose exports are the handlers, or a folder of route.ts files; "api/main.ts"
	Dir   string // an empty folder of the caller, who also removes it

	// Test has Entry be a file of the app's tests: it may import "fazt:test", and the
	// program is what runs them.
	Test bool

	// Node holds what stands in for Node's modules: "buffer.js" is node:buffer,
	// "util/types.js" is node:util/types. Nil for none.
	Node fs.FS
}

// Result is the program.
type Result struct {
	Code, Map []byte    // one ES module; its source map, version 3, with the sources in it
	Inputs    []string  // files of the app that went in, sorted
	Warnings  []Problem // what looks wrong and may still work
}

// The bounds of one bundle. 4 MiB of source take 120 MiB and 0.7 s of a core,
// and 50,000 brackets in one another 350 MiB, most of it stack.
const (
	childData = 512 << 20
	childCPU  = 20 * time.Second
	childWall = 60 * time.Second
	childOpen = 96 // esbuild keeps up to 32 files open
	maxCode   = 8 << 20
	maxMap    = 32 << 20
)

// request travels to the child as JSON.
type request struct {
	Dir    string   // absolute, without symbolic links
	Entry  string   // a file below Dir/app, or a folder of routes
	Routes []string // files of the folder that have routes; nil if Entry is a file
	Test   bool     // Entry is a file of tests
	Main   string   // the folder's main file, whose handlers besides fetch are kept; may be empty
}

// answer comes back as JSON, followed by two frames, code and map, if there are
// no Problems.
type answer struct {
	Problems, Warnings []Problem
	Inputs             []string
}

// Bundle makes the program. Its errors are Invalid if the app is to blame, with an
// *Error where places in the code are known; Exhausted if the machine was too slow.
func Bundle(ctx context.Context, job Job) (Result, error) {
	dir, err := filepath.EvalSymlinks(job.Dir)
	if err != nil {
		return Result{}, fault.Wrap(fault.Unavailable, err, "bundle %q", job.Name)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return Result{}, fault.Wrap(fault.Unavailable, err, "bundle %q", job.Name)
	}
	req, err := entry(job)
	if err != nil {
		return Result{}, err
	}
	req.Dir = dir
	if err := lay(ctx, job, dir); err != nil {
		return Result{}, err
	}
	return run(ctx, job.Name, req)
}

// run has a child do it.
func run(ctx context.Context, name string, req request) (Result, error) {
	p, err := child.Start(ctx, Role, child.Limits{
		Data: childData, CPU: childCPU, Wall: childWall, Files: childOpen, Frame: maxMap, Folder: req.Dir,
	})
	if err != nil {
		return Result{}, err
	}
	r, failed, err := talk(p.Conn(), req)
	if ended := p.Wait(); ended != nil && err != nil {
		return Result{}, blame(name, ended)
	}
	if err != nil {
		return Result{}, err
	}
	if len(failed) > 0 {
		return Result{}, invalid(failed)
	}
	return r, nil
}

func talk(c *child.Conn, req request) (r Result, failed []Problem, err error) {
	b, err := json.Marshal(req)
	if err != nil {
		return r, nil, err
	}
	if err := c.WriteFrame(b); err != nil {
		return r, nil, err
	}
	if b, err = c.ReadFrame(); err != nil {
		return r, nil, err
	}
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return r, nil, err
	}
	if len(a.Problems) > 0 {
		return r, a.Problems, nil
	}
	r = Result{Inputs: a.Inputs, Warnings: a.Warnings}
	if r.Code, err = c.ReadFrame(); err != nil {
		return r, nil, err
	}
	r.Map, err = c.ReadFrame()
	return r, nil, err
}

// blame says whose fault the end of a child was. Memory, stack and CPU are
// bounds of the child's own, which a program has to fit; the wall is the
// machine's.
func blame(name string, ended error) error {
	const hint = "bundle less: generated data belongs into files that are read at run time, not into code"
	switch child.ReasonOf(ended) {
	case child.Memory:
		return fault.New(fault.Invalid, "the code of %q is too large or nested too deeply to bundle in %d MiB", name, childData>>20).WithHint(hint)
	case child.CPU:
		return fault.New(fault.Invalid, "bundling the code of %q takes more than %s of computing", name, childCPU).WithHint(hint)
	case child.Crashed:
		return fault.Wrap(fault.Invalid, ended, "bundle the code of %q", name)
	}
	return fault.Wrap(fault.KindOf(ended), ended, "bundle the code of %q", name)
}

//go:embed types/fazt.d.ts
var types string

// Types returns the TypeScript declarations of handlers, ctx and the bindings
// in env, for an editor: a file "fazt.d.ts" beside the app's code.
func Types() string { return types }
