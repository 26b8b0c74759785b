package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/script/web"
)

// step is something that code does, as testdata/context/main.ts does it.
type step struct {
	Do    string `json:"do"`
	At    int    `json:"at"`
	Store int    `json:"store"`
	Value int    `json:"value"`
	Times int    `json:"times"`
	Body  []step `json:"body,omitempty"`
	More  []step `json:"more,omitempty"`
}

var (
	plainSteps = strings.Fields("look enter enter run run exit throw bind snapshot resource spawn then catch finally timer interval microtask")
	asyncSteps = strings.Fields("await sleep rejected thenable chained call all race within without stream read piped text generator")
	syncBodies = strings.Fields("run exit throw bind snapshot resource")
)

// drawSteps draws a list of steps, whose first one looks. In what waits for nothing there is nothing to wait for.
func drawSteps(t *rapid.T, waits bool, deep int, places *int) []step {
	kinds := plainSteps
	if waits {
		kinds = append(slices.Clone(asyncSteps), plainSteps...)
	}
	*places++
	steps := []step{{Do: "look", At: *places}}
	for range rapid.IntRange(0, 4).Draw(t, "steps") {
		*places++
		s := step{At: *places}
		s.Do = rapid.SampledFrom(kinds).Draw(t, "do")
		s.Store, s.Value, s.Times = rapid.IntRange(0, 1).Draw(t, "store"), rapid.IntRange(1, 9).Draw(t, "value"), rapid.IntRange(0, 2).Draw(t, "times")
		if deep > 0 {
			s.Body = drawSteps(t, !slices.Contains(syncBodies, s.Do), deep-1, places)
			s.More = drawSteps(t, true, deep-2, places)
		}
		steps = append(steps, s)
	}
	return steps
}

// held is what the two stores hold.
type held [2]int

func (h held) with(s step, value int) held { h[s.Store] = value; return h }

// model says what each place must see. A step that waits goes on with what was held
// when it began to wait; whoever called it goes on with that, too.
type model map[int][]held

func (m model) look(s step, h held) { m[s.At] = append(m[s.At], h) }

// now does one step that waits for nothing and returns what is held after it.
func (m model) now(s step, h held) held {
	still := func(h held) {
		for _, s := range s.Body {
			h = m.now(s, h)
		}
	}
	switch s.Do {
	case "look":
		m.look(s, h)
	case "enter":
		return h.with(s, s.Value)
	case "run", "throw":
		still(h.with(s, s.Value))
	case "exit":
		still(h.with(s, 0))
	case "bind", "snapshot", "resource":
		still(h)
	case "spawn":
		return m.steps(s.Body, h)
	default:
		m.steps(s.Body, h)
	}
	return h
}

// flow is an async function under way: what is held now, and where it waited first.
type flow struct {
	now, first held
	waited     bool
}

func (f *flow) wait() {
	if !f.waited {
		f.first, f.waited = f.now, true
	}
}

// steps does what an async function does and returns what its caller holds then.
func (m model) steps(steps []step, h held) held {
	f := flow{now: h}
	for _, s := range steps {
		m.step(&f, s)
	}
	f.wait()
	return f.first
}

func (m model) step(f *flow, s step) {
	switch s.Do {
	case "await", "sleep", "text":
		f.wait()
	case "rejected":
		f.wait()
		m.look(s, f.now)
		m.look(s, f.now)
	case "thenable", "chained":
		f.wait()
		m.look(s, f.now)
	case "call":
		f.now = m.steps(s.Body, f.now)
		f.wait()
	case "all", "race":
		f.now = m.steps(s.More, m.steps(s.Body, f.now))
		f.wait()
	case "within", "without":
		if s.Do == "without" {
			s.Value = 0
		}
		m.steps(s.Body, f.now.with(s, s.Value))
		f.wait()
	case "stream", "read", "piped":
		f.wait()
		for range s.Times {
			f.now = m.steps(s.Body, f.now)
		}
	case "generator":
		for range s.Times { // its body holds what whoever asks for more holds
			f.now = m.steps(s.More, f.now)
			f.wait()
			m.look(s, f.now)
			f.now = m.steps(s.Body, f.now)
		}
		f.wait()
	default:
		f.now = m.now(s, f.now)
	}
}

// Whatever code does, in any order and nesting, it finds the store that it ran or
// entered last, and none of what others did meanwhile.
func TestAsyncLocalStorageKeepsToItsModel(t *testing.T) {
	r, err := bundle.Bundle(t.Context(), bundle.Job{Name: "context", Files: os.DirFS("testdata/context"), Entry: "main.ts", Dir: t.TempDir(), Node: web.Node()})
	if err != nil {
		t.Fatal(err)
	}
	a := loaded(t, engine(t), r)
	rapid.Check(t, func(t *rapid.T) {
		places := 0
		steps := drawSteps(t, true, rapid.IntRange(0, 3).Draw(t, "deep"), &places)
		sent, err := json.Marshal(steps)
		if err != nil {
			t.Fatal(err)
		}
		res, err := a.Fetch(context.Background(), script.Request{Method: "POST", URL: "http://app.test/", Body: bytes.NewReader(sent)}, bare{})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, want := model{}, model{}
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		want.steps(steps, held{})
		if got, want := got.sorted(), want.sorted(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n sees %v\n must %v", sent, got, want)
		}
	})
}

// sorted is m with what each place saw in order, as loops may start what overlaps.
func (m model) sorted() model {
	for _, all := range m {
		slices.SortFunc(all, func(a, b held) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	}
	return m
}
