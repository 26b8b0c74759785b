package rule_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/rule"
)

type tree = map[string]any

func value(v any) tree                 { return tree{"value": tree{"any": v}} }
func path(steps ...string) tree        { return tree{"path": steps} }
func op(name string, of ...any) tree   { return tree{"op": name, "args": of} }
func call(name string, of ...any) tree { return tree{"call": name, "args": of} }

type fataler interface{ Fatal(...any) }

func parse(t fataler, e tree) *rule.Rule {
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rule.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAllows(t *testing.T) {
	ana := tree{"email": "ana@example.com", "groups": []string{"design"}, "n": 1, "nan": math.NaN()}
	page := tree{"owner": "ana@example.com", "team": "design", "tags": []any{"a", json.Number("2")}, "n": json.Number("10"), "big": int64(9007199254740993), "deep": tree{"x": nil}}
	owner := op("==", path("doc", "owner"), path("user", "email"))
	for _, c := range []struct {
		rule tree
		user tree
		doc  tree
		want bool
	}{
		{value(true), nil, nil, true},
		{value(false), ana, page, false},
		{value("true"), ana, page, false},
		{owner, ana, page, true},
		{owner, nil, page, false},
		{owner, ana, nil, false},
		{owner, nil, tree{"owner": nil}, false}, // nobody is not the owner of what has none
		{owner, tree{"email": nil}, tree{}, false},
		{op("!=", path("doc", "owner"), path("user", "email")), nil, page, false},
		{op("not", owner), nil, page, false},
		{op("==", path("doc", "gone"), value(nil)), ana, page, true},
		{op("!=", path("user"), value(nil)), ana, page, true},
		{op("!=", path("user"), value(nil)), nil, page, false},
		{op("!=", path("doc", "deep", "x"), value(nil)), ana, page, false},
		{call("contains", path("user", "groups"), path("doc", "team")), ana, page, true},
		{call("contains", path("user", "groups"), path("doc", "gone")), ana, page, false},
		{op("not", call("contains", path("doc", "gone"), value("x"))), ana, page, false},
		{call("contains", path("doc", "tags"), value(2)), ana, page, true},
		{call("contains", value([]any{nil, 1}), path("doc", "gone")), ana, page, false}, // what is not there is in no list
		{call("contains", value([]any{nil, 1}), value(nil)), ana, page, true},
		{op("<", path("user", "nan"), value(1)), ana, page, false},
		{op("!=", path("user", "nan"), value(1)), ana, page, false},
		{call("contains", path("doc", "owner"), value("ana")), ana, page, false}, // a text is no list
		{op(">=", path("doc", "n"), value(9.5)), ana, page, true},
		{op(">", path("doc", "n"), value("9")), ana, page, false},
		{op("<", value("a"), path("doc", "team")), ana, page, true},
		{op("==", path("doc", "big"), value(int64(9007199254740992))), ana, page, false},
		{op("==", path("user", "n"), value(1.0)), ana, page, true},
		{call("startswith", path("doc", "owner"), value("ana@")), ana, page, true},
		{op("==", call("lower", value("ÄB")), value("äb")), nil, nil, true},
		{op("==", call("length", path("doc", "tags")), value(2)), ana, page, true},
		{call("can", value("read"), value("app.notes")), ana, page, true},
		{call("can", value("write"), value("app.notes")), ana, page, false},
		{op("or", owner, op("<", value(1), value("a"))), ana, page, true},
		{op("or", op("<", value(1), value("a")), owner), ana, page, true},
		{op("or", call("contains", path("user", "groups"), path("doc", "gone")), owner), ana, page, true},
		{op("or", op("<", value(1), value("a")), value(false)), ana, page, false},
		{op("not", op("or", op("<", value(1), value("a")), value(false))), ana, page, false},
		{op("not", op("and", op("<", value(1), value("a")), value(false))), ana, page, true},
		{op("and", value(false), value(7)), ana, page, false},
		{op("not", op("and", value(true), value(7))), ana, page, false},
	} {
		asked := rule.Asked{User: c.user, Doc: c.doc, Can: func(action, on string) bool { return action == "read" && on == "app.notes" }}
		if got := parse(t, c.rule).Allows(asked); got != c.want {
			t.Errorf("%v for %v of %v: %v", c.rule, c.user, c.doc, got)
		}
	}
	if parse(t, call("can", value("read"), value("app.notes"))).Allows(rule.Asked{}) {
		t.Error("somebody can what nobody was asked")
	}
}

func drawValue(t *rapid.T, depth int) any {
	kinds := 9
	if depth > 2 {
		kinds = 7
	}
	switch rapid.IntRange(0, kinds).Draw(t, "value") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2, 3:
		return rapid.SampledFrom([]string{"", "a", "b", "A"}).Draw(t, "text")
	case 4:
		return rapid.IntRange(-2, 2).Draw(t, "int")
	case 5:
		return rapid.SampledFrom([]float64{-1, 0.5, 1, math.NaN(), math.Inf(1)}).Draw(t, "float")
	case 6:
		return json.Number(rapid.SampledFrom([]string{"1", "0.5", "1e999", "x"}).Draw(t, "number"))
	case 7:
		return struct{}{} // nothing that JSON has
	case 8:
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return drawValue(t, depth+1) }), 0, 3).Draw(t, "list")
	}
	return drawFields(t, depth+1)
}

func drawFields(t *rapid.T, depth int) tree {
	fields := tree{}
	for _, name := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, name) {
			fields[name] = drawValue(t, depth)
		}
	}
	return fields
}

func drawExpr(t *rapid.T, depth int) tree {
	kind := rapid.IntRange(0, 9).Draw(t, "expr")
	if depth > 4 {
		kind %= 4
	}
	inner := func() tree { return drawExpr(t, depth+1) }
	switch {
	case kind < 2:
		constants := []any{nil, true, false, "a", "b", 1, 0.5, []any{"a", nil, 1}}
		return value(rapid.SampledFrom(constants).Draw(t, "constant"))
	case kind < 4:
		return path(append([]string{rapid.SampledFrom([]string{"user", "doc"}).Draw(t, "root")}, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "steps")...)...)
	case kind == 4:
		return op("not", inner())
	case kind == 5:
		return call(rapid.SampledFrom([]string{"lower", "length"}).Draw(t, "call"), inner())
	case kind == 6:
		return call(rapid.SampledFrom([]string{"contains", "startswith"}).Draw(t, "call"), inner(), inner())
	case kind == 7:
		return call("can", value("read"), value("a"))
	}
	return op(rapid.SampledFrom([]string{"and", "or", "==", "!=", "<", "<=", ">", ">="}).Draw(t, "op"), inner(), inner())
}

func drawAsked(t *rapid.T) rule.Asked {
	a := rule.Asked{}
	if rapid.Bool().Draw(t, "signed in") {
		a.User = drawFields(t, 0)
	}
	if rapid.Bool().Draw(t, "there") {
		a.Doc = drawFields(t, 0)
	}
	can := rapid.Bool().Draw(t, "can")
	a.Can = func(string, string) bool { return can }
	return a
}

// Every rule has an answer for everybody and everything, and what cannot be worked
// out is neither true nor false: so the laws of logic hold, and nothing is allowed
// together with its opposite.
func TestLogic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, asked := drawExpr(t, 0), drawExpr(t, 0), drawAsked(t)
		allows := func(e tree) bool { return parse(t, e).Allows(asked) }
		same := func(law string, x, y tree) {
			if allows(x) != allows(y) {
				t.Errorf("%s: %v is %v, %v is %v", law, x, allows(x), y, allows(y))
			}
		}
		same("de Morgan", op("not", op("and", a, b)), op("or", op("not", a), op("not", b)))
		same("de Morgan", op("not", op("or", a, b)), op("and", op("not", a), op("not", b)))
		same("twice not", op("not", op("not", a)), a)
		same("unequal", op("not", op("==", a, b)), op("!=", a, b))
		same("less", op("not", op("<", a, b)), op(">=", a, b))
		same("both ways", op("==", a, b), op("==", b, a))
		same("turned round", op("<=", a, b), op(">=", b, a))
		if allows(a) && allows(op("not", a)) {
			t.Errorf("%v is allowed, and its opposite", a)
		}
		if allows(op("and", a, b)) != (allows(a) && allows(b)) {
			t.Errorf("%v and %v are allowed together and not each", a, b)
		}
		if allows(op("or", a, b)) != (allows(a) || allows(b)) {
			t.Errorf("of %v and %v one is allowed and not either", a, b)
		}
	})
}

// Where nothing is there nothing is equal, so an empty document is nobody's.
func TestNothingEqualsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.SampledFrom([]string{"a", "b"})
		left, right := path("doc", step.Draw(t, "left")), path("user", step.Draw(t, "right"))
		for _, e := range []tree{op("==", left, right), op("!=", left, right), op("<=", left, right), call("contains", left, right)} {
			if parse(t, e).Allows(rule.Asked{Doc: tree{}}) {
				t.Errorf("%v is allowed where there is nothing", e)
			}
		}
	})
}

// What the language writes is what is read here.
func TestLanguageAndRuleAgree(t *testing.T) {
	archive, err := txtar.ParseFile("../../spec/testdata/valid/rules.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := json.Unmarshal(archive.Files[len(archive.Files)-1].Data, &whole); err != nil {
		t.Fatal(err)
	}
	read := 0
	var visit func(v any)
	visit = func(v any) {
		if list, is := v.([]any); is {
			for _, inner := range list {
				visit(inner)
			}
		}
		fields, _ := v.(map[string]any)
		for name, inner := range fields {
			if name == "when" {
				parse(t, inner.(tree))
				read++
				continue
			}
			visit(inner)
		}
	}
	visit(whole)
	if read < 7 {
		t.Errorf("only %d rules were read", read)
	}
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat(`{"op":"not","args":[`, 200) + `{"value":{"any":true}}` + strings.Repeat(`]}`, 200)
	for _, text := range []string{
		"", "null", "{}", "[]", `{"value":{"any":1}} {}`, `{"value":{"any":1},"path":["doc"]}`, `{"path":["env","X"]}`, `{"op":"xor","args":[]}`,
		`{"op":"contains","args":[{"path":["doc"]},{"path":["doc"]}]}`, `{"call":"and","args":[{"path":["doc"]},{"path":["doc"]}]}`, `{"op":"not","args":[null]}`,
		`{"op":"not","args":[]}`, `{"call":"can","args":[{"path":["doc"]},{"value":{"any":"x"}}]}`, `{"call":"exec","args":[{"value":{"any":"x"}}]}`,
		`{"value":{"any":1},"else":2}`, `{"path":["doc"],"args":[{"path":["doc"]}]}`, deep,
	} {
		if _, err := rule.Parse([]byte(text)); err == nil {
			t.Errorf("%.80s is taken for a rule", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"op":"and","args":[{"call":"contains","args":[{"path":["user","groups"]},{"path":["doc","team"]}]},{"value":{"any":[1,null,"x"]}}]}`))
	f.Add([]byte(`{"op":"==","args":[{"path":["doc","a"]},{"value":{"any":{"a":[[]]}}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := rule.Parse(text)
		if err != nil {
			return
		}
		r.Allows(rule.Asked{})
		r.Allows(rule.Asked{User: tree{"groups": []string{"x"}}, Doc: tree{"team": "x", "a": []any{tree{}}}, Can: func(string, string) bool { return true }})
	})
}
