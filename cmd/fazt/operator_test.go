package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/op"
)

// operators is a node with a console, reached over TLS as a stranger reaches it, and a
// role for each permission, which somebody has by what their address says.
type operators struct {
	*rig
	client         *http.Client
	console, plain string // its addresses, over TLS and without
}

// addressOf is the first of some listeners, by the name that the certificate has.
func addressOf(list []net.Listener) string {
	_, port, _ := net.SplitHostPort(list[0].Addr().String())
	return "localhost:" + port
}

func newOperators(t *testing.T, more string, change ...func(*nodeConfig)) *operators {
	t.Helper()
	o := &operators{rig: newRig(t, append(change, func(c *nodeConfig) { c.secure = []string{"127.0.0.1:0"} })...)}
	var config strings.Builder
	config.WriteString("edge {\n  domain  = \"localhost\"\n  console = \"localhost\"\n  tls     = { mode = \"internal\" }\n}\nlimits {\n  requests_per_ip = { rate = 1000000, burst = 1000000 }\n}\n")
	for i, p := range op.Permissions() {
		var members []string
		for set := range 1 << len(op.Permissions()) {
			if set>>i&1 == 1 {
				members = append(members, fmt.Sprintf("%q", holderOf(set)))
			}
		}
		fmt.Fprintf(&config, "role \"can-%d\" {\n  members = [%s]\n  grant {\n    actions = [%q]\n    on      = [\"node\"]\n  }\n}\n", i, strings.Join(members, ", "), p)
	}
	writeFiles(t, o.site, map[string]string{"people.fazt.hcl": config.String() + more})
	if exit, out := o.fazt("apply", o.site, "--yes", "--allow-access"); exit != 0 {
		t.Fatalf("%s%s", out, &o.talk)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if i := slices.IndexFunc(o.certificates(), func(c certView) bool { return c.Host == "localhost" && c.State == "ok" }); i >= 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no certificate: %+v", o.certificates())
		}
	}
	plain, secure := o.edge.Listeners()
	o.plain, o.console = "http://"+addressOf(plain), "https://"+addressOf(secure)
	o.client = &http.Client{Transport: peer{URL: o.console, Pin: o.ownPin()}.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(o.client.CloseIdleConnections)
	return o
}

// holderOf is the address of somebody who has a set of permissions.
func holderOf(set int) string { return fmt.Sprintf("p%d@example.com", set) }

// person is the one with an address, made if there is none.
func (o *operators) person(t fataler, email string) identity.Person {
	who, err := o.ground.People.Recognise(context.Background(), identity.Claim{Issuer: "test", Subject: email, Email: email, Verified: true}, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return who
}

type fataler interface{ Fatal(...any) }

// token is one of somebody's, with its id.
func (o *operators) token(t fataler, email string, scopes ...string) (text, id string) {
	text, made, err := o.ground.People.CreateToken(context.Background(), identity.NewToken{Person: o.person(t, email).ID, Name: "ci", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return text, made.ID
}

// send asks the node over TLS. header is one line: "Authorization: …".
func (o *operators) send(t fataler, method, url, body, header string) (status int, answer string) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if name, value, ok := strings.Cut(header, ": "); ok {
		r.Header.Set(name, value)
		if name == "Cookie" { // as a page of the console sends it
			r.Header.Set("Origin", o.console)
		}
	}
	resp, err := o.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// matrix reads the golden file of what each permission opens: rows by permission.
func matrix(t *testing.T) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile("testdata/golden/matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	names, rows := strings.Fields(lines[0]), map[string]map[string]bool{}
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		cut := len(cells) - len(names)
		opens := map[string]bool{}
		for i, name := range names {
			opens[name] = cells[cut+i] == "yes"
		}
		rows[strings.Join(cells[:cut], " ")] = opens
	}
	return rows
}

// What somebody may do at the console's host is what the matrix says of the
// permissions that both their roles and, where they bring one, their token have.
// Who has none is told nothing, also what needs no node.
func TestMatrixAtTheDoor(t *testing.T) {
	o, rows := newOperators(t, ""), matrix(t)
	all := op.Permissions()
	var served []op.Op
	for _, row := range everything() {
		if !row.Row().Local {
			served = append(served, row)
		}
	}
	sessions := map[int]string{}
	rapid.Check(t, func(t *rapid.T) {
		roles := rapid.IntRange(0, 1<<len(all)-1).Draw(t, "roles")
		scopes := rapid.IntRange(0, 1<<len(all)-1).Draw(t, "scopes")
		header, has := "", roles&scopes
		if scopes != 0 {
			text, _ := o.token(t, holderOf(roles), permissionsOf(scopes)...)
			header = "Authorization: Bearer " + text
		} else {
			if sessions[roles] == "" {
				sessions[roles] = o.session(t, holderOf(roles))
			}
			header, has = "Cookie: __Host-fazt="+sessions[roles], roles
		}
		for _, row := range rapid.SliceOfN(rapid.SampledFrom(served), 1, 3).Draw(t, "rows") {
			want := http.StatusForbidden
			for _, p := range permissionsOf(has) {
				if rows[row.Row().Name][p] {
					want = http.StatusBadRequest // let in, and told that there is no such field
				}
			}
			if got, answer := o.send(t, "POST", o.console+row.Path(), `{"not a field":1}`, header); got != want {
				t.Fatalf("roles %v, scopes %v: %s is answered %d %s, want %d", permissionsOf(roles), permissionsOf(scopes), row.Row().Name, got, answer, want)
			}
		}
	})
}

func permissionsOf(set int) (names []string) {
	for i, p := range op.Permissions() {
		if set>>i&1 == 1 {
			names = append(names, string(p))
		}
	}
	return names
}

// session is one at the console.
func (o *operators) session(t fataler, email string) string {
	text, _, err := o.ground.People.Begin(context.Background(), identity.New{Person: o.person(t, email).ID, Audience: "localhost", Idle: time.Hour, Absolute: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// everybody has every permission.
func everybody() string { return holderOf(1<<len(op.Permissions()) - 1) }

// A token that was made up costs no write, one that is revoked nothing more; what a
// known caller is refused is recorded, with what they came by.
func TestTokensAtTheDoor(t *testing.T) {
	o := newOperators(t, "")
	text, id := o.token(t, everybody(), "deploy")
	before, writes := o.entries(t), o.ground.DB.Stats().Writes
	for i := range 1000 {
		if code, answer := o.send(t, "POST", o.console+"/v1/sync", "{}", fmt.Sprintf("Authorization: Bearer fzt_%048d", i)); code != 401 {
			t.Fatalf("%d %s", code, answer)
		}
	}
	if after := o.entries(t); len(after) != len(before) || o.ground.DB.Stats().Writes != writes {
		t.Errorf("strangers had %d entries written", len(after)-len(before))
	}
	if refused := o.edge.Traffic().Refused["api"]; refused != 1000 {
		t.Errorf("%d refusals are counted", refused)
	}
	code, answer := o.send(t, "POST", o.console+"/v1/trash/purge", `{"app":"a","confirm":"a"}`, "Authorization: Bearer "+text)
	if code != 403 || !strings.Contains(answer, `the token \"ci\" has not`) || !strings.Contains(answer, "scope admin") {
		t.Errorf("%d %s", code, answer)
	}
	last := o.entries(t)[0]
	if last.Actor != "token:"+id || last.Action != "trash purge" || last.Outcome != "forbidden" || string(last.Detail) != `{"token":"ci"}` || !strings.HasSuffix(viewOfEvent(last).summary(), "(by ci)") {
		t.Errorf("%+v", last)
	}
	list, err := o.ground.People.Tokens(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].From != "127.0.0.1" || list[0].Used.IsZero() {
		t.Errorf("%+v %v", list, err)
	}
	if err := o.ground.People.RevokeToken(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if code, answer = o.send(t, "POST", o.console+"/v1/trash/purge", `{}`, "Authorization: Bearer "+text); code != 401 {
		t.Errorf("after it was revoked: %d %s", code, answer)
	}
}

// Over plain HTTP nothing is commanded, and nobody is sent on with a token that others
// have read by then.
func TestNoCommandInTheClear(t *testing.T) {
	o := newOperators(t, "")
	text, _ := o.token(t, everybody(), "observe")
	for path, want := range map[string]int{"/v1/status": 403, "/v1/": 403, "/": 308} {
		if code, answer := o.send(t, "GET", o.plain+path, "", "Authorization: Bearer "+text); code != want {
			t.Errorf("%s: %d %s", path, code, answer)
		}
	}
}

// entries is the journal, the newest first.
func (o *operators) entries(t *testing.T) []journal.Entry {
	t.Helper()
	list, err := o.ground.Journal.List(t.Context(), journal.Filter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A role that a commit takes away is gone at the next request.
func TestACommitTakesAtOnce(t *testing.T) {
	o := newOperators(t, "")
	text, _ := o.token(t, everybody(), "observe", "plan", "deploy")
	status := func() int {
		code, _ := o.send(t, "GET", o.console+"/v1/status", "", "Authorization: Bearer "+text)
		return code
	}
	if code := status(); code != 200 {
		t.Fatal(code)
	}
	file := filepath.Join(o.site, "people.fazt.hcl")
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, o.site, map[string]string{"people.fazt.hcl": strings.ReplaceAll(string(config), fmt.Sprintf(", %q", everybody()), "")})
	if exit, out := o.fazt("apply", o.site, "--yes", "--allow-access"); exit != 0 {
		t.Fatalf("%s%s", out, &o.talk)
	}
	if code := status(); code != 403 {
		t.Errorf("after the commit: %d", code)
	}
}

// A stream goes on over HTTP/2 when nothing was said for longer than an answer may
// stand still.
func TestAStreamOutlivesItsSilence(t *testing.T) {
	o := newOperators(t, "")
	writeFiles(t, o.site, map[string]string{"people.fazt.hcl": strings.Replace(readText(t, filepath.Join(o.site, "people.fazt.hcl")), "limits {", "limits {\n  write_timeout = \"1s\"", 1)})
	if exit, out := o.fazt("apply", o.site, "--yes"); exit != 0 {
		t.Fatalf("%s%s", out, &o.talk)
	}
	text, _ := o.token(t, everybody(), "observe")
	r, err := http.NewRequest("POST", o.console+"/v1/events", strings.NewReader(`{"follow":true,"type":"told"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+text)
	r.Header.Set("Content-Type", "application/json")
	resp, err := o.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Fatalf("%s %d", resp.Proto, resp.StatusCode)
	}
	lines := json.NewDecoder(resp.Body)
	var first struct{ Type string }
	if err := lines.Decode(&first); err != nil || first.Type != "version" {
		t.Fatalf("%+v %v", first, err)
	}
	<-time.After(2500 * time.Millisecond) // the silence is what is tested
	o.audit(t.Context(), op.Act{Actor: "test", Row: op.Row{Name: "told"}})
	var item struct{ Item eventView }
	if err := lines.Decode(&item); err != nil || item.Item.Action != "told" {
		t.Errorf("%+v %v", item, err)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(text))
}

// The control listener is this machine's: a name of somebody else's that leads to it
// is answered nothing.
func TestTheControlListenerHasNoOtherName(t *testing.T) {
	r := newRig(t)
	book, err := r.p.peers().find("node")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(r.control.Addr())
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "[::1]:" + port: 200, "127.0.0.1": 200,
		"evil.example:" + port: 421, "localhost.evil.example": 421, "192.0.2.7:" + port: 421, "0.0.0.0:" + port: 421,
	} {
		for path, answers := range map[string]int{"/v1/status": want, "/": want, "/metrics": want, "/healthz": want} {
			q, err := http.NewRequest("GET", "http://"+r.control.Addr()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Host = host
			q.Header.Set("Authorization", "Bearer "+book.token)
			resp, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != answers {
				t.Errorf("%s at %s: %d, want %d", path, host, resp.StatusCode, answers)
			}
		}
	}
}
