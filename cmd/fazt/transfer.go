package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

type appExportIn struct {
	App string `arg:"" help:"name of the app" json:"app"`
	outIn
}

type appImportIn struct {
	File op.Upload `arg:"" help:"what app export wrote, - is standard input" json:"file"`
	As   string    `placeholder:"NAME" help:"the app's name here; the one it had if none is given" json:"as"`
}

func transferOps(n *node) []op.Op {
	return []op.Op{
		downloadOp(n, op.Row{
			Name: "app export", Group: groupData, Summary: "write an app to one file: files, program, declaration, data", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
			Detail:   "All that another node needs to serve it, but for the values of secrets: those it gives itself, to the app that it declares. What git has of it is not in it.",
			Examples: []op.Example{{Command: "@prod app export notes -o notes.fazt"}}, Exits: map[int]string{6: "there is no such app", 8: "the disk is too full"},
		}, func(ctx context.Context, n *node, in appExportIn, w io.Writer) error {
			return n.appExport(ctx, in.App, w)
		}),
		op.New(op.Row{
			Name: "app import", Group: groupData, Summary: "serve an app from a file that app export wrote", Effect: op.Change, Needs: op.Deploy, Since: "0.4.0",
			Detail:   "It answers at NAME.<domain> and belongs to no block: to keep it, declare it, as `fazt import NAME` shows.",
			Examples: []op.Example{{Command: "app import notes.fazt --as notes-2"}},
			Exits:    map[int]string{3: "the file is not whole", 5: "there is such an app already, or it needs what this node does not have or does not give it, such as a secret", 8: "the disk is too full"},
		}, on(n, func(ctx context.Context, n *node, in appImportIn) (restoreOut, error) { return n.appImport(ctx, in) })),
	}
}

func (n *node) appExport(ctx context.Context, app string, w io.Writer) error {
	o, err := n.object(ctx, app)
	if err != nil {
		return err
	}
	return n.pack(ctx, o, kindExport, w)
}

func (n *node) appImport(ctx context.Context, in appImportIn) (restoreOut, error) {
	u, err := n.unpack(ctx, in.File.Body, in.File.Size, true)
	if err != nil {
		return restoreOut{}, err
	}
	defer u.Close()
	if in.As == "" {
		in.As = u.head.App
	}
	return n.putBeside(ctx, u, in.As, false)
}

// checkBlobs compares the files of an exported app with their names, and looks that
// all are there.
func (u *unpacked) checkBlobs() error {
	for _, d := range digests(u.object.Content) {
		if !digestForm.MatchString(d) {
			return notAnApp("%q names no file", d)
		}
		f, err := os.Open(u.blob(d))
		if errors.Is(err, os.ErrNotExist) {
			return notAnApp("the file %s is missing", d[:12])
		}
		if err != nil {
			return fault.Wrap(fault.Unavailable, err, "read an archive")
		}
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return fault.Wrap(fault.Unavailable, err, "read an archive")
		}
		if hex.EncodeToString(sum.Sum(nil)) != d {
			return notAnApp("the file %s has other bytes", d[:12])
		}
	}
	return nil
}

// digestForm is what blobs are named.
var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// blob is where the bytes of a file are, if the archive has them.
func (u *unpacked) blob(d string) string { return filepath.Join(u.dir, "blob", d[:2], d[2:]) }
