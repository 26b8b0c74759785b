package op_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/op"
)

// every has a field of every kind, some with defaults that an encoder may leave
// out and a decoder must put back.
type every struct {
	Text     string            `json:"text" help:"x"`
	Preset   string            `default:"<p>" json:"preset" help:"x"`
	Level    level             `enum:"a,b" default:"b" json:"level" help:"x"`
	Flag     bool              `json:"flag" help:"x"`
	On       bool              `default:"true" json:"on" help:"x"`
	Int      int               `default:"-7" json:"int" help:"x"`
	Small    int8              `json:"small" help:"x"`
	Uint     uint64            `json:"uint" help:"x"`
	Float    float64           `default:"1.5" json:"float" help:"x"`
	Wait     time.Duration     `default:"1m30s" json:"wait" help:"x"`
	List     []string          `json:"list" help:"x"`
	Some     []level           `default:"a,b" json:"some" help:"x"`
	Vars     map[string]string `json:"vars" help:"x"`
	SomeVars map[string]string `default:"a=b" json:"some_vars" help:"x"`
	Must     string            `required:"" json:"must" help:"x"`
	File     op.File           `json:"file" help:"x"`
}

func anyEvery(t *rapid.T) every {
	words := rapid.StringOf(rapid.Rune().Filter(utf8.ValidRune))
	vars := rapid.Custom(func(t *rapid.T) map[string]string {
		return rapid.OneOf(rapid.Just(map[string]string(nil)), rapid.MapOf(words, words)).Draw(t, "map")
	})
	in := every{
		Text: words.Draw(t, "text"), Preset: rapid.OneOf(words, rapid.Just("<p>")).Draw(t, "preset"),
		Level: rapid.SampledFrom([]level{"a", "b", ""}).Draw(t, "level"),
		Flag:  rapid.Bool().Draw(t, "flag"), On: rapid.Bool().Draw(t, "on"),
		Int: rapid.OneOf(rapid.Int(), rapid.Just(-7)).Draw(t, "int"), Small: rapid.Int8().Draw(t, "small"),
		Uint: rapid.Uint64().Draw(t, "uint"), Float: rapid.Float64().Draw(t, "float"),
		Wait: time.Duration(rapid.Int64().Draw(t, "wait")),
		List: rapid.OneOf(rapid.Just([]string(nil)), rapid.SliceOf(words)).Draw(t, "list"),
		Some: rapid.OneOf(rapid.Just([]level(nil)), rapid.SliceOf(rapid.SampledFrom([]level{"a", "b"}))).Draw(t, "some"),
		Vars: vars.Draw(t, "vars"), SomeVars: vars.Draw(t, "some vars"), Must: words.Draw(t, "must"),
	}
	if rapid.Bool().Draw(t, "with a file") {
		in.File = op.File{Name: words.Draw(t, "file"), Bytes: append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...)}
	}
	return in
}

// What is called is what runs, for every value of every kind of field.
func TestInputsArriveAsTheyLeft(t *testing.T) {
	var got every
	o := op.New(op.Row{Name: "x", Summary: "x", Effect: op.Read, Needs: op.Observe}, func(_ context.Context, in every) (struct{}, error) {
		got = in
		return struct{}{}, nil
	})
	if err := (op.Table{o}).Check(); err != nil {
		t.Fatal(err)
	}
	c := &op.Client{HTTP: op.Pipe(op.NewHandler(op.Table{o}, op.HandlerConfig{}))}
	rapid.Check(t, func(t *rapid.T) {
		want := anyEvery(t)
		reply, err := c.Call(context.Background(), o, want)
		if err != nil || reply.Err() != nil {
			t.Fatal(err, reply)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%#v\nwant\n%#v", got, want)
		}
	})
}

func TestDefaultsStayUnsaid(t *testing.T) {
	table := sample(nil)
	call, err := op.Parse(table, []string{"app", "list"})
	if err != nil {
		t.Fatal(err)
	}
	line, err := (&op.Client{}).Curl(call.Op, call.In)
	if err != nil || !strings.HasSuffix(line, "-d '{}'") {
		t.Errorf("%s %v", line, err)
	}
}

// No JSON makes any decoder of the table panic or be believed half.
func FuzzInputs(f *testing.F) {
	table := sample(nil)
	h := op.NewHandler(table, op.HandlerConfig{Log: quiet()})
	for _, seed := range []string{
		`{}`, `{"app":"a","limit":3,"since":"3s","label":["a"],"var":{"a":"b"},"ratio":1e3,"format":"md"}`,
		`{"how":"plain"}`, `{"app":null}`, `{"limit":1e999}`, `{"app":"\ud800"}`, `[`, `{"a":`, "\xff", `{"var":{"":null}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, o := range table {
			if o.Row().Local {
				continue
			}
			r := post(t, h, o.Path(), string(body)+" ")
			if r.StatusCode >= 500 && o.Row().Name != "fail" && o.Row().Name != "app logs" {
				t.Fatalf("%s answers %d to %q", o.Row().Name, r.StatusCode, body)
			}
			answer := text(t, r.Body)
			for line := range strings.Lines(answer) {
				if !json.Valid([]byte(line)) {
					t.Fatalf("%s answers %q to %q", o.Row().Name, answer, body)
				}
			}
		}
	})
}

// No command line makes the parser panic, and a refusal is a usage error.
func FuzzParse(f *testing.F) {
	table := sample(nil)
	for _, seed := range []string{"@prod app list --limit 5 -a", "app remove x --yes", "-- a", "-", "--=", "-=", "--limit=", "- -- -", "@", "--json=perhaps"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		call, err := op.Parse(table, strings.Split(line, " "))
		if err != nil {
			if op.ExitOf(err) != 64 || err.Error() == "" {
				t.Fatalf("%q: exit %d, %v", line, op.ExitOf(err), err)
			}
			return
		}
		if call.Globals.Help || call.Globals.Version {
			return
		}
		if _, err := (&op.Client{}).Curl(call.Op, call.In); err != nil {
			t.Fatalf("%q was parsed, but cannot be sent: %v", line, err)
		}
	})
}

// A request costs about as much as its input; the ceiling is what was measured on
// the day it was written and a little more.
func TestDecodingAllocatesLittle(t *testing.T) {
	o := op.New(op.Row{Name: "x", Summary: "x", Effect: op.Read, Needs: op.Observe}, func(context.Context, every) (struct{}, error) { return struct{}{}, nil })
	h := op.NewHandler(op.Table{o}, op.HandlerConfig{})
	body := []byte(`{"text":"a","int":3,"wait":"3s","list":["a","b"],"vars":{"a":"b"},"must":"m"}`)
	w := &nowhere{header: http.Header{}}
	got := testing.AllocsPerRun(100, func() {
		r, _ := http.NewRequest(http.MethodPost, "http://x/v1/x", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(w, r)
	})
	if got > 150 {
		t.Errorf("a request allocates %.0f times", got)
	}
}

type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}
