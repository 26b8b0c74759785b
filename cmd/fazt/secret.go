package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/spec"
)

// secretOps are verbs of this machine: a value is read, shown and sealed where
// the person is, and what a node gets is what git has.
func (p *program) secretOps() []op.Op {
	row := func(r op.Row) op.Row {
		r.Group, r.Offline, r.Local, r.Since = groupWrite, true, true, "0.4.0"
		return r
	}
	return []op.Op{
		op.New(row(op.Row{
			Name: "secret set", Summary: "seal a value into the configuration", Effect: op.Change,
			Detail: "Reads the value from standard input, or asks for it on a terminal, and seals it to the recipients of the nodes and of `fazt { recipients }`. " +
				"A block that is there gets the new envelope; otherwise one is added. Nothing else of the file changes.",
			Examples: []op.Example{{Command: "secret set stripe", Note: "asks, or reads what is piped in"}, {Command: "secret set stripe mycloud --recipient age1qx3...", Note: "somebody else may open this one"}},
			Exits:    map[int]string{3: "there is nobody to seal to, or a file cannot be read"},
		}), p.secretSet),
		op.New(row(op.Row{
			Name: "secret edit", Summary: "change a value in an editor", Effect: op.Change,
			Detail: "Opens the value with your key in $VISUAL or $EDITOR and seals it again if it changed. The file that the editor sees is for you only, in memory where the machine has such a folder, and is removed afterwards.",
			Exits:  map[int]string{4: "the secret is not sealed to your key", 6: "there is no such secret, or no key"},
		}), p.secretEdit),
		op.New(row(op.Row{
			Name: "secret rotate", Summary: "seal a new random value", Effect: op.Change,
			Detail: "For values that only your own apps know, such as signing keys. Nobody sees it; `fazt secret edit` shows it to who can open it.",
			Exits:  map[int]string{6: "there is no such secret"},
		}), p.secretRotate),
		op.New(row(op.Row{
			Name: "secret rekey", Summary: "seal every secret to the recipients of now", Effect: op.Change,
			Detail: "Opens all of them with your key and seals them again, after a recipient came or went. One that cannot be opened leaves all as they are. " +
				"Whoever went may have kept what they could open: give such secrets new values.",
			Exits: map[int]string{4: "a secret is not sealed to your key", 6: "there is no key"},
		}), p.secretRekey),
		op.New(row(op.Row{
			Name: "secret list", Summary: "list the secrets and who can open them", Effect: op.Read,
			Detail: "An envelope tells how many keys it is sealed to, not which ones; whether yours is among them is tried.",
		}), p.secretList),
		op.New(row(op.Row{
			Name: "secret check", Summary: "find secrets that are missing, unreadable or bare", Effect: op.Read,
			Exits: map[int]string{1: "something was found"},
		}), p.secretCheck),
		op.New(row(op.Row{
			Name: "secret key", Summary: "make your own key and print its recipient", Effect: op.Change,
			Detail: "With it you can open what is sealed to it, on any machine, without a node. A key that is there stays.",
		}), p.secretKey),
	}
}

// vault is the secrets of a folder, as its files have them.
type vault struct {
	spec.Sealing
	fsys fs.FS
}

// plainTree is a folder whose files nobody needs the ids of.
type plainTree struct{ fs.FS }

// ID is not known.
func (plainTree) ID(string) (string, error) { return "", fs.ErrNotExist }

// vault reads the secrets of a folder, with what is wrong with its files.
func (p *program) vault(dir string) (vault, spec.Diagnostics, error) {
	if info, err := os.Stat(p.path(dir)); err != nil || !info.IsDir() {
		// What stands here may be a value, so it is not repeated.
		return vault{}, nil, fault.New(fault.NotFound, "there is no such folder").
			WithHint("a value is never given on the command line, but on standard input; if one was, it is in your shell's history now: get a new one")
	}
	v := vault{fsys: os.DirFS(p.path(dir))}
	var diags spec.Diagnostics
	v.Sealing, diags = spec.ReadSealing(plainTree{v.fsys})
	return v, diags, nil
}

// sound is a vault of files that can all be read.
func (p *program) soundVault(dir string) (vault, error) {
	v, diags, err := p.vault(dir)
	if err == nil && diags.HasErrors() {
		err = invalid(diags)
	}
	return v, err
}

// find returns the block of a secret. It is an error if there are several.
func (v vault) find(name string) (spec.SecretBlock, bool, error) {
	var found []spec.SecretBlock
	for _, s := range v.Secrets {
		if s.Name == name {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return spec.SecretBlock{}, false, nil
	case 1:
		return found[0], true, nil
	}
	return found[0], true, fault.New(fault.Conflict, "secret.%s is declared twice, at %s and at %s", name, lineOf(found[0].Range), lineOf(found[1].Range)).
		WithHint("remove one of them")
}

// have is find for a secret that must be there.
func (v vault) have(name string) (spec.SecretBlock, error) {
	b, there, err := v.find(name)
	if err == nil && !there {
		err = fault.New(fault.NotFound, "there is no secret %q", name).WithHint("fazt secret set %s", name)
	}
	return b, err
}

// lineOf is a place as messages have it.
func lineOf(r spec.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// recipients are everybody to seal to, without repetition.
func (v vault) recipients(more []string) []string {
	list := slices.Clone(more)
	for _, k := range v.Keys {
		list = append(list, k.Recipient)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// fileFor is where a new secret goes: to the last of the others, else to the file
// at the root.
func (v vault) fileFor() string {
	file := "fazt.hcl"
	for _, s := range v.Secrets {
		if strings.HasSuffix(s.Range.Filename, ".hcl") {
			file = s.Range.Filename
		}
	}
	return file
}

// seal puts a value for a secret into a patch of the folder.
func (v vault) seal(patch op.Patch, name, value string, to []string) (secretSealed, error) {
	block, there, err := v.find(name)
	if err != nil {
		return secretSealed{}, err
	}
	done := secretSealed{Name: name, File: block.Range.Filename, Added: !there, Keys: len(to)}
	if !there {
		done.File = v.fileFor()
	}
	envelope, err := secret.Seal("secret."+name, value, to)
	if err != nil {
		return done, err
	}
	src, patched := patch[done.File]
	if !patched {
		if src, err = spec.ReadSource(v.fsys, done.File); err != nil && !isMissing(err) {
			return done, fault.Wrap(fault.Unavailable, err, "read %s", done.File)
		}
	}
	out, err := spec.SetEnvelope(done.File, src, name, envelope)
	if err != nil {
		return done, fault.New(fault.Invalid, "secret.%s cannot be set in %s: %w", name, done.File, err)
	}
	patch[done.File] = out
	return done, nil
}

// secretSealed is a secret that was sealed.
type secretSealed struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Added bool   `json:"added"`
	Keys  int    `json:"keys"`
}

type sealedOut struct {
	Sealed  []secretSealed `json:"sealed"`
	Keyless []spec.Addr    `json:"keyless,omitempty"` // nodes that cannot open any
	Same    bool           `json:"same,omitempty"`    // nothing changed
}

// WriteText is a line for each secret, and whom it leaves out.
func (o sealedOut) WriteText(w *op.Screen) error {
	if o.Same {
		w.Printf("nothing changed\n")
		return nil
	}
	for _, s := range o.Sealed {
		what := "sealed"
		if s.Added {
			what = "added"
		}
		w.Printf("%s secret.%s in %s, for %s\n", what, s.Name, s.File, plural(s.Keys, "key"))
	}
	for _, node := range o.Keyless {
		w.Printf("! %s has no recipient and cannot open secrets\n", node)
	}
	return nil
}

// secretView is a secret in the list.
type secretView struct {
	Name     string `json:"name"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Keys     int    `json:"keys"`     // it is sealed to; 0: it is not sealed, or damaged
	Declared int    `json:"declared"` // recipients that the configuration has now
	Opens    string `json:"opens"`    // yes, no; unknown without a key
	Used     bool   `json:"used"`
}

type secretListOut struct {
	Secrets []secretView `json:"secrets"`
}

// WriteText is a table.
func (o secretListOut) WriteText(w *op.Screen) error {
	if len(o.Secrets) == 0 {
		w.Printf("no secrets; add one: fazt secret set NAME\n")
		return nil
	}
	var rows [][]string
	for _, s := range o.Secrets {
		rows = append(rows, []string{s.Name, fmt.Sprintf("%d of %d", s.Keys, s.Declared), s.Opens, map[bool]string{true: "yes", false: "no"}[s.Used], fmt.Sprintf("%s:%d", s.File, s.Line)})
	}
	return w.Table([]op.Column{{Name: "SECRET", Keep: true}, {Name: "KEYS"}, {Name: "OPENS"}, {Name: "USED"}, {Name: "PLACE"}}, rows)
}

type secretDirIn struct {
	Dir      string `arg:"" optional:"" name:"dir" default:"." help:"folder of the configuration" json:"dir"`
	Identity string `placeholder:"FILE" help:"your key; without it the one of your settings, and this machine's" json:"identity"`
}

func (p *program) secretList(_ context.Context, in secretDirIn) (secretListOut, error) {
	out := secretListOut{Secrets: []secretView{}}
	v, err := p.soundVault(in.Dir)
	if err != nil {
		return out, err
	}
	id, err := p.identity(in.Identity)
	if err != nil {
		return out, err
	}
	used := v.used()
	for _, s := range v.Secrets {
		view := secretView{Name: s.Name, File: s.Range.Filename, Line: s.Range.Start.Line, Declared: len(v.recipients(nil)), Opens: "unknown", Used: used[s.Name]}
		view.Keys, _ = secret.Recipients("secret."+s.Name, s.Envelope)
		if id != nil {
			view.Opens = "yes"
			if _, err := id.Unseal("secret."+s.Name, s.Envelope); err != nil {
				view.Opens = "no"
			}
		}
		out.Secrets = append(out.Secrets, view)
	}
	return out, nil
}

// used are the secrets that something names.
func (v vault) used() map[string]bool {
	used := map[string]bool{}
	for _, u := range v.Uses {
		used[u.Name] = true
	}
	return used
}
