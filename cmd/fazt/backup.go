package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec"
)

type backupCreateIn struct {
	App string `arg:"" optional:"" help:"name of the app; all that keep data if none is named" json:"app"`
}

type backupListIn struct {
	App string `arg:"" optional:"" help:"only those of this app" json:"app"`
}

// asideView is data that no app has any more.
type asideView struct {
	ID    string    `json:"id"` // notes-41
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

type backupListOut struct {
	Backups []backupView `json:"backups"`
	Aside   []asideView  `json:"aside"` // what a restore, a purge or a removal left behind
	Problem []string     `json:"problems,omitempty"`
}

// WriteText prints a table of the backups, then what else can be restored.
func (o backupListOut) WriteText(w *op.Screen) error {
	for _, p := range o.Problem {
		problemLine(w, "no newer backup of "+p)
	}
	if len(o.Backups) == 0 {
		w.Printf("no backups; make one: fazt backup create\n")
	} else if err := writeBackups(w, o.Backups); err != nil {
		return err
	}
	if len(o.Aside) == 0 {
		return nil
	}
	var rows [][]string
	for _, a := range o.Aside {
		rows = append(rows, []string{a.ID, ago(a.Since), a.Until.Format(time.DateOnly)})
	}
	w.Printf("\n")
	return w.Table([]op.Column{{Name: "SET ASIDE", Keep: true}, {Name: "SINCE"}, {Name: "UNTIL", Keep: true}}, rows)
}

func writeBackups(w *op.Screen, list []backupView) error {
	var rows [][]string
	for _, b := range list {
		verified := ago(b.Verified)
		if b.Problem != "" {
			verified = w.Paint(op.Red, "no")
		}
		rows = append(rows, []string{b.ID, size(b.Size), ago(b.Time), verified, b.SHA256[:min(12, len(b.SHA256))], b.By})
	}
	columns := []op.Column{{Name: "BACKUP", Keep: true}, {Name: "SIZE", Right: true, Keep: true}, {Name: "MADE", Keep: true}, {Name: "VERIFIED", Keep: true}, {Name: "SHA256"}, {Name: "BY"}}
	if err := w.Table(columns, rows); err != nil {
		return err
	}
	for _, b := range list {
		if b.Problem != "" {
			problemLine(w, b.ID+": "+b.Problem)
		}
	}
	return nil
}

type backupCreateOut struct {
	Backups []backupView `json:"backups"`
	Problem []string     `json:"problems,omitempty"` // of apps that have none now
}

// WriteText prints what was made.
func (o backupCreateOut) WriteText(w *op.Screen) error {
	for _, p := range o.Problem {
		problemLine(w, p)
	}
	if len(o.Backups) == 0 && len(o.Problem) == 0 {
		return w.Printf("no app keeps data\n")
	}
	return writeBackups(w, o.Backups)
}

// Exit is 1 where a backup was not made, or cannot be restored.
func (o backupCreateOut) Exit() int {
	bad := len(o.Problem) > 0
	for _, b := range o.Backups {
		bad = bad || b.Problem != ""
	}
	if bad {
		return 1
	}
	return 0
}

type backupVerifyIn struct {
	Backup string    `arg:"" help:"a backup of the node, notes/latest for the newest, or a file here whose name ends in .fazt" json:"backup"`
	File   op.Upload `kong:"-" help:"the file, where it is the caller's" json:"file"`
}

type backupVerifyOut struct {
	App     string           `json:"app"`
	Kind    string           `json:"kind"` // backup, export
	Time    time.Time        `json:"time"`
	Version string           `json:"version"` // of the fazt that made it
	Rows    map[string]int64 `json:"rows"`    // by table
	Files   int              `json:"files"`   // that the app keeps
	Size    int64            `json:"size"`
}

// WriteText says what was restored to be looked at.
func (o backupVerifyOut) WriteText(w *op.Screen) error {
	rows := int64(0)
	for _, n := range o.Rows {
		rows += n
	}
	return w.Printf("%s of %s, %s (%s): restored and whole, %s rows in %s, %s\n", o.Kind, o.App, o.Time.Format("2006-01-02 15:04:05"), size(o.Size),
		thousands(rows), plural(len(o.Rows), "table"), plural(o.Files, "file"))
}

type backupIDIn struct {
	Backup string `arg:"" help:"the backup, notes/20261123T100000Z or notes/latest" json:"backup"`
}

type backupDownloadIn struct {
	backupIDIn
	outIn
}

type backupRemoveIn struct {
	Backup  string `arg:"" help:"the backup, notes/20261123T100000Z" json:"backup"`
	Confirm string `json:"confirm"`
}

type backupRemoveOut struct {
	Backup string `json:"backup"`
}

// WriteText says that it is gone.
func (o backupRemoveOut) WriteText(w *op.Screen) error { return w.Printf("%s is deleted\n", o.Backup) }

func backupOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "backup create", Group: groupData, Summary: "back up what an app keeps, and restore it as a test", Effect: op.Change, Needs: op.DataWrite, Since: "0.4.0",
			Detail: "Everything that was acknowledged before it began is in it; the app goes on meanwhile. It has keys, documents, tables, files and jobs, and the app's declaration, " +
				"no values of secrets. It lies in the node's state folder: take it elsewhere with backup download.",
			Examples: []op.Example{{Command: "backup create notes"}, {Command: "@prod backup create", Note: "every app that keeps data"}},
			Exits:    map[int]string{1: "one was not made, or is not whole", 6: "there is no such app, or it keeps nothing", 8: "the disk is too full"},
		}, on(n, func(ctx context.Context, n *node, in backupCreateIn) (backupCreateOut, error) {
			return n.backupCreate(ctx, in.App)
		})),
		op.New(op.Row{
			Name: "backup list", Group: groupData, Summary: "list backups, when each was last restored as a test, and data set aside", Effect: op.Read, Needs: op.DataRead, Since: "0.4.0",
			Examples: []op.Example{{Command: "backup list"}, {Command: "backup list notes --json"}},
		}, on(n, func(ctx context.Context, n *node, in backupListIn) (backupListOut, error) {
			return n.backupList(in.App)
		})),
		op.New(op.Row{
			Name: "backup verify", Group: groupData, Summary: "restore a backup as a test, and compare it with what it was", Effect: op.Change, Needs: op.DataWrite, Since: "0.4.0",
			Detail:   "It is restored into a folder of its own; the sums of all files, the structure of the database and its counts must be those that were written down.",
			Examples: []op.Example{{Command: "backup verify notes/20261123T100000Z"}, {Command: "backup verify notes.fazt", Note: "a file here"}},
			Exits:    map[int]string{3: "it is not whole", 6: "there is no such backup", 8: "the disk is too full"},
		}, on(n, func(ctx context.Context, n *node, in backupVerifyIn) (backupVerifyOut, error) {
			return n.backupVerify(ctx, in)
		})),
		downloadOp(n, op.Row{
			Name: "backup download", Group: groupData, Summary: "take a backup elsewhere", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
			Examples: []op.Example{{Command: "@prod backup download notes/20261123T100000Z -o notes.fazt"}}, Exits: map[int]string{6: "there is no such backup"},
		}, func(_ context.Context, n *node, in backupDownloadIn, w io.Writer) error {
			return n.backupDownload(in.Backup, w)
		}),
		op.New(op.Row{
			Name: "backup remove", Group: groupData, Summary: "delete a backup", Effect: op.Destroy, Needs: op.DataWrite, Since: "0.4.0",
			Examples: []op.Example{{Command: "backup remove notes/20261123T100000Z --confirm notes/20261123T100000Z"}},
			Exits:    map[int]string{5: "it is not confirmed", 6: "there is no such backup"},
		}, on(n, func(_ context.Context, n *node, in backupRemoveIn) (backupRemoveOut, error) {
			b, err := n.shelf.get(in.Backup)
			if err == nil {
				err = n.shelf.remove(b.ID)
			}
			return backupRemoveOut{b.ID}, err
		})),
	}
}

func (n *node) backupCreate(ctx context.Context, app string) (out backupCreateOut, err error) {
	out.Backups = []backupView{}
	apps := []spec.Object{{}}
	if app != "" {
		apps[0], err = n.object(ctx, app)
	} else {
		apps, err = n.keepers(ctx)
	}
	if err != nil {
		return out, err
	}
	for _, o := range apps {
		b, err := n.backup(ctx, o, op.ActorFrom(ctx), false)
		switch {
		case err == nil:
			out.Backups = append(out.Backups, b)
		case app != "" || ctx.Err() != nil:
			return out, err
		default:
			out.Problem = append(out.Problem, o.Name+": "+err.Error())
		}
	}
	return out, nil
}

func (n *node) backupList(app string) (backupListOut, error) {
	out := backupListOut{Backups: []backupView{}, Aside: []asideView{}, Problem: n.shelf.trouble()}
	if app != "" && !backupForm.MatchString(app+"/20060102T150405Z") {
		return out, fault.New(fault.Invalid, "%q is no name of an app", app)
	}
	list, err := n.shelf.list(app)
	if err != nil {
		return out, err
	}
	out.Backups = append(out.Backups, list...)
	if app != "" {
		return out, nil
	}
	aside, err := n.ground.Apps.Asides()
	for _, a := range aside {
		out.Aside = append(out.Aside, asideView{a.ID, a.Since, a.Since.Add(platform.AsideFor)})
	}
	return out, err
}

func (n *node) backupVerify(ctx context.Context, in backupVerifyIn) (backupVerifyOut, error) {
	if in.File.Body != nil {
		return n.tryRestore(ctx, in.File.Body, in.File.Size)
	}
	b, err := n.shelf.find(in.Backup)
	if err != nil {
		return backupVerifyOut{}, err
	}
	n.shelf.making.Lock()
	defer n.shelf.making.Unlock()
	out, b, err := n.prove(ctx, b)
	if err == nil && b.Problem != "" {
		err = fault.New(fault.Invalid, "%s: %s", b.ID, b.Problem).WithSubject(b.ID).WithHint("use another: fazt backup list %s", b.App)
	}
	return out, err
}

func (n *node) backupDownload(id string, w io.Writer) error {
	b, err := n.shelf.find(id)
	if err != nil {
		return err
	}
	f, err := os.Open(n.shelf.path(b.ID, backupEnding))
	if err != nil {
		return shelfFault(err)
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
