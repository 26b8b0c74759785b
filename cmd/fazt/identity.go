package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/secret"
)

// identity is what this person can open secrets with: the key that was named, else
// their own and that of this machine's node, as far as they are there and may be
// read; nil is none.
func (p *program) identity(named string) (*secret.Identity, error) {
	if named == "" {
		named = p.getenv("FAZT_IDENTITY")
	}
	if named != "" {
		return secret.Load(p.path(named))
	}
	files := []string{p.ownIdentity()}
	if state, err := p.stateDir(); err == nil {
		files = append(files, filepath.Join(state, secret.FileName))
	}
	var all []*secret.Identity
	for _, file := range files {
		switch id, err := secret.Load(file); fault.KindOf(err) {
		case "":
			all = append(all, id)
		case fault.NotFound, fault.Unavailable: // not there, or somebody else's
		default:
			return nil, err
		}
	}
	return secret.Join(all...), nil
}

// ownIdentity is where a person's key is.
func (p *program) ownIdentity() string { return filepath.Join(p.peers().config, secret.FileName) }

// openIdentity opens the node's key, which is made at the first start. Without one
// the node serves all the same: only what needs a secret cannot be.
func (n *node) openIdentity() {
	if n.identity = n.cfg.identity; n.identity != nil || n.cfg.dev {
		return
	}
	id, made, err := secret.Open(filepath.Join(n.ground.Dir, secret.FileName))
	if err != nil {
		n.cfg.log.Error("the key that opens secrets cannot be used", "error", err, "hint", fault.HintOf(err))
		return
	}
	n.identity, n.newKey = id, made
}

// tellKey says once, when the key is new, how others seal to this node.
func (n *node) tellKey() {
	if n.newKey {
		n.cfg.log.Info("secrets can be sealed to this node", "recipient", n.identity.Recipient(), "key", filepath.Join(n.ground.Dir, secret.FileName))
	}
}

// serviceIdentity is the key that a service is given: by flag, or by systemd as the
// credential called identity. nil is that of the state folder.
func (p *program) serviceIdentity(named string) (*secret.Identity, error) {
	if dir := p.getenv("CREDENTIALS_DIRECTORY"); named == "" && dir != "" {
		if given := filepath.Join(dir, "identity"); exists(given) {
			named = given
		}
	}
	if named == "" {
		return nil, nil
	}
	return secret.Load(p.path(named))
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

type secretKeyIn struct {
	Identity string `placeholder:"FILE" help:"where the key is kept; without it the folder of your settings" json:"identity"`
}

// keyOut is the public half of a key, and what to do with it.
type keyOut struct {
	Recipient string `json:"recipient"`
	File      string `json:"file"`
	Made      bool   `json:"made"`
	HCL       string `json:"hcl"`
}

// WriteText prints the block that names the key.
func (o keyOut) WriteText(w *op.Screen) error {
	if o.Made {
		w.Printf("# A new key is in %s. Keep a copy of it where its machine's\n# backups are not; nobody can make it again.\n", o.File)
	}
	w.Printf("%s", o.HCL)
	return nil
}

// secretKey makes a person's key, or shows the one that is there.
func (p *program) secretKey(_ context.Context, in secretKeyIn) (keyOut, error) {
	file := p.ownIdentity()
	if in.Identity != "" {
		file = p.path(in.Identity)
	}
	out, err := makeKey(file)
	out.HCL = "fazt {\n  recipients = [\"" + out.Recipient + "\"]\n}\n"
	return out, err
}

type nodeInitIn struct {
	Name string `arg:"" optional:"" default:"local" help:"name of the node block" json:"name"`
}

// nodeInit makes the key of this machine's node before its first start.
func (p *program) nodeInit(_ context.Context, in nodeInitIn) (keyOut, error) {
	state, err := p.stateDir()
	if err != nil {
		return keyOut{}, err
	}
	if err := checkStateFolder(state); err != nil {
		return keyOut{}, err
	}
	out, err := makeKey(filepath.Join(state, secret.FileName))
	out.HCL = recipientBlock(in.Name, out.Recipient)
	return out, err
}

// recipientBlock is what tells others to seal to a node.
func recipientBlock(node, recipient string) string {
	return "node \"" + node + "\" {\n  recipient = \"" + recipient + "\"\n}\n"
}

func makeKey(file string) (keyOut, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return keyOut{}, fault.Wrap(fault.Unavailable, err, "make the folder of the key")
	}
	id, made, err := secret.Open(file)
	if err != nil {
		return keyOut{}, err
	}
	return keyOut{Recipient: id.Recipient(), File: file, Made: made}, nil
}

func (p *program) nodeInitOp() op.Op {
	return op.New(op.Row{
		Name: "node init", Group: groupBegin, Summary: "make this machine's key and print its recipient", Effect: op.Change, Offline: true, Local: true, Since: "0.4.0",
		Detail: "The key opens the secrets that are sealed to this node. `fazt serve` makes it too, at its first start. " +
			"A key that is there stays, and its recipient is printed again.",
		Examples: []op.Example{{Command: "node init"}, {Command: "node init fra-1 --state /var/lib/fazt", Note: "prints the block of that node"}},
	}, p.nodeInit)
}
