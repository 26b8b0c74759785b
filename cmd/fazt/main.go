// Command fazt is one machine's own cloud, described by a git repository: the
// node, and the command line that talks to nodes. The package puts the rooms
// together (node.go), holds the rows of the operation table (one file per
// noun, gathered in table.go) and is the only place that reads the process's
// arguments and ends it. Nothing imports it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// roles are what a re-executed child of this binary can be.
func roles() map[string]child.Role {
	return map[string]child.Role{roleLoad: loadRole, bundle.Role: bundle.Child, script.Role: script.Child}
}

func main() { os.Exit(run()) }

// run is main with an exit code, so that tests can be the program.
func run() int {
	if ran, exit := child.Main(os.Args, roles()); ran {
		return exit
	}
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	return p.run(context.Background(), os.Args[1:])
}

// run takes one command line to its end: parse, find who answers, call,
// render.
func (p *program) run(ctx context.Context, args []string) int {
	all := p.all()
	call, err := op.Parse(all, args)
	call.Getenv = p.getenv
	p.debug, p.quiet = call.Globals.Debug, call.Globals.Quiet
	if err == nil {
		err = p.enter(call.Globals)
	}
	if err != nil {
		return p.fail(call, err)
	}
	if limit := timeLimit(call); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	switch {
	case call.Globals.Version:
		call.Op, _ = all.Find("version")
		call.In = noIn{}
	case call.Op.Row().Name == "help":
		call.Words = call.In.(helpIn).Words
		return p.help(ctx, call)
	case call.Globals.Help:
		return p.help(ctx, call)
	}
	if call.In, err = p.readQuery(fromHere(call.In)); err != nil {
		return p.fail(call, err)
	}
	client, err := p.answerer(ctx, call)
	if err != nil {
		return p.fail(call, err)
	}
	if call.Globals.Curl {
		return p.curl(client, call)
	}
	if call.Op.Row().Name == "apply" {
		if call, err = p.savedPlan(call); err != nil {
			return p.fail(call, err)
		}
		if call, err = p.confirmApply(ctx, client, call); err != nil {
			return p.fail(call, err)
		}
	}
	return p.perform(ctx, client, call)
}

// grace is how much longer than asked a command waits for the answer that tells
// what there is after that time.
const grace = 10 * time.Second

// timeLimit is how long a command may take; 0 is as long as it takes.
func timeLimit(call op.Call) time.Duration {
	if in, syncs := call.In.(syncIn); syncs && in.Timeout > 0 {
		return in.Timeout + grace
	}
	return call.Globals.Timeout
}

// all is every command: this machine's verbs and the table's shape, in the
// order of help.
func (p *program) all() op.Table { return grouped(slices.Concat(table(nil, p.log()), p.verbs())) }

// enter makes the working folder and the state folder those of the flags.
func (p *program) enter(g op.Globals) (err error) {
	p.state, p.noInput = g.State, g.NoInput || p.getenv("FAZT_NO_INPUT") != ""
	if p.dir, err = os.Getwd(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "find the working folder")
	}
	if g.Directory != "" {
		p.dir = p.path(g.Directory)
		if info, err := os.Stat(p.dir); err != nil || !info.IsDir() {
			return op.Usage("there is no folder %q to run in", g.Directory)
		}
	}
	return nil
}

// answerer is who answers a call: this process for the verbs of this machine,
// else whom the target names.
func (p *program) answerer(ctx context.Context, call op.Call) (*op.Client, error) {
	row := call.Op.Row()
	if row.Local {
		return p.inProcess(p.verbs().Here()), nil
	}
	c, err := p.client(ctx, row, call.Target)
	if err == nil && call.Target != "" && op.IsTerminal(p.stderr) && !p.quiet {
		fmt.Fprintf(p.stderr, "→ %s (%s)\n", call.Target, c.BaseURL)
	}
	return c, err
}

// perform sends the call, does on this side what a node cannot (write files, open
// a browser) and renders what comes back.
func (p *program) perform(ctx context.Context, client *op.Client, call op.Call) int {
	if in, plans := call.In.(planIn); plans && in.Out != "" {
		return p.keepPlan(ctx, client, call, in)
	}
	reply, err := client.Call(ctx, call.Op, call.In)
	if err != nil {
		return p.fail(call, err)
	}
	if d, is := call.In.(downloader); is && !call.Globals.JSON {
		return p.download(call, reply, d.target())
	}
	// What is written comes before what is said of it.
	var formatted formatOut
	if call.Op.Row().Name == "fmt" && reply.Err() == nil && reply.Decode(&formatted) == nil {
		if err := p.patch(call.In.(formatIn).Dir.Name, formatted.Patch); err != nil {
			return p.fail(call, err)
		}
	}
	var exported exportOut
	if in, exports := call.In.(exportIn); exports && in.To != "" && reply.Err() == nil && reply.Decode(&exported) == nil {
		if err := p.patch(in.To, exported.Files); err != nil {
			return p.fail(call, err)
		}
	}
	exit := op.Render(call, reply, p.output())
	if exit != 0 {
		return exit
	}
	p.tellCut(call, reply)
	var opened appOpenOut
	if call.Op.Row().Name == "app open" && reply.Decode(&opened) == nil && op.IsTerminal(p.stdout) && !call.Globals.JSON {
		openBrowser(opened.URL)
	}
	return 0
}

func (p *program) curl(client *op.Client, call op.Call) int {
	line, err := client.Curl(call.Op, call.In)
	if err != nil {
		return p.fail(call, err)
	}
	fmt.Fprintln(p.stdout, line)
	return 0
}

func (p *program) patch(dir string, patch op.Patch) error {
	if len(patch) == 0 {
		return nil
	}
	root, err := os.OpenRoot(p.path(dir))
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "open %q", dir)
	}
	return errors.Join(patch.Write(root), root.Close())
}

// openBrowser is a courtesy: the address is printed already.
func openBrowser(url string) {
	if cmd := exec.Command("xdg-open", url); cmd.Start() == nil {
		go cmd.Wait()
	}
}

// confirmApply shows the plan and has the person agree to exactly that one.
func (p *program) confirmApply(ctx context.Context, client *op.Client, call op.Call) (op.Call, error) {
	in := call.In.(applyIn)
	if in.Expect != "" || in.Saved != "" || call.Globals.Yes {
		return call, nil
	}
	if call.Globals.NoInput || p.getenv("FAZT_NO_INPUT") != "" || !op.IsTerminal(p.stdin) || call.Globals.JSON {
		return call, fault.New(fault.Conflict, "apply asks before it changes anything, and nobody is there to answer").
			WithHint("add --yes, or --expect with the id of a plan that was read")
	}
	shown := call
	shown.Op, _ = p.all().Find("plan")
	shown.In = planIn{evalIn: evalIn{Dir: in.Dir}}
	reply, err := client.Call(ctx, shown.Op, shown.In)
	if err != nil {
		return call, err
	}
	if exit := op.Render(shown, reply, p.output()); exit != 0 {
		return call, &exitError{fault.New(fault.Conflict, "nothing was applied"), exit}
	}
	var planned planOut
	if err := reply.Decode(&planned); err != nil || planned.Plan.Empty() {
		in.Expect = planned.Plan.ID
		call.In = in
		return call, err
	}
	fmt.Fprint(p.stderr, "Apply this plan? [y/N] ")
	line, _ := bufio.NewReader(p.stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(line)); a != "y" && a != "yes" {
		return call, fault.New(fault.Conflict, "nothing was applied")
	}
	in.Expect = planned.Plan.ID
	call.In = in
	return call, nil
}

func (p *program) fail(call op.Call, err error) int {
	return op.RenderError(call, err, p.output())
}

func (p *program) output() op.Output {
	return op.Output{Stdout: p.stdout, Stderr: p.stderr, Getenv: p.getenv, Diagnostics: showDiagnostics, Details: showDetails}
}

// showDetails prints how a kept plan differs from what would be done now.
func showDetails(w io.Writer, raw []byte, color bool) {
	var d struct {
		Difference *plan.Difference `json:"difference"`
	}
	if json.Unmarshal(raw, &d) == nil && d.Difference != nil {
		_ = d.Difference.WriteText(w, plan.TextOptions{Color: color})
	}
}

// showDiagnostics prints the places in files that came with an error.
func showDiagnostics(w io.Writer, raw []byte, color bool) {
	var ds spec.Diagnostics
	if json.Unmarshal(raw, &ds) == nil {
		ds.WriteText(w, spec.TextOptions{Color: color})
	}
}

// log writes to stderr: state changes for people, everything with --debug.
func (p *program) log() *slog.Logger {
	level := slog.LevelInfo
	switch {
	case p.debug || p.getenv("FAZT_DEBUG") != "":
		level = slog.LevelDebug
	case p.quiet:
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}
