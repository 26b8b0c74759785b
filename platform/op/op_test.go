package op_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

func stringBody(s string) io.Reader { return strings.NewReader(s) }

func TestSampleObeysTheTable(t *testing.T) {
	if err := sample(nil).Check(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	type undocumented struct{ A string }
	type odd struct {
		A chan int `help:"x"`
	}
	type global struct {
		JSON bool `name:"json" help:"x"`
	}
	type value struct {
		All string `help:"all"`
	}
	type preset struct {
		N int `default:"many" help:"x"`
	}
	type late struct {
		A []string `arg:"" help:"x"`
		B string   `arg:"" help:"x"`
	}
	row := func(name string) op.Row {
		return op.Row{Name: name, Summary: "do it", Effect: op.Read, Needs: op.Observe}
	}
	for _, tc := range []struct {
		name, want string
		op         op.Op
	}{
		{"undocumented", "has no help", op.New[undocumented, int](row("x"), nil)},
		{"type", "no input can have", op.New[odd, int](row("x"), nil)},
		{"global", "place of a global flag", op.New[global, int](row("x"), nil)},
		{"arity", "takes a value in one row", op.New[value, int](row("x"), nil)},
		{"default", "wants a whole number", op.New[preset, int](row("x"), nil)},
		{"order", "can't come after", op.New[late, int](row("x"), nil)},
		{"not a struct", "not a struct", op.New[string, int](row("x"), nil)},
		{"name", "lower-case words", op.New[struct{}, int](row("X"), nil)},
		{"twice", "there twice", op.New[struct{}, int](row("code"), nil)},
		{"summary", "full stop", op.New[struct{}, int](op.Row{Name: "x", Summary: "Do it.", Effect: op.Read}, nil)},
		{"long", "72", op.New[struct{}, int](op.Row{Name: "x", Summary: strings.Repeat("a", 73), Effect: op.Read}, nil)},
		{"no permission", "needs a permission", op.New[struct{}, int](op.Row{Name: "x", Summary: "do it", Effect: op.Read}, nil)},
		{"unknown permission", "no permission", op.New[struct{}, int](op.Row{Name: "x", Summary: "do it", Effect: op.Read, Needs: "root"}, nil)},
		{"effect", "effect is", op.New[struct{}, int](op.Row{Name: "x", Summary: "do it"}, nil)},
		{"destroy", "Confirm", op.New[struct{}, int](op.Row{Name: "x", Summary: "do it", Effect: op.Destroy}, nil)},
		{"example", "example", op.New[struct{}, int](op.Row{Name: "x", Summary: "do it", Effect: op.Read, Needs: op.Observe, Examples: []op.Example{{Command: "x y"}}}, nil)},
		{"foreign example", "not of this", op.New[struct{}, int](op.Row{Name: "x", Summary: "do it", Effect: op.Read, Needs: op.Observe, Examples: []op.Example{{Command: "code"}}}, nil)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := append(sample(nil), tc.op).Check()
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "cannot", "can't"), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// The seam the package exists for: whatever way a call takes, its bytes are the
// same.
func TestTransportsGiveTheSameBytes(t *testing.T) {
	table := sample(nil)
	h := op.NewHandler(table, op.HandlerConfig{Version: "0.3.1", Log: quiet()})
	folder := op.Tree{Name: "here", FS: fstest.MapFS{"a/b.txt": {Data: []byte("<b>")}, "c": {Data: nil}}}
	for _, tc := range []struct {
		name string
		op   op.Op
		in   any
	}{
		{"value", find(t, table, "app", "list"), listIn{App: "notes", Limit: 3, Format: "md", Var: map[string]string{"a": "<b>"}}},
		{"error", find(t, table, "fail"), failIn{How: "coded"}},
		{"diagnostics", find(t, table, "fail"), failIn{How: "places"}},
		{"exit", find(t, table, "code"), codeIn{Changes: 1}},
		{"stream", find(t, table, "app", "logs"), logsIn{App: "notes"}},
		{"failing stream", find(t, table, "app", "logs"), logsIn{Fail: "exit"}},
		{"folder", find(t, table, "apply"), treeIn{Dir: folder, Key: op.File{Name: "k", Bytes: []byte("key")}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			type seen struct{ out, err, textOut, textErr string }
			got := map[string]seen{}
			exits := map[string]int{}
			for name, c := range transports(t, h) {
				var s seen
				exits[name], s.out, s.err = render(t, c, op.Call{Op: tc.op, In: tc.in, Globals: op.Globals{JSON: true}})
				_, s.textOut, s.textErr = render(t, c, op.Call{Op: tc.op, In: tc.in})
				got[name] = s
			}
			want := got["pipe"]
			if want.out == "" || want.err != "" {
				t.Fatalf("--json printed %q, and %q beside it", want.out, want.err)
			}
			for name, s := range got {
				if s != want || exits[name] != exits["pipe"] {
					t.Errorf("%s differs:\n%+v %d\npipe:\n%+v %d", name, s, exits[name], want, exits["pipe"])
				}
			}
		})
	}
}

func render(t *testing.T, c *op.Client, call op.Call) (exit int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	o := op.Output{Stdout: &out, Stderr: &err, Getenv: func(string) string { return "" },
		Diagnostics: func(w io.Writer, raw []byte, _ bool) { _, _ = w.Write(append(raw, '\n')) }}
	reply, callErr := c.Call(t.Context(), call.Op, call.In)
	if callErr != nil {
		exit = op.RenderError(call, callErr, o)
	} else {
		exit = op.Render(call, reply, o)
	}
	return exit, out.String(), err.String()
}

func TestFailuresKeepTheirMeaningOverTheWire(t *testing.T) {
	table := sample(nil)
	c := &op.Client{HTTP: op.Pipe(op.NewHandler(table, op.HandlerConfig{
		Docs: func(code string) string { return "fazt explain " + code },
	}))}
	o := find(t, table, "fail")
	reply, err := c.Call(t.Context(), o, failIn{How: "coded"})
	if err != nil {
		t.Fatal(err)
	}
	got := reply.Err()
	if fault.KindOf(got) != fault.Conflict || fault.HintOf(got) != "wait" || op.ExitOf(got) != 5 || reply.Exit != 5 {
		t.Errorf("kind %s, hint %q, exit %d", fault.KindOf(got), fault.HintOf(got), op.ExitOf(got))
	}
	exit, stdout, stderr := render(t, c, op.Call{Op: o, In: failIn{How: "coded"}})
	want := "fazt: the lock is held (F2201)\nhint: wait\nmore: fazt explain F2201\n"
	if exit != 5 || stdout != "" || stderr != want {
		t.Errorf("exit %d, stdout %q, stderr %q", exit, stdout, stderr)
	}
	if exit, _, _ = render(t, c, op.Call{Op: o, In: failIn{How: "exit"}}); exit != 9 {
		t.Errorf("an error's own exit code became %d", exit)
	}
	_, _, stderr = render(t, c, op.Call{Op: o, In: failIn{How: "places"}})
	if !strings.HasPrefix(stderr, `[{"summary":"unknown argument <x>"}]`) {
		t.Errorf("diagnostics were not shown: %q", stderr)
	}
}

// What nobody foresaw may hold anything: callers get a number, the log the rest.
func TestInternalErrorsAreNotTold(t *testing.T) {
	for _, how := range []string{"internal", "panic"} {
		var log bytes.Buffer
		h := op.NewHandler(sample(nil), op.HandlerConfig{Log: jsonLog(&log)})
		body := text(t, post(t, h, "/v1/fail", `{"how":"`+how+`"}`).Body)
		var f op.Failure
		if err := json.Unmarshal([]byte(body), &f); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(body, "shadow") || f.Error.Message != "internal error" || f.Error.Ref == "" || f.Error.Exit != 1 {
			t.Errorf("%s: told %s", how, body)
		}
		if !strings.Contains(log.String(), f.Error.Ref) || !strings.Contains(log.String(), "shadow") {
			t.Errorf("%s: logged %s", how, log.String())
		}
		h = op.NewHandler(sample(nil), op.HandlerConfig{Reveal: true})
		if body := text(t, post(t, h, "/v1/fail", `{"how":"`+how+`"}`).Body); !strings.Contains(body, "shadow") {
			t.Errorf("%s: a pipe hides its own process's error: %s", how, body)
		}
	}
}

func TestStreamPanicEndsWithAResult(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{Log: quiet()})
	lines := strings.Split(strings.TrimSpace(text(t, post(t, h, "/v1/app/logs", `{"fail":"panic"}`).Body)), "\n")
	if len(lines) != 5 || !strings.Contains(lines[4], `{"type":"result","ok":false,"exit":1,`) {
		t.Errorf("got %q", lines)
	}
}

func TestExitTravelsAsAHeader(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{})
	for body, want := range map[string]string{`{"changes":3}`: "2", `{}`: ""} {
		r := post(t, h, "/v1/code", body)
		if r.StatusCode != 200 || r.Header.Get("Fazt-Exit") != want {
			t.Errorf("%s: %d, Fazt-Exit %q", body, r.StatusCode, r.Header.Get("Fazt-Exit"))
		}
	}
}

func TestVersionSkewIsNamed(t *testing.T) {
	old := op.NewHandler(sample(nil), op.HandlerConfig{Version: "0.3.1"})
	c := &op.Client{HTTP: op.Pipe(old), Peer: "prod"}
	pause := op.New[struct{}, struct{}](op.Row{Name: "app pause", Since: "0.4.0"}, nil)
	_, err := c.Call(t.Context(), pause, struct{}{})
	const want = `prod runs v0.3.1, which has no "app pause" (added in v0.4.0)`
	if err == nil || err.Error() != want || fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestUnreachableNodeIsNamed(t *testing.T) {
	c := &op.Client{BaseURL: "http://127.0.0.1:1", Peer: "prod"}
	o := find(t, sample(nil), "code")
	exit, stdout, stderr := render(t, c, op.Call{Op: o, In: codeIn{}})
	if exit != 7 || stdout != "" || !strings.HasPrefix(stderr, "fazt: prod (http://127.0.0.1:1) does not answer: ") {
		t.Errorf("exit %d, %q, %q", exit, stdout, stderr)
	}
	exit, stdout, stderr = render(t, c, op.Call{Op: o, In: codeIn{}, Globals: op.Globals{JSON: true}})
	var f op.Failure
	if err := json.Unmarshal([]byte(stdout), &f); err != nil || exit != 7 || f.Error.Exit != 7 || stderr != "" {
		t.Errorf("--json: exit %d, %q, %q", exit, stdout, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Call(ctx, o, codeIn{})
	if got := op.RenderError(op.Call{}, err, op.Output{Stdout: io.Discard, Stderr: io.Discard}); got != 130 {
		t.Errorf("an interrupted call exits with %d", got)
	}
}

func TestCurlMasksTheToken(t *testing.T) {
	c := &op.Client{BaseURL: "https://fazt.example.com/", Token: "sesame"}
	line, err := c.Curl(find(t, sample(nil), "app", "list"), listIn{App: "it's", Limit: 20, Format: "text", Ratio: 0.5})
	const want = `curl -sS https://fazt.example.com/v1/app/list -H "Authorization: Bearer $FAZT_TOKEN" ` +
		`-H 'Content-Type: application/json' -d '{"app":"it'\''s"}'`
	if err != nil || line != want {
		t.Errorf("got  %s\nwant %s (%v)", line, want, err)
	}
	c = &op.Client{Socket: "/run/fazt.sock"}
	line, err = c.Curl(find(t, sample(nil), "apply"), treeIn{Dir: op.Tree{Name: "site"}})
	const form = `tar -C site --exclude=.git -cf dir.tar . && curl -sS --unix-socket /run/fazt.sock http://fazt/v1/apply ` +
		`-F 'in={"dir":"site"};type=application/json' -F dir=@dir.tar`
	if err != nil || line != form {
		t.Errorf("got  %s\nwant %s (%v)", line, form, err)
	}
}
