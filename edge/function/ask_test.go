package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

type answerer func(w http.ResponseWriter, r *http.Request) error

func (a answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) error { return a(w, r) }

type noMethod struct{}

func (noMethod) Error() string { return "no" }
func (noMethod) Status() int   { return http.StatusMethodNotAllowed }

// A program that asks a handler of this process gets what a visitor would get.
func TestAsk(t *testing.T) {
	for _, c := range []struct {
		name   string
		to     answerer
		status int
		body   string
		kind   fault.Kind
	}{
		{"an answer", func(w http.ResponseWriter, r *http.Request) error {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-A", "1")
			w.WriteHeader(201)
			fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.Host, r.RequestURI, r.Header.Get("X-In"), body)
			return nil
		}, 201, "POST app.test /a?b=c in hello", ""},
		{"a body of unknown length", func(w http.ResponseWriter, r *http.Request) error {
			fmt.Fprint(w, r.ContentLength)
			return nil
		}, 200, "-1", ""},
		{"nothing said", func(http.ResponseWriter, *http.Request) error { return nil }, 200, "", ""},
		{"not there", func(http.ResponseWriter, *http.Request) error { return fault.New(fault.NotFound, "no file") }, 404, "", ""},
		{"a status", func(http.ResponseWriter, *http.Request) error { return noMethod{} }, 405, "", ""},
		{"a fault", func(http.ResponseWriter, *http.Request) error { return fault.New(fault.Unavailable, "disk") }, 0, "", fault.Unavailable},
		{"a panic", func(http.ResponseWriter, *http.Request) error { panic("oh") }, 0, "", fault.Internal},
	} {
		a, err := function.Ask(t.Context(), c.to, script.Request{Method: "POST", URL: "http://app.test/a?b=c",
			Header: [][2]string{{"host", "other.test"}, {"x-in", "in"}}, Body: io.MultiReader(strings.NewReader("hello"))})
		if fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil {
			continue
		}
		body, err := io.ReadAll(a.Body)
		if a.Status != c.status || string(body) != c.body || err != nil {
			t.Errorf("%s: %d %q %v", c.name, a.Status, body, err)
		}
		if c.name == "an answer" && !slices.Contains(a.Header, [2]string{"x-a", "1"}) {
			t.Errorf("header %q", a.Header)
		}
		a.Body.Close()
	}
}

// An answer that breaks off is not a whole one, and one that nobody reads ends the
// handler.
func TestAskEnds(t *testing.T) {
	broken, err := function.Ask(t.Context(), answerer(func(w http.ResponseWriter, r *http.Request) error {
		io.WriteString(w, "part")
		return errors.New("disk")
	}), script.Request{Method: "GET", URL: "http://app.test/"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(broken.Body); err == nil {
		t.Error("half an answer looks like a whole one")
	}
	ended := make(chan error, 1)
	endless := answerer(func(w http.ResponseWriter, r *http.Request) error {
		for {
			if _, err := io.WriteString(w, "more"); err != nil {
				ended <- r.Context().Err()
				return err
			}
		}
	})
	a, err := function.Ask(t.Context(), endless, script.Request{Method: "GET", URL: "http://app.test/"})
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler's context says %v", err)
	}
}

// One app that asks another does so for its visitor, whoever it says that is.
func TestAskKeepsTheVisitor(t *testing.T) {
	h := function.New(function.Options{Program: program(echo), Bind: func(context.Context, script.Info) script.Bindings { return &bindings{} },
		Visitor: func(http.ResponseWriter, *http.Request) function.Visitor { panic("there is no connection") }})
	a, err := function.Ask(t.Context(), h, script.Request{Method: "GET", URL: "https://other.test/x",
		Header: [][2]string{{"x-forwarded-for", "6.6.6.6"}}, Info: script.Info{IP: "192.0.2.7", RequestID: "req-9"}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var e echoed
	if err := json.NewDecoder(a.Body).Decode(&e); err != nil {
		t.Fatal(err)
	}
	if e.URL != "https://other.test/x" || e.Info.IP != "192.0.2.7" || e.Info.RequestID != "req-9" || !slices.Equal(e.values("x-forwarded-for"), []string{"192.0.2.7"}) {
		t.Errorf("got %+v", e)
	}
}
