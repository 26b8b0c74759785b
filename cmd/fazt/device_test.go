package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// console answers polls one after the other, as a node would.
type console struct {
	start func(w http.ResponseWriter)
	polls []func(w http.ResponseWriter)
	asked map[string]any
}

func says(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const (
	pending  = `{"status": "authorization_pending"}`
	slowDown = `{"error": {"kind": "exhausted", "message": "this device asks too often"}}`
)

func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/auth/device" {
		_ = json.NewDecoder(r.Body).Decode(&c.asked)
		c.start(w)
		return
	}
	next := c.polls[0]
	c.polls = c.polls[1:]
	next(w)
}

// TestDeviceWaits shows the code, waits as the node says, longer when it is told to,
// and takes the token.
func TestDeviceWaits(t *testing.T) {
	c := &console{start: says(200, `{"code": "K7QF-2M", "secret": "s", "expires_in": 600, "interval": 5}`),
		polls: []func(http.ResponseWriter){says(202, pending), says(429, slowDown), says(502, "<html>"), says(202, pending), says(200, `{"token": "fzt_x"}`)}}
	server := httptest.NewServer(c)
	defer server.Close()
	var told bytes.Buffer
	var waits []time.Duration
	d := (&program{stderr: &told}).deviceOf(server.URL, nil)
	d.wait = func(_ context.Context, w time.Duration) error { waits = append(waits, w); return nil }
	token, err := d.token(t.Context(), "fazt on laptop", []string{"plan"})
	if err != nil || token != "fzt_x" {
		t.Fatalf("%q %v", token, err)
	}
	if text := told.String(); !strings.Contains(text, server.URL+"/auth/device?code=K7QF-2M\n") || !strings.Contains(text, "    K7QF-2M\n") {
		t.Errorf("it says %q", text)
	}
	want := []time.Duration{5, 5, 10, 15, 15}
	for i := range want {
		if waits[i] != want[i]*time.Second {
			t.Errorf("it waits %v, want seconds %v", waits, want)
			break
		}
	}
	if c.asked["name"] != "fazt on laptop" {
		t.Errorf("it asks %v", c.asked)
	}
}

// TestDeviceEnds says why there is no token, and what a node says cannot reach the
// terminal as it is.
func TestDeviceEnds(t *testing.T) {
	good := says(200, `{"code": "K7QF-2M", "secret": "s", "expires_in": 600, "interval": 5}`)
	for name, c := range map[string]struct {
		console *console
		kind    fault.Kind
		text    string
	}{
		"refused":       {&console{start: good, polls: []func(http.ResponseWriter){says(403, `{"error": {"kind": "forbidden", "message": "somebody refused"}}`)}}, fault.Forbidden, "somebody refused"},
		"over":          {&console{start: good, polls: []func(http.ResponseWriter){says(404, `{"error": {"kind": "not_found", "message": "no device"}}`)}}, fault.Unavailable, "in time"},
		"no console":    {&console{start: says(404, "nothing")}, fault.Invalid, "nobody in by a code"},
		"a page":        {&console{start: says(200, "<html>")}, fault.Invalid, "nobody in by a code"},
		"a false code":  {&console{start: says(200, `{"code": "K7\u001b[2J", "secret": "s", "expires_in": 600}`)}, fault.Invalid, "nobody in by a code"},
		"a redirect":    {&console{start: says(303, "")}, fault.Invalid, "nobody in by a code"},
		"another scope": {&console{start: says(400, `{"error": {"kind": "invalid", "message": "there is no scope", "hint": "there are plan"}}`)}, fault.Invalid, "there is no scope"},
	} {
		server := httptest.NewServer(c.console)
		var told bytes.Buffer
		d := (&program{stderr: &told}).deviceOf(server.URL, nil)
		d.wait = func(context.Context, time.Duration) error { return nil }
		_, err := d.token(t.Context(), "x", []string{"plan"})
		server.Close()
		if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text) || strings.Contains(told.String(), "\x1b") {
			t.Errorf("%s: %v; told %q", name, err, told.String())
		}
	}
	server := httptest.NewServer(&console{start: good})
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var told bytes.Buffer
	d := (&program{stderr: &told}).deviceOf(server.URL, nil)
	d.wait = func(ctx context.Context, w time.Duration) error { cancel(); return waited(ctx, w) }
	if _, err := d.token(ctx, "x", []string{"plan"}); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "nobody has answered yet") {
		t.Errorf("a person who has had enough: %v", err)
	}
}

// TestTokenApprove lets a program in on the node's own machine, as somebody who never
// signed in: whoever runs the node says whose an address is.
func TestTokenApprove(t *testing.T) {
	r := newRig(t)
	people := r.ground.People
	ask, err := people.StartDevice(t.Context(), "fazt on laptop", "192.0.2.7", []string{"plan"})
	if err != nil {
		t.Fatal(err)
	}
	if exit, _ := r.fazt("token", "approve", ask.Code); exit != 3 || !strings.Contains(r.talk.String(), "--person") {
		t.Errorf("as nobody: %d %s", exit, r.talk.String())
	}
	if exit, _ := r.fazt("token", "approve", "AAAA-AA", "--person", "ana@example.com"); exit != 6 {
		t.Errorf("a wrong code: %d", exit)
	}
	if _, err := people.Person(t.Context(), "ana@example.com"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a wrong code makes a person: %v", err)
	}
	exit, said := r.fazt("token", "approve", strings.ToLower(ask.Code), "--person", "ana@example.com")
	if exit != 0 || !strings.Contains(said, "fazt on laptop, from 192.0.2.7") || !strings.Contains(said, "ana@example.com, for plan") {
		t.Fatalf("%d %s%s", exit, said, r.talk.String())
	}
	token, err := people.PollDevice(t.Context(), ask.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := people.Token(token, "", time.Now()); !ok || got.Person.Email != "ana@example.com" || got.Name != "fazt on laptop" {
		t.Errorf("%+v %v", got, ok)
	}
	if _, said := r.fazt("events", "--json"); !strings.Contains(said, "device approve") || !strings.Contains(said, "fazt on laptop") {
		t.Errorf("the journal has %s", said)
	}
	if ask, err = people.StartDevice(t.Context(), "fazt on laptop", "192.0.2.7", []string{"plan"}); err != nil {
		t.Fatal(err)
	}
	for _, actor := range []string{"person:x", "token:x", "workload:x", ""} { // from elsewhere, as somebody else
		if _, err := r.approve(op.WithActor(t.Context(), actor), approveIn{Code: ask.Code, Person: "jo@example.com"}); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s lets something in as another: %v", actor, err)
		}
	}
}
