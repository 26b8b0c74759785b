package edge_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

const consoleAt = "https://fazt.example.com"

// desk is a server whose API writes down who asks.
type desk struct {
	*guarded
	ana, token, session string // her id, her token to deploy, her session at the console
	answer              func(w http.ResponseWriter, r *http.Request)
	asked               []asked
}

type asked struct {
	who  edge.Operator
	err  error
	body int
}

func newDesk(t *testing.T, more ...spec.Object) *desk {
	t.Helper()
	d := &desk{guarded: newGuarded(t, "a@x.test")}
	d.bench = newBench(t, edge.Config{Gate: gate.New(gate.Config{People: d.people}), API: http.HandlerFunc(d.api)})
	p, err := d.people.Recognise(t.Context(), identity.Claim{Issuer: "test", Subject: "a@x.test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.ana = p.ID
	if d.session, _, err = d.people.Begin(t.Context(), identity.New{Person: p.ID, Audience: "fazt.example.com", Idle: time.Hour, Absolute: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if d.token, _, err = d.people.CreateToken(t.Context(), identity.NewToken{Person: p.ID, Name: "ci", Scopes: []string{"deploy"}}); err != nil {
		t.Fatal(err)
	}
	d.publish("r1", append(d.objects("observe", "deploy"), more...)...)
	return d
}

// objects are an app, a console, and a role of hers that gives something on the node.
func (d *desk) objects(actions ...string) []spec.Object {
	return []spec.Object{
		d.app("one", "r1", spec.App{}, pagesOfOne), object(spec.KindEdge, "edge", spec.Edge{Domain: "example.com"}),
		object(spec.KindRole, "role.hand", spec.Role{Members: []string{"a@x.test"}, Grants: []spec.Grant{{Actions: actions, On: []string{access.Node}}}}),
	}
}

func (d *desk) api(w http.ResponseWriter, r *http.Request) {
	a := asked{}
	if a.who, a.err = edge.OperatorFrom(r.Context()); a.err == nil {
		n, _ := io.Copy(io.Discard, r.Body)
		a.body = int(n)
	}
	d.asked = append(d.asked, a)
	if d.answer != nil {
		d.answer(w, r)
	}
}

// ask sends a request with some headers, and returns what the API was told.
func (d *desk) ask(method, url string, body io.Reader, headers ...string) (*httptest.ResponseRecorder, []asked) {
	r := httptest.NewRequest(method, url, body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	d.asked = nil
	return d.send(r), d.asked
}

// TestWhoAsksTheAPI is every way to say who one is.
func TestWhoAsksTheAPI(t *testing.T) {
	d := newDesk(t)
	bearer, cookie := "Bearer "+d.token, "__Host-fazt="+d.session
	for name, c := range map[string]struct {
		method, at string
		headers    []string
		want       fault.Kind // "": she is known
		byToken    bool
	}{
		"nobody":                         {"GET", consoleAt, nil, fault.Unauthenticated, false},
		"a token":                        {"POST", consoleAt, []string{"Authorization", bearer}, "", true},
		"a token, said otherwise":        {"POST", consoleAt, []string{"Authorization", "bearer " + d.token}, "", true},
		"a wrong token":                  {"POST", consoleAt, []string{"Authorization", bearer + "x"}, fault.Unauthenticated, false},
		"a wrong token and a cookie":     {"GET", consoleAt, []string{"Authorization", "Bearer x", "Cookie", cookie}, fault.Unauthenticated, false},
		"two tokens":                     {"GET", consoleAt, []string{"Authorization", bearer, "Authorization", bearer}, fault.Unauthenticated, false},
		"a password":                     {"GET", consoleAt, []string{"Authorization", "Basic YTpi", "Cookie", cookie}, fault.Unauthenticated, false},
		"a token in the clear":           {"POST", "http://fazt.example.com", []string{"Authorization", bearer}, fault.Forbidden, false},
		"a cookie":                       {"GET", consoleAt, []string{"Cookie", cookie}, "", false},
		"a cookie in the clear":          {"GET", "http://fazt.example.com", []string{"Cookie", cookie}, fault.Forbidden, false},
		"a page of the console":          {"POST", consoleAt, []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, "", false},
		"the address bar":                {"GET", consoleAt, []string{"Cookie", cookie, "Sec-Fetch-Site", "none"}, "", false},
		"another site":                   {"GET", consoleAt, []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, fault.Forbidden, false},
		"an app of this site":            {"GET", consoleAt, []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site"}, fault.Forbidden, false},
		"another site in an old browser": {"POST", consoleAt, []string{"Cookie", cookie, "Origin", "https://one.example.com"}, fault.Forbidden, false},
		"the session of an app":          {"GET", consoleAt, []string{"Cookie", "__Host-fazt-app=" + d.tokens["a@x.test"]}, fault.Unauthenticated, false},
	} {
		w, got := d.ask(c.method, c.at+"/v1/status", nil, c.headers...)
		if len(got) != 1 {
			t.Errorf("%s: the API was asked %d times, %d %s", name, len(got), w.Code, w.Body)
			continue
		}
		switch a := got[0]; {
		case c.want != "" && fault.KindOf(a.err) != c.want || c.want == "" && a.err != nil:
			t.Errorf("%s: %v", name, a.err)
		case c.want == "" && (a.who.Person.ID != d.ana || (a.who.Token != nil) != c.byToken || a.who.View == nil):
			t.Errorf("%s: %+v", name, a.who)
		}
		if w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: other sites may read it: %v", name, w.Header())
		}
	}
	if refused := d.Traffic().Refused["api"]; refused != 11 {
		t.Errorf("%d refusals are counted", refused)
	}
}

// TestAnOperatorMayWhatIsServed at each request: what a commit takes is gone, and a
// token has no more than its scopes.
func TestAnOperatorMayWhatIsServed(t *testing.T) {
	d := newDesk(t)
	may := func(action string, headers ...string) bool {
		_, got := d.ask("GET", consoleAt+"/v1/", nil, headers...)
		return got[0].err == nil && got[0].who.View.Can(action, access.Node, time.Now())
	}
	bearer, cookie := []string{"Authorization", "Bearer " + d.token}, []string{"Cookie", "__Host-fazt=" + d.session}
	if !may("observe", cookie...) || !may("deploy", cookie...) || may("admin", cookie...) || may("observe", bearer...) || !may("deploy", bearer...) {
		t.Error("before the commit")
	}
	d.publish("r2", d.objects("observe")...)
	if !may("observe", cookie...) || may("deploy", cookie...) || may("observe", bearer...) || may("deploy", bearer...) {
		t.Error("after the commit")
	}
	if err := d.people.Disable(t.Context(), d.ana); err != nil {
		t.Fatal(err)
	}
	if may("observe", cookie...) || may("deploy", bearer...) {
		t.Error("of somebody who is disabled")
	}
}

// TestWhoAsksIsFoundOutAgain: what was true when a command came may not be so any more.
func TestWhoAsksIsFoundOutAgain(t *testing.T) {
	d := newDesk(t)
	_, got := d.ask("GET", consoleAt+"/v1/events", nil, "Authorization", "Bearer "+d.token)
	who := got[0].who
	may := func() bool {
		again, err := who.Again()
		return err == nil && again.View.Can("deploy", access.Node, time.Now())
	}
	if !may() {
		t.Error("nothing has changed")
	}
	d.publish("r2", d.objects("observe")...)
	if may() {
		t.Error("the role gives it no more")
	}
	d.publish("r3", d.objects("deploy")...)
	if err := d.people.Disable(t.Context(), d.ana); err != nil || may() {
		t.Errorf("she is disabled: %v", err)
	}
}

// TestHalfASessionAsksNothing of the API where a role wants a second factor.
func TestHalfASessionAsksNothing(t *testing.T) {
	d := newDesk(t, object(spec.KindLogin, "login", spec.Login{SecondFactor: []string{"role:hand"}}))
	if _, got := d.ask("GET", consoleAt+"/v1/", nil, "Cookie", "__Host-fazt="+d.session); fault.KindOf(got[0].err) != fault.Unauthenticated {
		t.Errorf("%+v", got[0])
	}
}

// TestTheAPIIsAtTheConsoleAlone: no app's host has it, nor the console's other paths.
func TestTheAPIIsAtTheConsoleAlone(t *testing.T) {
	d := newDesk(t)
	for _, url := range []string{"https://one.example.com/v1/status", consoleAt + "/v1", consoleAt + "/metrics", consoleAt + "/readyz", consoleAt + "/auth/v1/"} {
		if w, got := d.ask("GET", url, nil, "Authorization", "Bearer "+d.token); len(got) != 0 || w.Code != 404 {
			t.Errorf("%s: %d, asked %d times", url, w.Code, len(got))
		}
	}
	d.publish("r2", d.app("one", "r1", spec.App{}, pagesOfOne))
	if w, got := d.ask("GET", consoleAt+"/v1/", nil, "Authorization", "Bearer "+d.token); len(got) != 0 || w.Code != 421 {
		t.Errorf("without a console: %d, asked %d times", w.Code, len(got))
	}
}

// TestBodiesOfTheConsole: a command brings what the API takes, a form is small.
func TestBodiesOfTheConsole(t *testing.T) {
	d := newDesk(t, limitsObject(spec.Limits{Body: 100 << 10}))
	body := bytes.Repeat([]byte("x"), 3<<20)
	if w, got := d.ask("POST", consoleAt+"/v1/apply", bytes.NewReader(body), "Authorization", "Bearer "+d.token); len(got) != 1 || got[0].body != len(body) {
		t.Errorf("%d %+v", w.Code, got)
	}
	if w, _ := d.ask("POST", consoleAt+"/auth/code", bytes.NewReader(body[:65<<10])); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large form: %d", w.Code)
	}
}

// TestALongCommandKeepsNoSnapshot: what it followed may go out of service.
func TestALongCommandKeepsNoSnapshot(t *testing.T) {
	d := newDesk(t)
	began, end := make(chan struct{}), make(chan struct{})
	d.answer = func(http.ResponseWriter, *http.Request) { close(began); <-end }
	done := make(chan int)
	go func() {
		w, _ := d.ask("GET", consoleAt+"/v1/events", nil, "Authorization", "Bearer "+d.token)
		done <- w.Code
	}()
	<-began
	d.publish("r2", d.objects("observe")...)
	if s := d.Stats(); s.Snapshots != 1 || s.Requests != 0 {
		t.Errorf("%+v", s)
	}
	close(end)
	if code := <-done; code != 200 {
		t.Error(code)
	}
}

// TestWhoFollowsKeepsNoNodeFromStopping: a stream that would go on for ever ends before
// the drain does.
func TestWhoFollowsKeepsNoNodeFromStopping(t *testing.T) {
	d := newDesk(t)
	d.bench = newBench(t, edge.Config{Gate: gate.New(gate.Config{People: d.people}), API: http.HandlerFunc(d.api), Drain: 3 * time.Second})
	d.publish("r1", d.objects("observe")...)
	began := make(chan struct{})
	d.answer = func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(began)
		<-r.Context().Done()
	}
	address, stop := d.run()
	go func() {
		r, _ := http.NewRequest("GET", "http://"+address+"/v1/events", nil)
		r.Host = "fazt.example.com"
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}()
	<-began
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestASilentStreamIsNotCut: what was flushed was taken, and the deadline of it does
// not fall on the silence that follows.
func TestASilentStreamIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, limitsObject(spec.Limits{WriteTimeoutMS: 1000}))
		s := &stream{ResponseRecorder: httptest.NewRecorder()}
		d.answer = func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, "line\n")
				if s.until.IsZero() {
					t.Error("a part has no time")
				}
				_ = http.NewResponseController(w).Flush()
				if !s.until.IsZero() {
					t.Error("the silence has a time")
				}
				time.Sleep(time.Hour)
			}
		}
		r := httptest.NewRequest("GET", consoleAt+"/v1/events", nil)
		r.Header.Set("Authorization", "Bearer "+d.token)
		r.ProtoMajor = 2
		d.ServeHTTP(s, r)
		if s.Body.String() != strings.Repeat("line\n", 3) || s.expired != 0 {
			t.Errorf("%q, %d parts after their time", s.Body, s.expired)
		}
	})
}
