package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/op"
)

func TestTable(t *testing.T) {
	if err := everything().Check(); err != nil {
		t.Error(err)
	}
	for _, o := range everything() {
		if o.Row().Group == "" || o.Row().Since == "" {
			t.Errorf("%q has no heading in help, or no version", o.Row().Name)
		}
	}
}

// A verb of this machine has no twin in the API and takes no peer, so each one
// needs a reason.
func TestLocalVerbs(t *testing.T) {
	reasons := map[string]string{
		"init":          "writes files where it is called",
		"dev":           "is a node",
		"test":          "is a node",
		"serve":         "is a node",
		"peer add":      "keeps this person's own peers",
		"peer list":     "keeps this person's own peers",
		"peer remove":   "keeps this person's own peers",
		"completion":    "speaks of this binary to this shell",
		"node init":     "makes a key in this machine's state folder",
		"secret set":    "takes a value that must not travel",
		"secret edit":   "shows a value, which must not travel",
		"secret rotate": "writes files where it is called",
		"secret rekey":  "opens secrets with this person's key",
		"secret list":   "opens secrets with this person's key",
		"secret check":  "opens secrets with this person's key",
		"secret key":    "makes this person's key",
	}
	for _, o := range everything() {
		name := o.Row().Name
		if _, pinned := reasons[name]; pinned != o.Row().Local {
			t.Errorf("%q is local: %v, and the list says %v", name, o.Row().Local, pinned)
		}
		delete(reasons, name)
	}
	for name := range reasons {
		t.Errorf("%q is pinned and no command", name)
	}
}

var scriptCommand = regexp.MustCompile(`(?:^|\s|'|\()fazt ([^'|)]*)`)

// Every row appears in at least one script.
func TestEveryRowHasAScript(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all, seen := everything(), map[string]bool{}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(src)) {
			for _, m := range scriptCommand.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
				if c, err := op.Parse(all, shellWords(m[1])); err == nil && c.Op.Valid() {
					seen[c.Op.Row().Name] = true
				}
			}
		}
	}
	for _, o := range all {
		if !seen[o.Row().Name] {
			t.Errorf("no script in testdata/script runs fazt %s", o.Row().Name)
		}
	}
}

// rig is a running node with one app, and this person's program beside it.
type rig struct {
	*node
	p            *program
	site         string
	stdout, talk bytes.Buffer
}

func newRig(t testing.TB, change ...func(*nodeConfig)) *rig {
	t.Helper()
	home, err := os.MkdirTemp("", "fazt-rig-*") // a short path for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	r := &rig{site: filepath.Join(home, "site")}
	env := map[string]string{
		"EDITOR": "true", "HOME": home, "FAZT_DATA_DIR": filepath.Join(home, "state"), "FAZT_NO_INPUT": "1", "NO_COLOR": "1", "COLUMNS": "80",
	}
	r.p = &program{stdin: strings.NewReader(""), stdout: &r.stdout, stderr: &r.talk, getenv: func(name string) string { return env[name] }, dir: home}
	writeFiles(t, r.site, map[string]string{
		"fazt.hcl": "app \"hello\" {\n  content = \"www\"\n  hosts   = [\"hello.localhost\"]\n}\n" +
			"app \"notes\" {\n  content = \"notes\"\n  runtime {\n    entry = \"main.js\"\n  }\n  kv \"K\" {}\n  docs \"PAGES\" {}\n" +
			"  blobs \"FILES\" {}\n  queue \"WORK\" {}\n  cron \"digest\" {\n    at = \"0 7 * * *\"\n  }\n}\n",
		"www/index.html": "<h1>Hello</h1>\n",
		"notes/main.js":  rigProgram,

		"notes/main.test.js": `import { test } from "fazt:test"; test("nothing", () => {})`,
	})
	cfg := nodeConfig{state: env["FAZT_DATA_DIR"], listen: []string{"127.0.0.1:0"}, control: "127.0.0.1:0", log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	if r.node, err = openNode(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	life := start(ctx, r.Run)
	t.Cleanup(func() {
		cancel()
		if err := life.stop(); err != nil {
			t.Error(err)
		}
		r.node.Close() // what Run did not give back yet
	})
	token, err := os.ReadFile(filepath.Join(env["FAZT_DATA_DIR"], "run", "token"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.p.peers().save([]peer{{Name: "node", URL: "http://" + r.control.Addr()}}, map[string]string{"node": strings.TrimSpace(string(token))}); err != nil {
		t.Fatal(err)
	}
	return r
}

// rigProgram keeps something of each kind when it is asked to.
const rigProgram = `export default {
  async fetch(request, env) {
    await env.K.put("greeting", "hello");
    await env.PAGES.collection("page").remove({ _id: "one" });
    await env.PAGES.collection("page").insert({ _id: "one", n: 1 });
    await env.FILES.put("file", "bytes");
    return new Response("kept");
  },
  async queue() {},
  async scheduled() {},
};
`

// fill applies the site, and has its app keep something that is backed up.
func (r *rig) fill(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"apply", r.site, "--yes"}, {"function", "call", "notes", "/"}, {"backup", "create", "notes"}} {
		if exit, out := r.fazt(args...); exit != 0 {
			t.Fatalf("fazt %v: %s%s", args, out, &r.talk)
		}
	}
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fazt runs one command line and returns its exit code and what it printed.
func (r *rig) fazt(args ...string) (int, string) {
	r.stdout.Reset()
	r.talk.Reset()
	exit := r.p.run(context.Background(), args)
	return exit, r.stdout.String()
}

// arguments are what to call a row with on a rig, where its name is not enough.
func (r *rig) arguments() map[string][]string {
	home := filepath.Dir(r.site)
	return map[string][]string{
		"init": {filepath.Join(home, "new")}, "dev": {r.site, "--once"}, "test": {r.site}, "serve": {"--check"},
		"validate": {r.site}, "fmt": {r.site}, "explain": {"F1203"}, "plan": {r.site}, "apply": {r.site, "--yes"},
		"history show": {"d-1"}, "app show": {"hello"}, "app logs": {"hello"}, "app open": {"hello"},
		"peer add": {"other", "http://127.0.0.1:1", "--no-check"}, "peer remove": {"other"},
		"rollback": {"--plan", "d-1"}, "pause": {"--reason", "test", "--app", "hello"}, "plan save": {r.site},
		"pin": {"1234567"}, "approve": {"1234567"}, "trash restore": {"hello"}, "trash purge": {"hello", "--confirm", "hello"},
		"import": {"hello"}, "forget": {"hello"}, "move": {"hello", "other"},
		"why": {"hello"}, "trace": {"hello"}, "access": {"hello"}, "role show": {"owner"}, "cert renew": {"hello.localhost"}, "domain check": {"hello.localhost"}, "doctor": {"--only", "disk"}, "diff": {"d-1", "live"},
		"secret set": {"stripe", r.site}, "secret edit": {"stripe", r.site}, "secret rotate": {"stripe", r.site}, "secret rekey": {r.site}, "secret list": {r.site}, "secret check": {r.site},
		"function call": {"notes", "/"}, "app usage": {"notes"}, "kv list": {"notes"}, "kv get": {"notes", "greeting"}, "kv put": {"notes", "key", "value"}, "kv delete": {"notes", "key"},
		"doc list": {"notes"}, "doc find": {"notes", "page"}, "doc get": {"notes", "page", "one"},
		"blob list": {"notes"}, "blob get": {"notes", "file"}, "blob put": {"notes", "other", filepath.Join(r.site, "fazt.hcl")}, "blob delete": {"notes", "other"},
		"queue list": {"notes"}, "queue peek": {"notes", "WORK"}, "queue retry": {"notes", "WORK"}, "queue purge": {"notes", "WORK", "--confirm", "notes"},
		"sql":       {"SELECT 1"},
		"cron list": {"notes"}, "cron run": {"notes", "digest"},
		"backup create": {"notes"}, "backup verify": {"notes/latest"}, "backup download": {"notes/latest"}, "backup remove": {"notes/20200101T000000Z", "--confirm", "notes/20200101T000000Z"},
		"restore": {"notes/latest", "--app", "notes", "--confirm", "notes"}, "app export": {"notes"}, "app import": {filepath.Join(r.site, "fazt.hcl")},
		"token approve": {"AAAA-AA", "--person", "ana@example.com"}, "token create": {"ci", "--person", "ana@example.com", "--scope", "plan"}, "token rotate": {"nothing"}, "token revoke": {"nothing"},
		"user show": {"ana@example.com"}, "user disable": {"bo@example.com"}, "user enable": {"bo@example.com"}, "user remove": {"bo@example.com", "--confirm", "bo@example.com"}, "user export": {"ana@example.com"},
		"session revoke": {"--person", "ana@example.com"}, "user invite": {"ana@example.com"}, "user uninvite": {"nothing"},
		"docs": {"first-site"}, "completion": {"bash"}, "help": {"app", "list"},
	}
}

// refused is what this rig cannot do, with the exit code that says so.
func refused() map[string]int {
	return map[string]int{"token approve": 6, "token rotate": 6, "token revoke": 6, "user show": 6, "user disable": 6, "user enable": 6, "user remove": 6, "user export": 6, "session revoke": 6, "user invite": 5, "user uninvite": 6, "backup remove": 6, "app import": 3, "sync": 5, "pin": 5, "approve": 5, "trash restore": 6, "trash purge": 6, "cert renew": 5, "secret set": 3, "secret edit": 6, "secret rotate": 6}
}

// --json prints one JSON document and nothing else, when a command works, when
// it fails and when nobody can answer.
func TestJSONOnEveryRow(t *testing.T) {
	r := newRig(t)
	for _, name := range append([]string{"apply", "function call"}, names(everything())...) {
		args := r.arguments()[name]
		words := strings.Fields(name)
		exit, out := r.fazt(slices.Concat(words, args, []string{"--json"})...)
		if exit != refused()[name] {
			t.Errorf("fazt %s %v: exit %d: %s %s", name, args, exit, out, &r.talk)
		}
		oneDocument(t, name, out, exit != 0)

		exit, out = r.fazt(append(words, "--no-such-flag", "--json")...)
		if exit != 64 {
			t.Errorf("fazt %s --no-such-flag: exit %d", name, exit)
		}
		oneDocument(t, name+" --no-such-flag", out, true)
		if r.talk.Len() > 0 {
			t.Errorf("fazt %s --no-such-flag --json talks: %s", name, &r.talk)
		}

		exit, out = r.fazt(slices.Concat(words, args, []string{"--json", "--state", filepath.Join(r.site, "none")})...)
		if row := rowOfName(name); !row.Offline && exit != 7 {
			t.Errorf("fazt %s without a node: exit %d", name, exit)
		}
		oneDocument(t, name+" without a node", out, exit != 0)
	}
}

func names(t op.Table) (list []string) {
	for _, o := range t {
		list = append(list, o.Row().Name)
	}
	return list
}

func rowOfName(name string) op.Row {
	o, _ := everything().Find(strings.Fields(name)...)
	return o.Row()
}

func oneDocument(t *testing.T, name, out string, failed bool) {
	t.Helper()
	if o, ok := everything().Find(strings.TrimSuffix(strings.Split(name, " --")[0], " without a node")); ok && o.Stream() {
		streamed(t, name, out, failed)
		return
	}
	d := json.NewDecoder(strings.NewReader(out))
	var doc struct{ Error *op.Detail }
	if err := d.Decode(&doc); err != nil {
		t.Errorf("fazt %s --json: %v: %q", name, err, out)
		return
	}
	if rest, _ := io.ReadAll(io.MultiReader(d.Buffered(), strings.NewReader(""))); strings.TrimSpace(string(rest)) != "" || !strings.HasSuffix(out, "\n") {
		t.Errorf("fazt %s --json prints more than a document: %q", name, out)
	}
	if failed != (doc.Error != nil) {
		t.Errorf("fazt %s --json: failed %v, and the document is %s", name, failed, out)
	}
}

// streamed wants a stream's lines: what version speaks, items, and how it ended.
func streamed(t *testing.T, name, out string, failed bool) {
	t.Helper()
	var types []string
	var last struct {
		Type  string
		OK    bool
		Error *op.Detail
	}
	for line := range strings.Lines(out) {
		last.Error = nil
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Errorf("fazt %s --json: %v: %q", name, err, line)
		}
		types = append(types, last.Type)
	}
	if len(types) < 2 || types[0] != "version" || last.Type != "result" || last.OK == failed || failed != (last.Error != nil) {
		t.Errorf("fazt %s --json: failed %v, and the lines are %s", name, failed, out)
	}
}

// What passes by differs from one answer to the next.
var passing = regexp.MustCompile(`"(up_ns|duration_ns|total_ns)":\d+`)

// asking is what depends on the asking: what it is counted as, a token's last use, and
// until when an answer is good.
var asking = regexp.MustCompile(`"traffic":\{[^{}]*\{[^{}]*\}[^{}]*\}|"(used|expires)":"[^"]*"`)

// A row that reads answers the same bytes over the socket, to the holder of the
// node's own token, at the console to the holder of a person's, and where it needs no
// node in this very process.
func TestReadsAreTheSameEverywhere(t *testing.T) {
	r := newOperators(t, "")
	r.fill(t)
	r.person(t, "ana@example.com")
	token, _ := r.token(t, everybody(), permissionsOf(1<<len(op.Permissions())-1)...)
	writeFiles(t, filepath.Dir(r.site), map[string]string{"person.token": token})
	if exit, out := r.fazt("peer", "add", "console", r.console, "--token-file", filepath.Join(filepath.Dir(r.site), "person.token"), "--pin", r.ownPin()); exit != 0 {
		t.Fatalf("%s%s", out, &r.talk)
	}
	// These compare with a node, or say which verbs of this machine there are.
	const notHere = "plan"
	compared := 0
	for _, o := range table(nil, r.p.log()) {
		row := o.Row()
		if row.Effect != op.Read {
			continue
		}
		compared++
		args := slices.Concat(strings.Fields(row.Name), r.arguments()[row.Name])
		call, err := op.Parse(r.p.all(), args)
		if err != nil {
			t.Fatal(err)
		}
		socket := r.ask(t, call, "local")
		if peer := r.ask(t, call, "node"); peer != socket {
			t.Errorf("fazt %s answers\n%s\nand to a peer\n%s", row.Name, socket, peer)
		}
		if console := r.ask(t, call, "console"); console != socket {
			t.Errorf("fazt %s answers\n%s\nand at the console\n%s", row.Name, socket, console)
		}
		if row.Offline && row.Name != notHere {
			if here := r.ask(t, call, ""); here != socket {
				t.Errorf("fazt %s answers\n%s\nand without a node\n%s", row.Name, socket, here)
			}
		}
	}
	if compared < 10 {
		t.Errorf("only %d rows read", compared)
	}
}

func (r *rig) ask(t *testing.T, call op.Call, target string) string {
	t.Helper()
	c, err := r.p.client(t.Context(), call.Op.Row(), target)
	if err != nil {
		t.Fatal(err)
	}
	if pinned, is := c.HTTP.(*http.Transport); is {
		defer pinned.CloseIdleConnections()
	}
	reply, err := c.Call(t.Context(), call.Op, call.In)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Failure != nil {
		t.Errorf("fazt %s: %s", call.Op.Row().Name, reply.Body)
	}
	return asking.ReplaceAllString(passing.ReplaceAllString(string(reply.Body), `"$1":0`), `"asked":0`)
}

// Every row that is no verb of this machine has one operation in the API, and
// there is no other.
func TestAPIHasEveryRow(t *testing.T) {
	r := newRig(t)
	var want []string
	for _, o := range everything() {
		if !o.Row().Local {
			want = append(want, o.Path())
		}
	}
	slices.Sort(want)
	var listing op.Listing
	r.fetch(t, "/v1/", &listing)
	var listed []string
	for _, e := range listing.Operations {
		listed = append(listed, e.Path)
	}
	slices.Sort(listed)
	if !slices.Equal(listed, want) {
		t.Errorf("GET /v1/ lists\n%q\nand the table has\n%q", listed, want)
	}
	var described struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	r.fetch(t, "/v1/openapi.json", &described)
	if have := slices.Sorted(maps.Keys(described.Paths)); !slices.Equal(have, want) {
		t.Errorf("openapi.json describes\n%q\nand the table has\n%q", have, want)
	}
	for path, methods := range described.Paths {
		if methods["post"] == nil {
			t.Errorf("%s is described without POST", path)
		}
	}
}

func (r *rig) fetch(t *testing.T, path string, v any) {
	t.Helper()
	w := httptest.NewRecorder()
	r.open().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil || w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %v", path, w.Code, err)
	}
}

// open is the node's table with its doors open.
func (r *rig) open() http.Handler {
	return r.controlMux(func(*http.Request) (op.Caller, error) { return op.Caller{Actor: "test"}, nil }, slog.New(slog.DiscardHandler))
}

// Who may do what, row by row: a change of rights is a change of this file.
func TestAccess(t *testing.T) {
	r := newRig(t)
	book, err := r.p.peers().find("node")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	byToken := r.controlMux(tokenAccess(book.token), quiet)
	doors := []struct {
		name    string
		handler http.Handler
		header  string
		local   bool
	}{
		{"nobody", byToken, "", false},
		{"wrong token", byToken, "Bearer fazt_WRONG", false},
		{"token", byToken, "Bearer " + book.token, false},
		{"socket", r.controlMux(socketAccess, quiet), "", true},
		{"not a socket", r.controlMux(socketAccess, quiet), "", false},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s %-8s", "row", "effect")
	for _, d := range doors {
		fmt.Fprintf(&b, " %-13s", d.name)
	}
	b.WriteString("\n")
	for _, o := range everything() {
		fmt.Fprintf(&b, "%-14s %-8s", o.Row().Name, o.Row().Effect)
		if o.Row().Local {
			b.WriteString(" this machine\n")
			continue
		}
		for _, d := range doors {
			req := httptest.NewRequest(http.MethodPost, o.Path(), strings.NewReader(`{"not a field":1}`))
			req.Header.Set("Content-Type", "application/json")
			if d.header != "" {
				req.Header.Set("Authorization", d.header)
			}
			if d.local {
				req = req.WithContext(context.WithValue(req.Context(), uidKey{}, uint32(os.Geteuid())))
			}
			w := httptest.NewRecorder()
			d.handler.ServeHTTP(w, req)
			fmt.Fprintf(&b, " %-13s", map[int]string{http.StatusUnauthorized: "refused", http.StatusForbidden: "refused", http.StatusBadRequest: "yes"}[w.Code])
		}
		b.WriteString("\n")
	}
	golden(t, "access.txt", regexp.MustCompile(`(?m) +$`).ReplaceAllString(b.String(), ""))
}

// No input takes a row down: what it cannot read, it refuses by name.
func FuzzDecode(f *testing.F) {
	r := newRig(f)
	h := r.open()
	rows := table(nil, slog.New(slog.DiscardHandler))
	for i := range rows {
		f.Add(uint8(i), `{}`)
		f.Add(uint8(i), `{"dir":".","var":{"a":"b"},"limit":-1,"id":"d-0","app":"hello","wait":true,"code":"F1","topic":"../x","command":["app"]}`)
	}
	for _, text := range []string{`{"limit":1e99}`, `{"id":"d-99999999999999999999"}`, `{"app":null}`, `{"app":"\u0000"}`, `[]`, `{"app":`, `{"a":1}{"a":1}`, "\xff"} {
		f.Add(uint8(0), text)
		f.Add(uint8(7), text)
	}
	f.Fuzz(func(t *testing.T, i uint8, text string) {
		o := rows[int(i)%len(rows)]
		req := httptest.NewRequest(http.MethodPost, o.Path(), strings.NewReader(text))
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %q: %s", o.Path(), text, w.Body)
		}
		valid := json.Valid(w.Body.Bytes())
		if o.Stream() {
			valid = true
			for line := range strings.Lines(w.Body.String()) {
				valid = valid && json.Valid([]byte(line))
			}
		}
		if !valid {
			t.Errorf("%s %q answers what is no JSON: %q", o.Path(), text, w.Body)
		}
		if w.Code != http.StatusOK && !strings.Contains(w.Body.String(), `"error":{"kind":"`) {
			t.Errorf("%s %q is refused without a reason: %s", o.Path(), text, w.Body)
		}
	})
}
