package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/secret"
)

// theCanary is a value that every encoding changes.
const theCanary = "c4nary-7Qz\"<&>\\\\\tü/+?=%-of-the-test"

// canaryForms are a value as it would look if it came out somewhere: plain,
// escaped, in hex, and in base64 wherever it stands in what is encoded.
func canaryForms(t *testing.T, value string) map[string][]byte {
	t.Helper()
	inJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string][]byte{
		"plain": []byte(value), "json": bytes.Trim(inJSON, `"`), "hex": []byte(hex.EncodeToString([]byte(value))),
		"HEX": []byte(strings.ToUpper(hex.EncodeToString([]byte(value)))), "quoted": []byte(strings.Trim(fmt.Sprintf("%q", value), `"`)),
		"query": []byte(url.QueryEscape(value)), "path": []byte(url.PathEscape(value)), "bytes": []byte(strings.Trim(fmt.Sprint([]byte(value)), "[]")),
		"part": []byte("c4nary-7Qz"),
	}
	for before := range 3 {
		for name, e := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			text := e.EncodeToString(append(make([]byte, before), value...))
			forms[fmt.Sprintf("%s+%d", name, before)] = []byte(text[(before*4+2)/3 : len(text)-2]) // without what its neighbours take part in
		}
	}
	return forms
}

// sweeper looks for values in what comes out.
type sweeper struct {
	t     *testing.T
	forms map[string]map[string][]byte // by what is looked for
	seen  int
}

func newSweeper(t *testing.T, values map[string]string) *sweeper {
	s := &sweeper{t: t, forms: map[string]map[string][]byte{}}
	for what, value := range values {
		s.forms[what] = canaryForms(t, value)
	}
	return s
}

func (s *sweeper) look(where string, text []byte) {
	s.t.Helper()
	s.seen += len(text)
	for what, forms := range s.forms {
		for form, f := range forms {
			if i := bytes.Index(text, f); i >= 0 {
				s.t.Errorf("%s holds the %s (%s): …%q", where, what, form, text[max(0, i-40):min(len(text), i+len(f)+10)])
			}
		}
	}
}

// folder looks at every file below dir but those named.
func (s *sweeper) folder(dir string, but ...string) {
	s.t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.Contains(but, d.Name()) {
			return err
		}
		text, err := os.ReadFile(name)
		s.look(name, text)
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}

// lockedBuffer is a log that several goroutines write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps p.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

// The sweep finds what it looks for: a canary that nobody could smell would be no
// guard.
func TestCanaryIsFound(t *testing.T) {
	for name, text := range map[string]string{
		"plain": theCanary, "hex": hex.EncodeToString([]byte("ab" + theCanary + "c")),
		"base64 in JSON": base64.StdEncoding.EncodeToString([]byte(`{"addr":"secret.x","value":"` + theCanary + `"}`)),
		"one before":     base64.StdEncoding.EncodeToString([]byte("x" + theCanary + "yy")), "two before": base64.URLEncoding.EncodeToString([]byte("xx" + theCanary + "y")),
		"go": fmt.Sprintf("%#v", []string{theCanary}), "query": "?q=" + url.QueryEscape(theCanary),
	} {
		found := false
		for _, f := range canaryForms(t, theCanary) {
			found = found || strings.Contains(text, string(f))
		}
		if !found {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
}

// call runs a command, looks at what it says, and returns that. A negative exit is any.
func (s *sweeper) call(r *rig, want int, args ...string) string {
	s.t.Helper()
	exit, out := r.fazt(args...)
	if want >= 0 && exit != want {
		s.t.Errorf("fazt %v: exit %d\n%s%s", args, exit, out, &r.talk)
	}
	s.look("fazt "+strings.Join(args, " "), []byte(out))
	s.look("what is said by fazt "+strings.Join(args, " "), r.talk.Bytes())
	return out + r.talk.String()
}

// A sealed value, and the key that opens it, come out nowhere: not from a command
// on this machine or another, nor from the API, a mistake, a log or a record.
func TestCanarySweep(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	var log lockedBuffer
	r := newRig(t, func(c *nodeConfig) {
		c.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	state := r.ground.Dir
	identity, err := os.ReadFile(filepath.Join(state, secret.FileName))
	if err != nil {
		t.Fatal(err)
	}
	private := strings.TrimSpace(string(identity[bytes.Index(identity, []byte("AGE-")):]))
	s := newSweeper(t, map[string]string{"value": theCanary, "key": private})
	// The forms of a part are for the value alone.
	delete(s.forms["key"], "part")

	call := func(want int, args ...string) {
		t.Helper()
		s.call(r, want, args...)
	}
	everyRow := func() {
		t.Helper()
		for _, name := range names(everything()) {
			if name == "serve" || name == "dev" || name == "init" {
				continue
			}
			args := slices.Concat(strings.Fields(name), r.arguments()[name])
			r.p.stdin = strings.NewReader(theCanary)
			call(-1, args...)
			r.p.stdin = strings.NewReader(theCanary)
			call(-1, append(args, "--json", "--debug")...)
			if !rowOfName(name).Local {
				call(-1, append([]string{"@node"}, args...)...)
				call(-1, append(args, "--curl")...)
			}
		}
		for _, path := range []string{"/v1/", "/v1/openapi.json", "/metrics", "/healthz", "/readyz", "/", "/v1/export", "/v1/status?x=" + url.QueryEscape("y")} {
			w := httptest.NewRecorder()
			r.open().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			s.look(path, w.Body.Bytes())
		}
	}

	// A secret that an app names, which is off until the last part of the sweep.
	writeFiles(t, r.site, map[string]string{
		"node.fazt.hcl": recipientBlock("local", r.identity.Recipient()),
		"shop.fazt.hcl": "app \"shop\" {\n  content = \"shop\"\n  enabled = false\n\n  runtime {\n    entry = \"main.js\"\n  }\n\n  env = { KEY = secret.stripe }\n\n  egress \"api.example.com\" {\n    header = { Authorization = secret.stripe }\n  }\n}\n",
		"shop/main.js":  "export default { fetch: (_, env) => new Response(String(env.KEY.length)) };\n",
	})
	r.p.stdin = strings.NewReader(theCanary + "\n")
	call(0, "secret", "set", "stripe", r.site)
	call(0, "apply", r.site, "--yes")
	if v, err := r.identity.Unseal("secret.stripe", stripeEnvelope(t, r)); err != nil || v.Reveal() != theCanary {
		t.Fatalf("the secret is not what was set: %v", err)
	}
	everyRow()

	// The same value anew, then the app on, then everything that goes wrong.
	r.p.stdin = strings.NewReader(theCanary)
	call(0, "secret", "set", "stripe", r.site)
	for _, change := range []string{"plan", "apply"} {
		call(-1, change, r.site, "--yes", "--full")
	}
	call(-1, "apply", r.site, "--yes")
	call(0, "secret", "edit", "stripe", r.site)
	call(0, "secret", "rekey", r.site)
	replaceIn(t, filepath.Join(r.site, "shop.fazt.hcl"), "enabled = false", "enabled = true")
	call(-1, "apply", r.site, "--yes")
	call(-1, "rollback", "d-1")
	call(-1, "app", "export", "shop")
	everyRow()

	r.slips(t, call)

	envelope := stripeEnvelope(t, r)
	bare, err := json.Marshal(theCanary)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		`secret "other" { value = age("` + envelope + `") }`,             // pasted
		`secret "other" { value = age("` + envelope[:80] + `") }`,        // torn
		`secret "other" { value = age(` + string(bare) + `) }`,           // never sealed
		`secret "other" { value = ` + string(bare) + ` }`,                // nor tried to
		`fazt { recipients = ["` + private + `"] }`,                      // the wrong half
		"locals {\n  x = \"Bearer ${age(" + string(bare) + ")}\"\n}",     // put into text
		"locals {\n  x = upper(secret.stripe)\n}\nsecret \"other\" {}\n", // worked with
	} {
		writeFiles(t, r.site, map[string]string{"bad.fazt.hcl": bad + "\n"})
		for _, command := range []string{"validate", "plan", "apply", "secret check", "secret list", "secret rekey", "secret edit other", "fmt --check"} {
			call(-1, append(strings.Fields(command), r.site)...)
			call(-1, append(strings.Fields(command), r.site, "--json")...)
		}
		call(-1, "validate", r.site, "--format", "github")
	}
	if err := os.Remove(filepath.Join(r.site, "bad.fazt.hcl")); err != nil {
		t.Fatal(err)
	}

	s.look("the log", log.bytes())
	s.folder(state, secret.FileName)
	s.folder(r.site, "bad.fazt.hcl")
	s.folder(filepath.Join(filepath.Dir(r.site), ".local"))
	if s.seen < 100_000 {
		t.Errorf("only %d bytes were looked at", s.seen)
	}
}

// slipping is code that says what it was given wherever code can say something.
const slipping = `
const tell = (env) => console.log("the key is", env.KEY, { key: env.KEY }, JSON.stringify(env.KEY), encodeURIComponent(env.KEY));
export default {
  fetch(request, env, ctx) {
    switch (new URL(request.url).pathname) {
      case "/length": return new Response(String(env.KEY.length));
      case "/tell": tell(env); return new Response("told");
      case "/throw": throw new Error("cannot pay with " + env.KEY);
      case "/reject": return Promise.reject(new TypeError(env.KEY));
      case "/later": ctx.waitUntil(Promise.reject(new Error("later " + env.KEY))); return new Response("soon");
      case "/lost": Promise.reject(new Error("lost " + env.KEY)); return new Response("well");
      case "/send": return env.WORK.send({}).then(() => new Response("sent"));
    }
    return new Response("nothing", { status: 404 });
  },
  queue(batch, env) { tell(env); throw new Error("no work with " + env.KEY); },
  scheduled(event, env) { throw new Error("no time with " + env.KEY); },
};
`

// slips has an app's code run that was given the secret, and say it by every slip that
// code can make; call looks at what each command answers.
func (r *rig) slips(t *testing.T, call func(want int, args ...string)) {
	t.Helper()
	writeFiles(t, r.site, map[string]string{
		"slip.fazt.hcl": "app \"slip\" {\n  content = \"slip\"\n\n  runtime {\n    entry = \"main.js\"\n  }\n\n  env = { KEY = secret.slip }\n\n" +
			"  kv \"K\" {}\n\n  queue \"WORK\" {\n    retries = 0\n  }\n\n  cron \"digest\" {\n    at = \"0 7 * * *\"\n  }\n}\n",
		"slip/main.js": slipping,
	})
	r.p.stdin = strings.NewReader(theCanary)
	call(0, "secret", "set", "slip", r.site)
	call(0, "apply", r.site, "--yes")
	exit, out := r.fazt("function", "call", "slip", "/length")
	if want := fmt.Sprint(utf16Length(theCanary)); exit != 0 || !strings.Contains(out, want) {
		t.Fatalf("the code was not given the secret: exit %d\n%s%s", exit, out, &r.talk)
	}
	for path, want := range map[string]int{"/tell": 0, "/throw": 1, "/reject": 1, "/later": 0, "/lost": 0, "/send": 0} {
		call(want, "function", "call", "slip", path)
	}
	call(-1, "cron", "run", "slip", "digest")
	const hidden = "(secret.slip)"
	for _, said := range []string{"the key is " + hidden, "cannot pay with " + hidden, "TypeError: " + hidden, "later " + hidden, "lost " + hidden, "no work with " + hidden, "no time with " + hidden} {
		r.until(t, said, "app", "logs", "slip")
	}
	r.until(t, "no work with "+hidden, "queue", "peek", "slip", "WORK")
	for _, args := range [][]string{{"app", "logs", "slip"}, {"queue", "peek", "slip", "WORK"}, {"queue", "list", "slip"}, {"cron", "list", "slip"}, {"why", "slip"}, {"trace", "slip"},
		{"app", "show", "slip"}, {"app", "usage", "slip"}, {"app", "export", "slip"}, {"backup", "create", "slip"}, {"sql", "SELECT * FROM fazt_job", "--db", "slip"}, {"events"}, {"history"}} {
		call(0, args...)
		call(0, append(args, "--json")...)
	}
}

// until asks until an answer holds a text.
func (r *rig) until(t *testing.T, text string, args ...string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		_, out := r.fazt(args...)
		if strings.Contains(out, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("fazt %v does not say %q:\n%s%s", args, text, out, &r.talk)
		}
	}
}

// utf16Length is how long JavaScript finds a text.
func utf16Length(text string) int { return len(utf16.Encode([]rune(text))) }

// stripeEnvelope is the envelope in the files.
func stripeEnvelope(t *testing.T, r *rig) string {
	t.Helper()
	v, err := r.p.soundVault(r.site)
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.have("stripe")
	if err != nil {
		t.Fatal(err)
	}
	return b.Envelope
}

func replaceIn(t *testing.T, file, old, with string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q: %v", file, old, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, with, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A node says at its first start, and then no more, what to seal to; one whose key
// is of no use says so and serves.
func TestNodeKey(t *testing.T) {
	dir := t.TempDir()
	open := func() (*node, string) {
		t.Helper()
		var log lockedBuffer
		n, err := openNode(t.Context(), nodeConfig{state: dir, listen: []string{"127.0.0.1:0"}, control: "127.0.0.1:0", log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		n.tellKey()
		return n, string(log.bytes())
	}
	first, said := open()
	recipient := first.identity.Recipient()
	if !strings.Contains(said, "recipient="+recipient) {
		t.Errorf("the first start says %s", said)
	}
	if again, said := open(); strings.Contains(said, "recipient=") || again.identity.Recipient() != recipient {
		t.Errorf("the second start says %s", said)
	}
	if err := os.WriteFile(filepath.Join(dir, secret.FileName), []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, said := open()
	if !strings.Contains(said, "holds no key") || n.identity != nil {
		t.Errorf("with a file that is no key: %s", said)
	}
	if _, err := n.identity.Unseal("secret.x", ""); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}
