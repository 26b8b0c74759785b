package op_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

func jsonLog(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }

func TestUnknownFieldsAreRefusedByName(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{})
	for body, want := range map[string]string{
		`{"limt":3}`:                             `"app list" takes no "limt"`,
		`{"Limit":3}`:                            `"app list" takes no "Limit"`,
		`{"limit":3,"limit":4}`:                  `"limit" is given twice`,
		`{"limit":"3"}`:                          `"limit" wants a whole number, not "3"`,
		`{"limit":null}`:                         `"limit" wants a whole number, not null`,
		`{"limit":1.5}`:                          `"limit" wants a whole number, not 1.5`,
		`{"port":70000}`:                         `"port" wants a whole number, not 70000`,
		`{"since":30}`:                           `"since" wants a duration as text, such as "30s", not 30`,
		`{"since":"soon"}`:                       `"since" wants a duration such as 30s, 5m or 7d, not "soon"`,
		`{"format":"xml"}`:                       `"format" wants text, md or json, not "xml"`,
		`{"label":"a"}`:                          `"label" wants a list of texts, not "a"`,
		`{"var":{"a":1}}`:                        `"var" wants an object of texts, not {"a":1}`,
		`{"limit":3} {}`:                         `goes on after its JSON object`,
		`[]`:                                     `not an object`,
		`{"limit":3`:                             `ends too early`,
		`{"limit"`:                               `ends too early`,
		`nonsense`:                               `not JSON`,
		strings.Repeat("[", 1e5):                 `not an object`,
		`{"var":` + strings.Repeat(`{"a":`, 1e5): `not JSON`,
	} {
		r := post(t, h, "/v1/app/list", body)
		var f op.Failure
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != 400 || f.Error.Exit != 3 || !strings.Contains(f.Error.Message, want) {
			t.Errorf("%.40s: %d %q, want %q", body, r.StatusCode, f.Error.Message, want)
		}
	}
	body := text(t, post(t, h, "/v1/app/list", `{"limt":3}`).Body)
	if !strings.Contains(body, `did you mean \"limit\"?`) {
		t.Errorf("no hint in %s", body)
	}
	if r := post(t, h, "/v1/app/remove", `{"confirm":"x"}`); r.StatusCode != 400 || !strings.Contains(text(t, r.Body), `needs \"app\"`) {
		t.Error("a missing field was not named")
	}
}

// GET binds its query exactly as the command line binds flags.
func TestQueryEqualsFlags(t *testing.T) {
	table := sample(nil)
	h := op.NewHandler(table, op.HandlerConfig{})
	for query, line := range map[string]string{
		"":                                   "",
		"app=notes":                          "notes",
		"app=--json":                         "-- --json",
		"limit=-5":                           "--limit=-5",
		"all":                                "-a",
		"all=false":                          "--all=false",
		"label=a,b&label=c":                  "--label a,b --label c",
		"var=a%3Db%3Dc&var=d%3D":             "--var a=b=c --var d=",
		"since=90s&format=md&ratio=0.25":     "--since 90s --format=md --ratio 0.25",
		"port=80&app=x&limit=1&limit=2&all=": "x --port 80 --limit 1 --limit 2 --all",
	} {
		call, err := op.Parse(table, append([]string{"app", "list"}, strings.Fields(line)...))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got, err := io.ReadAll(do(h, httptest.NewRequest(http.MethodGet, "/v1/app/list?"+query, nil)).Body)
		if err != nil {
			t.Fatal(err)
		}
		c := &op.Client{HTTP: op.Pipe(h)}
		reply, err := c.Call(t.Context(), call.Op, call.In)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, reply.Body) {
			t.Errorf("?%s gives %s\n%s gives %s", query, got, line, reply.Body)
		}
	}
	for query, want := range map[string]string{
		"limt=1": `takes no \"limt\"`, "limit=x": "wants a whole number", "limit": "wants a whole number",
		"format=xml": "wants text, md or json", "var=x": "NAME=VALUE", "all=perhaps": "bool",
	} {
		r := do(h, httptest.NewRequest(http.MethodGet, "/v1/app/list?"+query, nil))
		if body := text(t, r.Body); r.StatusCode != 400 || !strings.Contains(body, want) {
			t.Errorf("?%s: %d %s", query, r.StatusCode, body)
		}
	}
}

func TestMethodsAndPaths(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{Version: "0.1.0"})
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/v1/app/list", 200, ""},
		{"HEAD", "/v1/app/list", 200, ""},
		{"PUT", "/v1/app/list", 405, "POST, GET, HEAD, OPTIONS"},
		{"OPTIONS", "/v1/app/list", 204, "POST, GET, HEAD, OPTIONS"},
		{"GET", "/v1/app/remove", 405, "POST, OPTIONS"},
		{"GET", "/v1/apply", 405, "POST, OPTIONS"},
		{"GET", "/v1/", 200, ""},
		{"HEAD", "/v1/openapi.json", 200, ""},
		{"POST", "/v1/", 405, "GET, HEAD, OPTIONS"},
		{"GET", "/v1/app/list/", 404, ""},
		{"GET", "/v1/app", 404, ""},
		{"GET", "/v1/serve", 404, ""},
		{"GET", "/elsewhere", 404, ""},
	} {
		r := do(h, httptest.NewRequest(tc.method, tc.path, nil))
		body := text(t, r.Body)
		if r.StatusCode != tc.status || r.Header.Get("Allow") != tc.allow {
			t.Errorf("%s %s: %d, Allow %q", tc.method, tc.path, r.StatusCode, r.Header.Get("Allow"))
		}
		if r.StatusCode != 204 && r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s is %q", tc.method, tc.path, r.Header.Get("Content-Type"))
		}
		if r.StatusCode >= 400 && !json.Valid([]byte(body)) {
			t.Errorf("%s %s: %s", tc.method, tc.path, body)
		}
		if r.Header.Get("Fazt-Version") != "v0.1.0" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: headers %v", tc.method, tc.path, r.Header)
		}
	}
}

// Nobody may make somebody's browser change a node.
func TestRequestsOfOtherSitesAreRefused(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{})
	body := `{"app":"a","confirm":"a"}`
	for _, tc := range []struct {
		name   string
		set    []string
		status int
	}{
		{"a program", nil, 200},
		{"the same origin", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another origin in an old browser", []string{"Origin", "https://evil.example"}, 403},
		{"a plain form", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"text", []string{"Content-Type", "text/plain"}, 415},
		{"a file form for an operation without files", []string{"Content-Type", "multipart/form-data; boundary=x"}, 415},
	} {
		if r := post(t, h, "/v1/app/remove", body, tc.set...); r.StatusCode != tc.status {
			t.Errorf("%s: %d %s", tc.name, r.StatusCode, text(t, r.Body))
		}
	}
}

func TestDestroyingAsksForTheName(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{})
	for body, status := range map[string]int{
		`{"app":"notes","confirm":"notes"}`: 200,
		`{"app":"notes","confirm":"other"}`: 409,
		`{"app":"notes"}`:                   409,
		`{"app":"","confirm":""}`:           409,
	} {
		if r := post(t, h, "/v1/app/remove", body); r.StatusCode != status {
			t.Errorf("%s: %d", body, r.StatusCode)
		}
	}
	for line, want := range map[string]string{
		"app remove notes": "", "app remove notes --yes": "notes", "app remove notes --confirm=notes": "notes", "--confirm x app remove notes": "x",
	} {
		call, err := op.Parse(sample(nil), strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		if got := call.In.(removeIn).Confirm; got != want {
			t.Errorf("%s confirms %q", line, got)
		}
		if object, needed := call.NeedsConfirm(); object != "notes" || !needed {
			t.Errorf("%s would destroy %q (%v)", line, object, needed)
		}
	}
}

// untouched fails the test when somebody reads it.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body of a stranger was read")
	return 0, io.EOF
}

func TestStrangersAreTurnedAwayBeforeTheirBodyIsRead(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{
		Version: "7.8.9",
		Access: func(r *http.Request) (op.Caller, error) {
			if r.Header.Get("Authorization") == "" {
				return op.Caller{}, fault.New(fault.Unauthenticated, "no token")
			}
			return op.Caller{Actor: "token:ci", May: func(p op.Permission) error {
				if p != op.Observe {
					return fault.New(fault.Forbidden, "the token is not for %s", p)
				}
				return nil
			}}, nil
		},
	})
	for _, path := range []string{"/v1/app/list", "/v1/app/logs", "/v1/apply", "/v1/nothing", "/v1/"} {
		r := httptest.NewRequest(http.MethodPost, path, untouched{t})
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		got := do(h, r)
		if got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
		if body := text(t, got.Body); got.Header.Get("Fazt-Version") != "" || strings.Contains(body, "7.8.9") {
			t.Errorf("%s tells strangers its version: %v %s", path, got.Header, body)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/apply", untouched{t})
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.Header.Set("Authorization", "Bearer x")
	if got := do(h, r); got.StatusCode != 403 {
		t.Errorf("%d", got.StatusCode)
	}
	c := &op.Client{HTTP: op.Pipe(h), Token: "x"}
	reply, err := c.Call(t.Context(), find(t, sample(nil), "app", "list"), listIn{})
	if err != nil || !strings.Contains(string(reply.Body), `"actor":"token:ci"`) {
		t.Errorf("the actor is not told to the operation: %s %v", reply.Body, err)
	}
}

// An operation may ask what its caller may do besides running it: by the rights of
// who sent the request, and of nobody where nobody did.
func TestAnOperationAsksWhatItsCallerMay(t *testing.T) {
	may := func(ctx context.Context) string {
		return fmt.Sprintf("%v %v %v", op.May(ctx, op.Observe) == nil, op.May(ctx, op.Deploy) == nil, fault.KindOf(op.May(ctx, op.Deploy)))
	}
	row := op.Row{Name: "may", Summary: "say what one may", Effect: op.Read, Needs: op.Observe}
	rows := op.Table{op.New(row, func(ctx context.Context, _ struct{}) (string, error) { return may(ctx), nil })}
	h := op.NewHandler(rows, op.HandlerConfig{Access: func(*http.Request) (op.Caller, error) {
		return op.Caller{Actor: "token:ci", May: func(p op.Permission) error {
			if p != op.Observe {
				return fault.New(fault.Forbidden, "the token is not for %s", p)
			}
			return nil
		}}, nil
	}})
	if got := text(t, do(h, httptest.NewRequest(http.MethodGet, "/v1/may", nil)).Body); !strings.Contains(got, "true false forbidden") {
		t.Errorf("a token that may observe: %s", got)
	}
	if got := may(t.Context()); got != "false false forbidden" {
		t.Errorf("nobody: %s", got)
	}
	if got := may(op.WithActor(t.Context(), "health")); !strings.HasPrefix(got, "true true") {
		t.Errorf("the node itself: %s", got)
	}
}

// moveIn asks for changes, or only to see them.
type moveIn struct {
	App     string `arg:"" optional:"" json:"app" help:"which"`
	Changes int    `json:"changes" help:"how many"`
	Plan    bool   `json:"plan" help:"show them, change nothing"`
}

func (in moveIn) DryRun() bool { return in.Plan }

func (in moveIn) Note() string { return fmt.Sprint("by ", in.Changes) }

func TestAuditSeesWhatChanges(t *testing.T) {
	var got []string
	table := append(sample(nil), op.New(op.Row{Name: "app move", Summary: "move apps", Effect: op.Change},
		func(_ context.Context, in moveIn) (codeOut, error) { return codeOut{in.Changes}, nil }),
		op.New(op.Row{Name: "app peek", Summary: "look", Effect: op.Read, Audited: true},
			func(_ context.Context, in moveIn) (codeOut, error) { return codeOut{}, nil }))
	h := op.NewHandler(table, op.HandlerConfig{
		Access: func(*http.Request) (op.Caller, error) { return op.Caller{Actor: "local:1000"}, nil },
		Audit: func(_ context.Context, a op.Act) {
			got = append(got, fmt.Sprintf("%s %s %v %q %q %d %v", a.Actor, a.Row.Name, a.Read, a.Target, a.Note, a.Exit, a.Err))
		},
	})
	post(t, h, "/v1/app/list", `{}`)
	post(t, h, "/v1/app/remove", `{"app":"notes","confirm":"notes"}`)
	post(t, h, "/v1/app/remove", `{"app":"notes"}`)
	post(t, h, "/v1/fail", `{"how":"plain"}`)
	post(t, h, "/v1/app/move", `{"changes":3}`)
	post(t, h, "/v1/app/move", `{"changes":3,"plan":true}`)
	post(t, h, "/v1/app/peek", `{"app":"notes"}`)
	want := []string{
		`local:1000 app remove false "notes" "" 0 <nil>`,
		`local:1000 app remove false "notes" "" 0 "app remove" would destroy "notes" and is not confirmed`,
		`local:1000 fail false "plain" "" 0 the lock is held`,
		`local:1000 app move false "" "by 3" 2 <nil>`,
		`local:1000 app peek true "notes" "by 0" 0 <nil>`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLargeInputsAreRefused(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{Limits: op.Limits{JSON: 100}})
	r := post(t, h, "/v1/app/list", `{"app":"`+strings.Repeat("a", 200)+`"}`)
	var f op.Failure
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil || r.StatusCode != 413 || f.Error.Exit != 8 {
		t.Errorf("%d %+v %v", r.StatusCode, f, err)
	}
}

// A stream's items arrive one by one, not when it has ended; and once the caller
// has gone, the operation is told.
func TestStreamsFlowAndEndWithTheirCaller(t *testing.T) {
	next := make(chan struct{}, 1)
	table := sample(next)
	h := op.NewHandler(table, op.HandlerConfig{Log: quiet()})
	for name, c := range transports(t, h) {
		t.Run(name, func(t *testing.T) {
			reply, err := c.Call(t.Context(), find(t, table, "app", "logs"), logsIn{})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			next <- struct{}{}
			err = reply.Items(func(item json.RawMessage) error {
				if n++; n < 3 {
					next <- struct{}{} // the next item is made only after this one came
				}
				return nil
			})
			if err != nil || n != 3 || reply.Exit != 0 {
				t.Fatalf("%d items, exit %d, %v", n, reply.Exit, err)
			}
		})
	}
}

// The pipe needs no clock and no network of its own: a day passes in no time.
func TestPipeStreamsUnderAFakeClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := op.NewStream(op.Row{Name: "tick", Summary: "tick", Effect: op.Read},
			func(ctx context.Context, _ struct{}, emit func(int) error) error {
				for n := 0; ; n++ {
					if err := emit(n); err != nil {
						return err
					}
					select {
					case <-time.After(time.Hour):
					case <-ctx.Done():
						return ctx.Err()
					}
				}
			})
		c := &op.Client{HTTP: op.Pipe(op.NewHandler(op.Table{o}, op.HandlerConfig{Log: quiet()}))}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour+time.Minute)
		defer cancel()
		reply, err := c.Call(ctx, o, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = reply.Items(func(json.RawMessage) error { n++; return nil })
		if n != 25 || fault.KindOf(err) != fault.Unavailable || op.ExitOf(err) != 7 {
			t.Errorf("%d items, %v", n, err)
		}
	})
}

// A caller that is not waited for any more does not keep one that ignores it.
func TestPipeGivesUpOnADeafHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(200)
			<-release
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := (&op.Client{HTTP: op.Pipe(h)}).Call(ctx, find(t, sample(nil), "code"), codeIn{})
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%v", err)
		}
		close(release)
	})
}

func TestCutStreamIsAnError(t *testing.T) {
	cut := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = io.WriteString(w, `{"type":"version","schema":"1.0"}`+"\n"+`{"type":"item","item":{"n":1,"text":"a"}}`+"\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	o := find(t, sample(nil), "app", "logs")
	for name, c := range transports(t, cut) {
		exit, stdout, stderr := render(t, c, op.Call{Op: o, In: logsIn{}})
		if exit != 7 || stdout != "1 a\n" || !strings.Contains(stderr, "broke off") {
			t.Errorf("%s: exit %d, %q, %q", name, exit, stdout, stderr)
		}
		exit, stdout, stderr = render(t, c, op.Call{Op: o, In: logsIn{}, Globals: op.Globals{JSON: true}})
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		var last struct {
			Type string
			OK   bool
			Exit int
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || exit != 7 || last.Type != "result" || last.OK || last.Exit != 7 || stderr != "" {
			t.Errorf("%s --json: exit %d, %q, %q", name, exit, stdout, stderr)
		}
	}
}

func TestRefusedStreamStillEndsWithAResult(t *testing.T) {
	no := func(op.Permission) error { return fault.New(fault.Forbidden, "no") }
	h := op.NewHandler(sample(nil), op.HandlerConfig{Access: func(*http.Request) (op.Caller, error) { return op.Caller{May: no}, nil }})
	o := find(t, sample(nil), "app", "logs")
	exit, stdout, _ := render(t, &op.Client{HTTP: op.Pipe(h)}, op.Call{Op: o, In: logsIn{}, Globals: op.Globals{JSON: true}})
	const want = `{"type":"version","schema":"1.0"}` + "\n" +
		`{"type":"result","ok":false,"exit":4,"error":{"kind":"forbidden","message":"no","exit":4}}` + "\n"
	if exit != 4 || stdout != want {
		t.Errorf("exit %d\n%s", exit, stdout)
	}
}

func TestForeignServersAreNotBelieved(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a web page": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		},
		"an empty error": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(500)
		},
	} {
		c := &op.Client{HTTP: op.Pipe(h), Token: "t"}
		_, err := c.Call(t.Context(), find(t, sample(nil), "code"), codeIn{})
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPipeTellsAHandlersPanic(t *testing.T) {
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") })
	_, err := (&op.Client{HTTP: op.Pipe(h)}).Call(t.Context(), find(t, sample(nil), "code"), codeIn{})
	if err == nil || errors.Is(err, io.EOF) && fault.KindOf(err) == fault.Internal {
		t.Errorf("got %v", err)
	}
}

// What belongs to a machine is never served to others, even if its row got into a
// node's table.
func TestVerbsOfTheMachineAreServedOnlyHere(t *testing.T) {
	table := op.Table{op.New(op.Row{Name: "dev", Summary: "dev", Effect: op.Read, Local: true},
		func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })}
	for want, table := range map[int]op.Table{404: table, 200: table.Here()} {
		if r := post(t, op.NewHandler(table, op.HandlerConfig{}), "/v1/dev", `{}`); r.StatusCode != want {
			t.Errorf("%d, want %d", r.StatusCode, want)
		}
	}
}

// A row that was added without a permission is closed to all who may not everything.
func TestARowWithoutAPermissionIsClosed(t *testing.T) {
	rows := op.Table{
		op.New(op.Row{Name: "new", Summary: "new", Effect: op.Read}, func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }),
		op.New(op.Row{Name: "words", Summary: "words", Effect: op.Read, Offline: true}, func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }),
	}
	all := func(op.Permission) error { return nil }
	h := op.NewHandler(rows, op.HandlerConfig{Access: func(*http.Request) (op.Caller, error) { return op.Caller{May: all}, nil }})
	for path, want := range map[string]int{"/v1/new": http.StatusForbidden, "/v1/words": http.StatusOK} {
		if got := do(h, httptest.NewRequest(http.MethodGet, path, nil)); got.StatusCode != want {
			t.Errorf("%s: %d instead of %d", path, got.StatusCode, want)
		}
	}
}
