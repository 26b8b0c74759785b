package edge

import (
	"cmp"
	"context"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/egress"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// backend is what an app that runs code stands on: its program, its data, and what
// it may reach. It belongs to one release and is closed when no snapshot has that.
type backend struct {
	app     spec.App
	name    string
	program *script.App
	store   *storage.App // nil where it keeps nothing
	jobs    *queue.Store // nil where it has neither queues nor schedules
	reach   *egress.Client
	binding *binding.App
	veil    *secret.Veil // before the secrets that the code was given

	closeJobs func()
}

// openBackend opens all of it. What fails is the app's own fault.
func (p *passing) openBackend(ctx context.Context, c *candidate, made *site) (_ *backend, err error) {
	s, b := p.server, &backend{app: c.app, name: c.object.Name}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if err = b.openStore(ctx, s, *c.object); err != nil {
		return nil, err
	}
	if err = p.migrate(ctx, b, *c.object); err != nil {
		return nil, err
	}
	if err = b.bind(ctx, s, made, p.secrets); err != nil {
		return nil, err
	}
	if err = b.openProgram(ctx, s, made); err != nil {
		return nil, p.mistakes(*c.object, c.app).started(err)
	}
	return b, nil
}

// migrate brings the app's tables to what its new release needs, while the old one
// goes on with them: they are only added to, unless their author says otherwise. A
// release that the node remembers was migrated when it was made; only the data of a
// backup may be older than it.
func (p *passing) migrate(ctx context.Context, b *backend, object spec.Object) error {
	if b.app.SQL == nil || b.app.SQL.Migrations == "" || p.desired.Folder == nil {
		return nil
	}
	tables := b.store.SQL(b.app.SQL.Name)
	lacks := ""
	if p.desired.Verify {
		applied, err := tables.Applied(ctx)
		if lacks = missing(object.Content.Sources, b.app.SQL.Migrations, applied); err != nil || lacks == "" {
			return err
		}
	}
	folder, err := p.desired.Folder(object)
	if err != nil && lacks != "" {
		return fault.Wrap(fault.Conflict, err, "the data is older than the release of %q: it lacks %s", object.Addr, lacks).
			WithHint("restore it beside, as another app: --as NAME")
	}
	if err != nil {
		return err
	}
	files, err := fs.Sub(folder, b.app.SQL.Migrations)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "migrations of %q", object.Addr)
	}
	done, err := tables.Migrate(ctx, files)
	for _, m := range done {
		p.server.log.Info("migrated", "component", "edge", "app", object.Addr, "migration", m.Name)
	}
	if err != nil {
		return p.mistakes(object, b.app).migrated(err)
	}
	return nil
}

// missing is the first migration of a release that was not applied, empty if all
// were.
func missing(sources []spec.File, dir string, applied []string) string {
	for _, f := range sources {
		name, of := strings.CutPrefix(f.Path, strings.TrimSuffix(dir, "/")+"/")
		if of && strings.HasSuffix(name, ".sql") && !strings.Contains(name, "/") && !slices.Contains(applied, name) {
			return name
		}
	}
	return ""
}

// openProgram has the code run once, as every machine of the release does.
func (b *backend) openProgram(ctx context.Context, s *Server, made *site) (err error) {
	program := made.content.Program
	p := script.Program{Name: b.name, Digest: program.Code}
	if p.Code, err = s.readBlob(program.Code); err != nil {
		return err
	}
	if p.Map, err = s.readBlob(program.Map); err != nil {
		return err
	}
	r := b.app.Runtime.Filled()
	b.program, err = s.config.Scripts.Open(ctx, p, script.Bounds{
		Memory: r.Memory, CPU: millis(r.CPUMS), Wall: millis(r.WallMS), Fresh: r.Fresh, Own: r.Isolation == spec.IsolationOwn,
		Body: made.policy.Body, Trace: s.config.Dev,
	})
	if err != nil {
		return err
	}
	return b.handled()
}

// handled refuses a program that lacks a handler which the configuration calls.
func (b *backend) handled() error {
	for _, need := range []struct {
		handler string
		why     string
		needed  bool
	}{
		{"fetch", "the app has routes", len(b.app.Runtime.Routes) > 0},
		{"queue", "the app has a queue", len(b.app.Queues) > 0},
		{"scheduled", "the app has a cron block", len(b.app.Cron) > 0},
	} {
		if need.needed && !slices.Contains(b.program.Handlers(), need.handler) {
			return fault.New(fault.Invalid, "%s has no %s handler, and %s", b.app.Runtime.Entry, need.handler, need.why).
				WithHint("export default { async %s(…) { … } }, or take the block away", need.handler)
		}
	}
	return nil
}

// answers tells whether the code takes requests. Where it does not, the app is files
// with jobs.
func (b *backend) answers() bool { return slices.Contains(b.program.Handlers(), "fetch") }

// openStore opens the app's folder, and what jobs are kept in.
func (b *backend) openStore(ctx context.Context, s *Server, object spec.Object) (err error) {
	if object.Data == "" {
		return nil
	}
	if b.store, err = s.config.Storage.Open(ctx, object.Data, storageSettings(b.app)); err != nil {
		return err
	}
	if len(b.app.Queues)+len(b.app.Cron) == 0 {
		return nil
	}
	if b.jobs, err = s.openJobs(ctx, object.Data, b.store, b.app); err == nil {
		b.closeJobs = func() { s.closeJobs(object.Data) }
	}
	return err
}

// storageSettings is what an app asks of its storage.
func storageSettings(app spec.App) storage.Settings {
	var settings storage.Settings
	if app.SQL != nil && app.SQL.Filled().Durability == spec.DurabilityNormal {
		settings.Durability = sqlite.Normal
	}
	if app.Limits != nil {
		settings.Storage = app.Limits.Storage
	}
	return settings
}

// close lets go of what was opened.
func (b *backend) close() {
	if b.program != nil {
		b.program.Close()
	}
	if b.reach != nil {
		b.reach.Close()
	}
	if b.closeJobs != nil {
		b.closeJobs()
	}
	if b.store != nil {
		b.store.Close()
	}
}

// handler answers requests by the app's code.
func (b *backend) handler(s *Server, made *site) *function.Handler {
	return function.New(function.Options{
		Program: b.program, App: b.name, Release: made.revision[0], Log: s.log, Dev: s.development(made),
		Bind:    func(ctx context.Context, info script.Info) script.Bindings { return b.binding.For(ctx, info) },
		Visitor: s.visitorOf,
	})
}

// development is what developers see of an app's code beside its answers, nil where
// there are none.
func (s *Server) development(made *site) *function.Dev {
	if !s.config.Dev {
		return nil
	}
	places := made.content.Program.Map
	return &function.Dev{Snippet: reloadSnippet(made.key), Excerpt: func(stack string) string {
		sourceMap, err := s.readBlob(places)
		if err != nil {
			return ""
		}
		return excerpt(sourceMap, stack)
	}}
}

// visitorOf is who asked, as the edge has found out.
func (s *Server) visitorOf(w http.ResponseWriter, r *http.Request) function.Visitor {
	v := function.Visitor{Scheme: "https", RequestID: newReference()}
	x, visitor := w.(*exchange)
	if !visitor {
		return v // another app of this node, or the node itself
	}
	v.Scheme = clientScheme(r, x.snap.trusted)
	if x.client.IsValid() {
		v.IP = x.client.String()
	}
	if view := s.recognise(x, r); view != nil {
		v.Person = &person{x.session, view, x.snap, s.config.Now()}
	}
	return v
}

// logLine keeps what an app said. It must not hold up who says it.
func (s *Server) logLine(app, release string, l script.Line) {
	line := applog.Line{Time: cmp.Or(l.Time, time.Now()).UTC(), Level: l.Level, Text: l.Text, Request: l.RequestID, Release: release}
	if s.config.Said != nil {
		s.config.Said(app, line)
	}
	if s.config.Logs == nil {
		return
	}
	if err := s.config.Logs.Write(app, line); err != nil {
		s.log.Warn("a line of an app is lost", "component", "edge", "app", app, "error", err)
	}
}
