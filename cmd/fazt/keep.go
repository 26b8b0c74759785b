package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// mostPlan is the largest kept plan that is read: one of 10,000 new apps has
// about 20 MB.
const mostPlan = 256 << 20

// keepPlan asks for a plan that can be applied later, shows it and writes it to
// the file. Nobody else needs to read it.
func (p *program) keepPlan(ctx context.Context, client *op.Client, call op.Call, in planIn) int {
	if len(in.Var) > 0 || in.Node != "" {
		return p.fail(call, fault.New(fault.Invalid, "a running node has its own name and variables").
			WithHint("they are set where it is started: fazt serve --node NAME --var NAME=VALUE"))
	}
	row, _ := p.all().Find("plan save")
	reply, err := client.Call(ctx, row, in.evalIn)
	if err != nil {
		return p.fail(call, err)
	}
	var saved savedOut
	if reply.Err() == nil {
		if err := reply.Decode(&saved); err != nil {
			return p.fail(call, err)
		}
		text, err := json.MarshalIndent(saved.Saved, "", "  ")
		if err == nil {
			err = os.WriteFile(p.path(in.Out), append(text, '\n'), 0o600)
		}
		if err != nil {
			return p.fail(call, fault.Wrap(fault.Unavailable, err, "keep the plan in %q", in.Out))
		}
	}
	kept := call
	kept.Op, kept.In = row, in.evalIn
	return op.Render(kept, reply, p.output())
}

// savedPlan turns a file that is given to apply into what the node is asked: the
// kept plan, and the folder it was made of.
func (p *program) savedPlan(call op.Call) (op.Call, error) {
	in := call.In.(applyIn)
	info, err := os.Stat(p.path(in.Dir.Name))
	if err != nil || info.IsDir() {
		if in.Of != "" {
			return call, op.Usage("--of goes with a kept plan; a folder is named by itself")
		}
		return call, nil
	}
	if info.Size() > mostPlan {
		return call, fault.New(fault.Invalid, "%q is too large for a kept plan", in.Dir.Name)
	}
	text, err := os.ReadFile(p.path(in.Dir.Name))
	if err != nil {
		return call, fault.Wrap(fault.Unavailable, err, "read the kept plan %q", in.Dir.Name)
	}
	if _, err := readSaved(string(text)); err != nil {
		return call, err
	}
	in.Saved, in.Dir.Name = string(text), "."
	if in.Of != "" {
		in.Dir.Name = in.Of
	}
	call.In = in
	return call, nil
}
