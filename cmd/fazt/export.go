package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec"
)

type exportIn struct {
	Only string `placeholder:"APP" help:"one app's block only" json:"only"`
	To   string `name:"out" short:"o" placeholder:"DIR" help:"write the files into this folder, which must be there" json:"-"`
}

// exportOut is configuration as files.
type exportOut struct {
	Files op.Patch `json:"files"`
}

// WriteText prints the files one after the other, or where they went.
func (o exportOut) WriteText(w *op.Screen) error {
	in, _ := w.In.(exportIn)
	for i, name := range slices.Sorted(maps.Keys(o.Files)) {
		switch {
		case in.To != "":
			w.Printf("wrote %s\n", name)
		case in.Only != "":
			w.Printf("%s", o.Files[name])
		default:
			w.Printf("%s# %s\n%s", strings.Repeat("\n", min(i, 1)), name, o.Files[name])
		}
	}
	return nil
}

type addrIn struct {
	App string `arg:"" help:"name of the app" json:"app"`
}

type forgetIn struct {
	App string `arg:"" help:"name or address of the app" json:"app"`
}

type moveIn struct {
	From string `arg:"" help:"the name or address it had" json:"from"`
	To   string `arg:"" help:"the name or address it has" json:"to"`
}

// blockOut is a block for somebody's configuration.
type blockOut struct {
	HCL  string `json:"hcl"`
	Note string `json:"note,omitempty"`
}

// WriteText prints the block; what to do with it is for the eyes only.
func (o blockOut) WriteText(w *op.Screen) error {
	w.Printf("%s", o.HCL)
	return nil
}

func exportOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "export", Group: groupLook, Summary: "print what a node serves as configuration", Effect: op.Read, Needs: op.Observe, Since: "0.2.0",
			Detail: "A plan of it on the same node is empty. An app that no block declares is left out, with a line on how to take it back; --only names one all the same. Variables, where and expressions are not in it: the node has only what came of them. " +
				"The content folders are those of the repository.",
			Examples: []op.Example{{Command: "export"}, {Command: "@prod export --only blog"}, {Command: "export -o recovered"}},
			Exits:    map[int]string{6: "there is no such app"},
		}, on(n, func(ctx context.Context, n *node, in exportIn) (exportOut, error) { return n.export(ctx, in.Only) })),
		op.New(op.Row{
			Name: "import", Group: groupLook, Summary: "print the block that takes an unmanaged or parked app back", Effect: op.Read, Needs: op.Observe, Since: "0.2.0",
			Detail:   "Add it to the configuration: the next plan says that the app is adopted.",
			Examples: []op.Example{{Command: "import blog"}},
			Exits:    map[int]string{6: "there is no such app, nor in the trash"},
		}, on(n, func(ctx context.Context, n *node, in addrIn) (blockOut, error) { return n.importBlock(ctx, in.App) })),
		op.New(op.Row{
			Name: "forget", Group: groupWrite, Summary: "print the block that leaves an app to itself", Effect: op.Read, Offline: true, Since: "0.2.0",
			Detail:   "Put it in the place of the app's block: the app stays in service, and no block declares it.",
			Examples: []op.Example{{Command: "forget blog"}},
		}, func(_ context.Context, in forgetIn) (blockOut, error) {
			from, err := appAddress(in.App)
			return blockOut{HCL: "removed {\n  from      = " + from + "\n  on_remove = \"forget\"\n}\n"}, err
		}),
		op.New(op.Row{
			Name: "move", Group: groupWrite, Summary: "print the block that takes an app's history to its new name", Effect: op.Read, Offline: true, Since: "0.2.0",
			Detail:   "Give the app's block its new label and put this beside it.",
			Examples: []op.Example{{Command: "move weblog blog"}},
		}, func(_ context.Context, in moveIn) (blockOut, error) {
			from, err := appAddress(in.From)
			if err != nil {
				return blockOut{}, err
			}
			to, err := appAddress(in.To)
			return blockOut{HCL: "moved {\n  from = " + from + "\n  to   = " + to + "\n}\n"}, err
		}),
	}
}

var addressForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^app\.[a-z0-9-]{1,40}(\["[a-z0-9-]{1,40}"\])?$`) })

// appAddress is an address as the language writes it.
func appAddress(name string) (string, error) {
	addr := name
	if !strings.HasPrefix(addr, "app.") {
		addr = "app." + addr
	}
	if !addressForm().MatchString(addr) {
		return "", fault.New(fault.Invalid, "%q is not the name of an app", name).WithHint(`write blog, app.blog or 'app.site["docs"]'`)
	}
	return addr, nil
}

func (n *node) export(ctx context.Context, only string) (exportOut, error) {
	objects, err := n.edge.Observe(ctx)
	if err != nil {
		return exportOut{}, err
	}
	if only != "" {
		addr, err := n.addrOf(ctx, only)
		if err != nil {
			return exportOut{}, err
		}
		block, err := n.importBlock(ctx, string(addr))
		return exportOut{Files: op.Patch{addr.Name() + ".fazt.hcl": []byte(block.HCL)}}, err
	}
	files, err := spec.Export(objects)
	if err != nil {
		return exportOut{}, fault.Wrap(fault.Internal, err, "export")
	}
	return exportOut{Files: files}, nil
}

// importBlock is the block of an app, in service or in the trash.
func (n *node) importBlock(ctx context.Context, name string) (blockOut, error) {
	addr, err := n.addrOf(ctx, name)
	if err != nil {
		return blockOut{}, err
	}
	o, served, err := n.observe(ctx, addr)
	if err != nil {
		return blockOut{}, err
	}
	if !served {
		p, err := n.parked(ctx, string(addr))
		if err != nil {
			return blockOut{}, err
		}
		if o, err = objectOf(p.Object); err != nil {
			return blockOut{}, err
		}
	}
	domain, err := n.domain(ctx)
	if err != nil {
		return blockOut{}, err
	}
	text, err := spec.ExportBlock(o, domain)
	if err != nil {
		return blockOut{}, fault.Wrap(fault.Internal, err, "export")
	}
	return blockOut{HCL: string(text), Note: fmt.Sprintf("its files are those of %q", short(o.Revision))}, nil
}

// domain is the edge's, below which apps without hosts are found.
func (n *node) domain(ctx context.Context) (string, error) {
	o, there, err := n.observe(ctx, "edge")
	if err != nil || !there {
		return "", err
	}
	var e spec.Edge
	err = json.Unmarshal(o.Spec, &e)
	return e.Domain, err
}
