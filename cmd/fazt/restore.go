package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

type restoreIn struct {
	Backup  string    `arg:"" help:"a backup of the node, notes/latest for the newest, data that was set aside, or a file here whose name ends in .fazt" json:"backup"`
	File    op.Upload `kong:"-" help:"the file, where it is the caller's" json:"file"`
	App     string    `object:"" placeholder:"APP" help:"the app it came from, which goes on with this data" json:"app"`
	As      string    `placeholder:"NEW" help:"put it beside, as an app of this name that no block declares" json:"as"`
	Confirm string    `json:"confirm"`
}

// Spares reports whether nothing is replaced.
func (in restoreIn) Spares() bool { return in.As != "" || in.App == "" }

type restoreOut struct {
	App    string    `json:"app"`
	Time   time.Time `json:"time,omitzero"`    // of what is there again
	Data   string    `json:"data"`             // names its folder
	Before string    `json:"before,omitempty"` // names the data that was set aside
	Until  time.Time `json:"until,omitzero"`   // until then it can be brought back
	URL    string    `json:"url,omitempty"`    // of a new app
	Buried int       `json:"buried,omitempty"` // its jobs that waited, and do not run by themselves
}

// WriteText says what is in service, and how to undo it.
func (o restoreOut) WriteText(w *op.Screen) error {
	what := "the data " + o.Data
	if !o.Time.IsZero() {
		what = "the data of " + o.Time.Format("2006-01-02 15:04:05")
	}
	w.Printf("%s has %s\n", o.App, what)
	if o.URL != "" {
		w.Printf("%s, in no block; to keep it: fazt import %s\n", o.URL, o.App)
	}
	if o.Buried > 0 {
		w.Printf("jobs that waited lie still (%d): fazt queue retry %s QUEUE\n", o.Buried, o.App)
	}
	if o.Before != "" {
		w.Printf("what it had is set aside until %s; back to that: fazt restore %s --app %s --confirm %s\n", o.Until.Format(time.DateOnly), o.Before, o.App, o.App)
	}
	return nil
}

func restoreOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "restore", Group: groupData, Summary: "give an app the data of a backup, or put that beside it", Effect: op.Destroy, Needs: op.DataWrite, Since: "0.4.0",
			Detail: "The backup is checked and unpacked first; then the app goes on with it between two requests. What the app kept until then is set aside for 30 days. " +
				"A backup that is not whole changes nothing. With --as the backup becomes an app of its own, with the release it had, at NEW.<domain>; its schedules do not run, and jobs that waited lie still.",
			Examples: []op.Example{
				{Command: "restore notes/20261123T100000Z --app notes --confirm notes"},
				{Command: "@prod restore notes.fazt --as notes-monday", Note: "a file here, beside the app"},
			},
			Exits: map[int]string{3: "it is not whole", 5: "it is not confirmed, of another app, or would get a secret that the configuration does not give it", 6: "there is no such backup or app", 8: "the disk is too full"},
		}, on(n, func(ctx context.Context, n *node, in restoreIn) (restoreOut, error) { return n.restoreData(ctx, in) })),
	}
}

func (n *node) restoreData(ctx context.Context, in restoreIn) (restoreOut, error) {
	if (in.App == "") == (in.As == "") {
		return restoreOut{}, fault.New(fault.Invalid, "a restore is of an app, or beside it").WithHint("add --app NAME --confirm NAME, or --as NEW")
	}
	if in.File.Body == nil && !strings.Contains(in.Backup, "/") {
		return n.bringBack(ctx, in)
	}
	u, err := n.fetch(ctx, in.Backup, in.File)
	if err != nil {
		return restoreOut{}, err
	}
	defer u.Close()
	if in.As != "" {
		return n.putBeside(ctx, u, in.As, true)
	}
	return n.swap(ctx, u, in.App)
}

// fetch unpacks a backup of the node, or a caller's file.
func (n *node) fetch(ctx context.Context, id string, file op.Upload) (*unpacked, error) {
	if file.Body != nil {
		return n.unpack(ctx, file.Body, file.Size, true)
	}
	b, err := n.shelf.find(id)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(n.shelf.path(b.ID, backupEnding))
	if err != nil {
		return nil, shelfFault(err)
	}
	defer f.Close()
	u, err := n.unpack(ctx, io.Reader(f), b.Size, true)
	if err != nil {
		return nil, err
	}
	u.own = true
	return u, nil
}

// swap gives an app in service the data of an archive of its own.
func (n *node) swap(ctx context.Context, u *unpacked, app string) (restoreOut, error) {
	o, err := n.keeper(ctx, app)
	switch {
	case err != nil:
		return restoreOut{}, err
	case u.object.Addr != o.Addr && u.object.Data != o.Data:
		return restoreOut{}, fault.New(fault.Conflict, "the backup is of %s, not of %s", u.head.App, app).WithSubject(app).WithHint("put it beside: --as NEW")
	case u.data() == "":
		return restoreOut{}, fault.New(fault.Conflict, "the backup has no data").WithSubject(app)
	}
	id := freshData(o.Name)
	data, err := n.ground.Apps.Restore(ctx, u.data(), id, storage.Settings{})
	if err != nil {
		return restoreOut{}, err
	}
	failpoint.Reached("restore.unpacked")
	out, err := n.serveData(ctx, o, data, restoreOut{App: o.Name, Time: u.head.Time, Data: id}, "the backup of "+u.head.Time.Format("2006-01-02 15:04:05"))
	if err != nil {
		n.discard(ctx, id)
	}
	return out, err
}

// discard deletes data that did not come into service. What did is in use.
func (n *node) discard(ctx context.Context, id string) {
	if err := n.ground.Apps.Remove(context.WithoutCancel(ctx), id); err != nil {
		n.cfg.log.Warn("data of a restore that came to nothing stays for now", "data", id, "error", err)
	}
}

// keeper is an app that keeps data: in service, or as the record has it where its data
// is what keeps it out.
func (n *node) keeper(ctx context.Context, app string) (spec.Object, error) {
	addr, err := n.addrOf(ctx, app)
	if err != nil {
		return spec.Object{}, err
	}
	o, served, err := n.observe(ctx, addr)
	switch {
	case err != nil:
		return o, err
	case !served:
		if o, lost := n.lostKeeper(ctx, addr); lost {
			return o, nil
		}
		return o, fault.New(fault.Conflict, "%s is not in service", app).WithSubject(app).WithHint("fazt trash restore %s, or put the backup beside: --as NEW", app)
	case o.Data == "":
		return o, fault.New(fault.Conflict, "%s keeps nothing", app).WithSubject(app)
	}
	return o, nil
}

// lostKeeper is an app that the node has on record, and could not serve at its start.
func (n *node) lostKeeper(ctx context.Context, addr spec.Addr) (o spec.Object, lost bool) {
	if !slices.Contains(n.loop.Status().Lost, addr) {
		return o, false
	}
	_, rows, err := n.ground.Releases.Current(ctx)
	if i := slices.IndexFunc(rows, func(r release.Object) bool { return r.Addr == string(addr) }); err == nil && i >= 0 {
		o, err = recorded(rows[i])
	}
	return o, err == nil && o.Data != ""
}

// serveData has an app go on with other data, which is open until that is settled.
// Where it does not come to that, nothing has changed.
func (n *node) serveData(ctx context.Context, o spec.Object, data *storage.App, out restoreOut, reason string) (restoreOut, error) {
	defer data.Close()
	a := reconcile.Adjustment{Data: map[spec.Addr]string{o.Addr: data.ID()}, Reason: reason, Actor: op.ActorFrom(ctx), Trigger: "restore"}
	if _, served, err := n.observe(ctx, o.Addr); err != nil || !served {
		a.Put = []spec.Object{o}
	}
	if _, err := n.adjust(ctx, a); err != nil {
		return restoreOut{}, err
	}
	if there, err := n.ground.Apps.List(); err == nil && slices.Contains(there, o.Data) {
		out.Before, out.Until = o.Data, n.ground.Clock.Now().UTC().Add(platform.AsideFor)
		n.setAside(context.WithoutCancel(ctx), o.Data)
	}
	return out, nil
}

// setAside sets data aside at once that came out of service, unless some record may
// still know whose it is.
func (n *node) setAside(ctx context.Context, id string) {
	if ids, err := n.ground.Ownerless(ctx, dataOf); err == nil && slices.Contains(ids, id) {
		n.ground.SetAside(ctx, id)
	}
}

// bringBack gives an app data that it, or somebody, had before.
func (n *node) bringBack(ctx context.Context, in restoreIn) (restoreOut, error) {
	if in.As != "" {
		return restoreOut{}, fault.New(fault.Invalid, "%q is data without an app", in.Backup).WithHint("a backup has both: fazt backup list")
	}
	o, err := n.keeper(ctx, in.App)
	if err != nil {
		return restoreOut{}, err
	}
	data, err := n.ownerless(ctx, in.Backup)
	if err != nil {
		return restoreOut{}, err
	}
	out, err := n.serveData(ctx, o, data, restoreOut{App: o.Name, Data: in.Backup}, "the data "+in.Backup)
	if err != nil {
		n.setAside(context.WithoutCancel(ctx), in.Backup) // as it was
	}
	return out, err
}

// ownerless opens data that no app has, wherever it is by now.
func (n *node) ownerless(ctx context.Context, id string) (*storage.App, error) {
	owner := ""
	objects, err := n.edge.Observe(ctx)
	if err != nil {
		return nil, err
	}
	trash, err := n.ground.Releases.Trash(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range trash {
		if o, err := objectOf(p.Object); err == nil {
			objects = append(objects, o)
		}
	}
	for _, o := range objects {
		if o.Data == id && id != "" {
			owner = o.Name
		}
	}
	if owner != "" {
		return nil, fault.New(fault.Conflict, "%q is what %s keeps", id, owner).WithSubject(id)
	}
	ids, err := n.ground.Apps.List()
	if err != nil {
		return nil, err
	}
	for _, there := range ids {
		if there == id {
			return n.ground.Apps.Open(ctx, id, storage.Settings{})
		}
	}
	data, err := n.ground.Apps.Return(ctx, id, storage.Settings{})
	if fault.KindOf(err) == fault.NotFound {
		err = fault.New(fault.NotFound, "there is no backup %q, and no data of that name", id).WithSubject(id).WithHint("fazt backup list; a file's name ends in %s", backupEnding)
	}
	return data, err
}

// putBeside makes an app of an archive that no block declares. As a mere copy it must
// not do what the first one does: its schedules do not run, and its jobs wait for
// somebody's word.
func (n *node) putBeside(ctx context.Context, u *unpacked, name string, copied bool) (out restoreOut, err error) {
	var without []string
	if copied {
		without = []string{"cron"}
	}
	o, err := n.objectAs(ctx, u, name, without)
	if err != nil {
		return out, err
	}
	if err := n.entitled(ctx, u); err != nil {
		return out, err
	}
	defer n.ground.Blobs.Hold()() // nothing refers to what it brings until it is recorded
	if err := n.takeBlobs(ctx, u); err != nil {
		return out, err
	}
	a := reconcile.Adjustment{
		Put: []spec.Object{o}, Reason: "of " + u.head.App + ", " + u.head.Time.Format("2006-01-02 15:04:05"), Actor: op.ActorFrom(ctx), Trigger: "restore",
	}
	out = restoreOut{App: name, Time: u.head.Time}
	served := false
	if u.data() != "" {
		data, err := n.ground.Apps.Restore(ctx, u.data(), freshData(name), storage.Settings{})
		if err != nil {
			return out, err
		}
		defer func() {
			data.Close()
			if !served {
				n.discard(ctx, data.ID())
			}
		}()
		if copied {
			if out.Buried, err = queue.Bury(ctx, data.DB(), "it waited when the backup was made"); err != nil {
				return out, err
			}
		}
		out.Data = data.ID()
		a.Data = map[spec.Addr]string{o.Addr: out.Data}
	}
	failpoint.Reached("restore.unpacked")
	if _, err := n.adjust(ctx, a); err != nil {
		return out, err
	}
	served = true
	v, _, err := n.app(ctx, name)
	out.URL = v.URL
	return out, err
}

// objectAs is the app of an archive under a name that nobody has.
func (n *node) objectAs(ctx context.Context, u *unpacked, name string, without []string) (spec.Object, error) {
	domain, err := n.domain(ctx)
	if err != nil {
		return spec.Object{}, err
	}
	if domain == "" {
		domain = "localhost" // as the language has it
	}
	o, err := u.object.As(name, name+"."+domain, without...)
	if err != nil {
		return o, fault.Wrap(fault.Invalid, err, "--as %q", name)
	}
	if _, err := n.addrOf(ctx, name); fault.KindOf(err) != fault.NotFound {
		return o, fault.New(fault.Conflict, "there is an app %q already", name).WithSubject(name).WithHint("choose another name; one in the trash counts, too")
	}
	o.Unmanaged = true
	return o, nil
}

// freshData names data that nobody ever had.
func freshData(app string) string {
	b := make([]byte, 4)
	rand.Read(b)
	return app + "-r" + hex.EncodeToString(b)
}
