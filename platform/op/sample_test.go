package op_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// The sample table has a row for every way in and out.

type level string

type listIn struct {
	App    string            `arg:"" optional:"" json:"app" help:"only this app"`
	Limit  int               `default:"20" json:"limit" help:"how many at most"`
	All    bool              `short:"a" json:"all" help:"parked ones too"`
	Since  time.Duration     `json:"since" help:"not older than this"`
	Label  []string          `placeholder:"TEXT" json:"label" help:"only with this label; repeated"`
	Var    map[string]string `json:"var" help:"a variable's value; repeated"`
	Format level             `enum:"text,md,json" default:"text" json:"format" help:"form of the answer"`
	Ratio  float64           `default:"0.5" json:"ratio" help:"how much"`
	Port   uint16            `json:"port" help:"only on this port"`
}

type listOut struct {
	Actor string `json:"actor"`
	In    listIn `json:"in"`
}

func (o listOut) WriteText(s *op.Screen) error {
	return s.Table([]op.Column{{Name: "APP"}, {Name: "LIMIT", Right: true}, {Name: "FORMAT"}},
		[][]string{{o.In.App, "20", string(o.In.Format)}})
}

type removeIn struct {
	App     string `arg:"" json:"app" help:"the app to take away"`
	Confirm string `json:"confirm"`
}

type logsIn struct {
	App  string `arg:"" optional:"" json:"app" help:"only this app"`
	Fail string `json:"fail" help:"how the stream is to end"`
}

type logLine struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

func (l logLine) WriteText(s *op.Screen) error { return s.Printf("%d %s\n", l.N, l.Text) }

type treeIn struct {
	Dir  op.Tree `arg:"" optional:"" default:"." json:"dir" help:"the folder"`
	Key  op.File `json:"key" help:"a file beside it"`
	Note string  `json:"note" help:"what to say about it"`
}

type treeOut struct {
	Dir   string            `json:"dir"`
	Files map[string]string `json:"files"`
	Key   string            `json:"key"`
}

type codeOut struct {
	Changes int `json:"changes"`
}

func (o codeOut) Exit() int { return 2 * min(o.Changes, 1) }

type codeIn struct {
	Changes int `json:"changes" help:"how many"`
}

type failIn struct {
	How string `arg:"" enum:"plain,coded,places,panic,internal,exit" json:"how" help:"in which way"`
}

type placed struct{ error }

func (placed) Diagnostics() any { return []map[string]any{{"summary": "unknown argument <x>"}} }
func (p placed) Unwrap() error  { return p.error }

type rolledBack struct{ error }

func (rolledBack) Exit() int       { return 9 }
func (r rolledBack) Unwrap() error { return r.error }

// sample builds the table; streams wait for next between their items if it is not
// nil.
func sample(next <-chan struct{}) op.Table {
	return op.Table{
		op.New(op.Row{Name: "app list", Summary: "list the apps", Effect: op.Read, Needs: op.Observe, Since: "0.1.0",
			Examples: []op.Example{{Command: "app list --limit 5 --var a=b", Note: "the first five"}, {Command: `@prod app list 'my app'`}},
			Exits:    map[int]string{2: "there are changes"}},
			func(ctx context.Context, in listIn) (listOut, error) {
				return listOut{Actor: op.ActorFrom(ctx), In: in}, nil
			}),
		op.New(op.Row{Name: "app remove", Summary: "take an app away", Effect: op.Destroy, Needs: op.Deploy, Since: "0.1.0",
			Detail: "The app's data is parked for 30 days.\n\n  fazt import ADDR brings it back"},
			func(_ context.Context, in removeIn) (struct{}, error) { return struct{}{}, nil }),
		op.NewStream(op.Row{Name: "app logs", Summary: "follow what apps say", Effect: op.Read, Needs: op.Observe},
			func(ctx context.Context, in logsIn, emit func(logLine) error) error { return logs(ctx, in, emit, next) }),
		op.New(op.Row{Name: "apply", Summary: "apply a folder", Effect: op.Change, Needs: op.Deploy}, apply),
		op.New(op.Row{Name: "code", Summary: "end with a code", Effect: op.Read, Offline: true},
			func(_ context.Context, in codeIn) (codeOut, error) { return codeOut(in), nil }),
		op.New(op.Row{Name: "fail", Summary: "fail in some way", Effect: op.Change, Needs: op.Observe}, fail),
		op.New[struct{}, struct{}](op.Row{Name: "serve", Summary: "run the node", Effect: op.Change, Local: true}, nil),
	}
}

func logs(ctx context.Context, in logsIn, emit func(logLine) error, next <-chan struct{}) error {
	for n := range 3 {
		if next != nil {
			select {
			case <-next:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := emit(logLine{N: n, Text: "<said> " + in.App}); err != nil {
			return err
		}
	}
	switch in.Fail {
	case "exit":
		return rolledBack{fault.New(fault.Conflict, "rolled back")}
	case "panic":
		panic("over")
	}
	return nil
}

func apply(_ context.Context, in treeIn) (treeOut, error) {
	out := treeOut{Dir: in.Dir.Name, Files: map[string]string{}, Key: string(in.Key.Bytes)}
	if in.Dir.FS == nil {
		return out, errors.New("no folder")
	}
	err := fs.WalkDir(in.Dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := fs.ReadFile(in.Dir, name)
		out.Files[name] = string(text)
		return err
	})
	return out, err
}

func fail(_ context.Context, in failIn) (struct{}, error) {
	e := fault.New(fault.Conflict, "the lock is held").WithHint("wait").WithSubject("app.notes")
	switch in.How {
	case "coded":
		return struct{}{}, e.WithCode("F2201")
	case "places":
		return struct{}{}, placed{fault.New(fault.Invalid, "1 error")}
	case "exit":
		return struct{}{}, rolledBack{e}
	case "panic":
		panic("secret path /etc/shadow")
	case "internal":
		return struct{}{}, errors.New("secret path /etc/shadow")
	}
	return struct{}{}, e
}

func find(t testing.TB, table op.Table, words ...string) op.Op {
	t.Helper()
	o, ok := table.Find(words...)
	if !ok {
		t.Fatalf("the sample has no %q", words)
	}
	return o
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// transports returns the three ways to one handler.
func transports(t *testing.T, h http.Handler) map[string]*op.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	local := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = local.Serve(l) }()
	t.Cleanup(func() { _ = local.Close() })
	dial := func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return map[string]*op.Client{
		"pipe":   {HTTP: op.Pipe(h)},
		"socket": {HTTP: op.Socket(dial)},
		"http":   {BaseURL: server.URL, Token: "t0ken", Peer: "prod"},
	}
}

func post(t *testing.T, h http.Handler, path, body string, set ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, nil)
	if body != "" {
		r = httptest.NewRequest(http.MethodPost, path, stringBody(body))
		r.Header.Set("Content-Type", "application/json")
	}
	return do(h, r, set...)
}

func do(h http.Handler, r *http.Request, set ...string) *http.Response {
	for i := 0; i+1 < len(set); i += 2 {
		r.Header.Set(set[i], set[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
