package main

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

type helpIn struct {
	Words []string `arg:"" optional:"" name:"command" help:"the command to explain" json:"command"`
}

// helpOut is the rows that help is about; its JSON is the table's own.
type helpOut struct{ op.Listing }

// WriteText prints them as help.
func (o helpOut) WriteText(w *op.Screen) error {
	in, _ := w.In.(helpIn)
	return o.Help(w, w.Width, in.Words...)
}

// helpOp answers for the table it is given, which is the one it stands in.
func helpOp(all func() op.Table) op.Op {
	return op.New(op.Row{
		Name: "help", Group: groupMore, Summary: "list the commands, or explain one", Effect: op.Read, Offline: true, Since: "0.1.0",
		Detail:   "`fazt @peer help` lists what that node knows.",
		Examples: []op.Example{{Command: "help"}, {Command: "help app list"}},
	}, func(_ context.Context, in helpIn) (helpOut, error) {
		return narrow(all().Listing(version), in.Words)
	})
}

// narrow keeps the rows that begin with words.
func narrow(l op.Listing, words []string) (helpOut, error) {
	if err := l.Help(io.Discard, 0, words...); err != nil {
		return helpOut{}, err
	}
	name := strings.Join(words, " ")
	l.Operations = slices.DeleteFunc(l.Operations, func(e op.Entry) bool {
		return name != "" && e.Name != name && !strings.HasPrefix(e.Name, name+" ")
	})
	return helpOut{l}, nil
}

// help answers --help, and help of a peer from the peer's own table.
func (p *program) help(ctx context.Context, call op.Call) int {
	screen := op.NewScreen(p.stdout, call.Globals.Color, p.getenv)
	listing := p.all().Listing(version)
	if call.Target != "" {
		client, err := p.client(ctx, op.Row{}, call.Target)
		if err == nil {
			listing, err = client.Listing(ctx)
		}
		if err != nil {
			return p.fail(call, err)
		}
	}
	if call.Globals.JSON {
		out, err := narrow(listing, call.Words)
		if err != nil {
			return p.fail(call, err)
		}
		return exitOf(json.NewEncoder(p.stdout).Encode(out))
	}
	if err := listing.Help(screen, screen.Width, call.Words...); err != nil {
		return p.fail(call, err)
	}
	return 0
}

// exitOf is the exit code of a command that could not print its answer.
func exitOf(err error) int {
	if err != nil {
		return fault.Internal.Exit()
	}
	return 0
}

type textOut struct {
	Text string `json:"text"`
}

// WriteText prints the text as it is.
func (o textOut) WriteText(w *op.Screen) error { return w.Printf("%s", o.Text) }

type completionIn struct {
	Shell string `arg:"" enum:"bash,zsh,fish,pwsh" help:"bash, zsh, fish or pwsh" json:"shell"`
}

func (p *program) completionOp() op.Op {
	return op.New(op.Row{
		Name: "completion", Group: groupMore, Summary: "print a completion script for a shell", Effect: op.Read, Offline: true, Local: true, Since: "0.1.0",
		Examples: []op.Example{{Command: "completion bash"}},
	}, func(_ context.Context, in completionIn) (textOut, error) {
		script, err := op.Completion(p.all(), in.Shell, nil)
		return textOut{script}, err
	})
}
