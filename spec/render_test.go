package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// finding makes a diagnostic about the first occurrence of word in src.
func finding(src, word string) Diagnostic {
	i := strings.Index(src, word)
	start := positionOf([]byte(src), i)
	end := start
	end.Byte += len(word)
	end.Column += utf8.RuneCountInString(word)
	at := Range{Filename: "apps.fazt.hcl", Start: start, End: end}
	return Diagnostic{
		Severity: Error, Code: "F1203", Summary: `unknown argument "` + word + `" in app "blog"`,
		Detail: `did you mean "visibility"? allowed: private, public, role`, Address: "app.blog",
		Range: &at, Snippet: snippet([]byte(src), at),
	}
}

func text(d Diagnostics, o TextOptions) string {
	var out strings.Builder
	d.WriteText(&out, o)
	return out.String()
}

func TestWriteText(t *testing.T) {
	got := text(Diagnostics{finding("app \"blog\" {\n\n  visibilty  = \"public\"\n}\n", "visibilty")}, TextOptions{})
	want := `error[F1203]: unknown argument "visibilty" in app "blog"
  --> apps.fazt.hcl:3:3
   |
 3 |   visibilty  = "public"
   |   ^^^^^^^^^
   = help: did you mean "visibility"? allowed: private, public, role
   = more: fazt explain F1203
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWriteTextOfTwoPlacesAndALongNumber(t *testing.T) {
	src := strings.Repeat("\n", 119) + "\thosts = [\"a\"]"
	d := finding(src, "[\"a\"]")
	d.Severity, d.Code, d.Summary, d.Detail = Warning, "F1406", "host \"a\" is listed twice", "one\ntwo"
	d.Related = []Related{{Message: "first listed here", Range: Range{Filename: "fazt.hcl", Start: Pos{Line: 4, Column: 7}}}}
	plain := Diagnostic{Severity: Error, Code: "F1006", Summary: "there is no configuration in this tree"}
	got := text(Diagnostics{d, plain}, TextOptions{})
	want := `warning[F1406]: host "a" is listed twice
    --> apps.fazt.hcl:120:10
     |
 120 |     hosts = ["a"]
     |             ^^^^^
     = note: fazt.hcl:4:7: first listed here
     = help: one
             two
     = more: fazt explain F1406

error[F1006]: there is no configuration in this tree
   = more: fazt explain F1006
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// underlined returns what stands above the carets, cell by cell.
func underlined(t *testing.T, out string) string {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		from := strings.IndexByte(line, '^')
		if from < 0 {
			continue
		}
		to := strings.LastIndexByte(line, '^') + 1
		var cells []string // a wide character takes two, a combining one none
		for _, r := range lines[i-1] {
			switch n := columnsOf(r); {
			case n == 0:
				cells[len(cells)-1] += string(r)
			default:
				cells = append(cells, string(r))
				cells = append(cells, make([]string, n-1)...)
			}
		}
		return strings.Join(cells[from:min(to, len(cells))], "")
	}
	t.Fatalf("no caret in\n%s", out)
	return ""
}

func TestCaretStandsUnderWhatIsMeant(t *testing.T) {
	for _, before := range []string{"", "  ", "\t", " \t ", "é ", "e\u0301 ", "日本 = ", "\"😀\" ", "\u202e ", "\x1b[31m", "\x00"} {
		src := "first\n" + before + "wrong = 1\nlast\n"
		if got := underlined(t, text(Diagnostics{finding(src, "wrong")}, TextOptions{})); got != "wrong" {
			t.Errorf("after %q the carets are under %q", before, got)
		}
	}
	if got := underlined(t, text(Diagnostics{finding("a = 日本語 b", "日本語")}, TextOptions{})); got != "日本語" {
		t.Errorf("the carets are under %q", got)
	}
}

func TestCaretOfAnEmptyRange(t *testing.T) {
	src := "a = [1"
	at := Range{Filename: "a.fazt.hcl", Start: Pos{Line: 1, Column: 7, Byte: 6}, End: Pos{Line: 1, Column: 7, Byte: 6}}
	got := text(Diagnostics{{Severity: Error, Code: "F1001", Summary: "x", Range: &at, Snippet: snippet([]byte(src), at)}}, TextOptions{})
	if !strings.Contains(got, "\n 1 | a = [1\n   |       ^\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestWriteTextCannotSteerATerminal(t *testing.T) {
	src := "a\x1b]0;owned\x07\u202e\u2066b\x7f\u200b\u2028 = \"\u009b31m\"\r\n"
	d := finding(src, "owned")
	d.Summary, d.Detail = "bad "+src, "worse "+src
	d.Range.Filename = "x\x1b[2J\n.fazt.hcl"
	d.Related = []Related{{Message: src, Range: *d.Range}}
	got := text(Diagnostics{d}, TextOptions{})
	for _, r := range got {
		if r != '\n' && hidden(r, utf8.RuneLen(r)) {
			t.Errorf("%U reached the output:\n%q", r, got)
		}
	}
	if !strings.Contains(got, `\x1b]0;owned\a\u202e`) {
		t.Errorf("what was escaped cannot be seen:\n%s", got)
	}
	if c := text(Diagnostics{d}, TextOptions{Color: true}); stripColors(c) != got {
		t.Errorf("colours change more than colours:\n%q\n%q", c, got)
	}
}

func stripColors(s string) string {
	for _, style := range []string{styleError, styleWarning, styleGutter, styleStrong, "0"} {
		s = strings.ReplaceAll(s, "\x1b["+style+"m", "")
	}
	return s
}

func TestWriteTextShowsTwentyAndCountsTheRest(t *testing.T) {
	var d Diagnostics
	for i := range 25 {
		one := Diagnostic{Severity: Error, Code: "F1001", Summary: fmt.Sprintf("number %d", i)}
		if i == 24 {
			one.Severity = Warning
		}
		d = append(d, one)
	}
	got := text(d, TextOptions{})
	if strings.Count(got, "number ") != 20 || !strings.HasSuffix(got, "\n4 errors, 1 warning not shown\n") {
		t.Errorf("got\n%s", got)
	}
	if got := text(d, TextOptions{Max: 25}); strings.Count(got, "number ") != 25 || strings.Contains(got, "not shown") {
		t.Errorf("got\n%s", got)
	}
}

func TestWriteGitHub(t *testing.T) {
	d := finding("app \"blog\" {\n  visibilty = 1\n}\n", "visibilty")
	d.Range.Filename = "a,b:c%.fazt.hcl"
	d.Summary, d.Detail = "100% wrong: x", "line one\r\nline, two"
	w := Diagnostic{Severity: Warning, Code: "F2010", Summary: "empty"}
	var out strings.Builder
	Diagnostics{d, w}.WriteGitHub(&out)
	want := "::error file=a%2Cb%3Ac%25.fazt.hcl,line=2,col=3,title=F1203::100%25 wrong: x%0Aline one%0D%0Aline, two\n" +
		"::warning title=F2010::empty\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestSortIsByFileLineAndCode(t *testing.T) {
	at := func(file string, line int, code, summary string) Diagnostic {
		return Diagnostic{Severity: Error, Code: code, Summary: summary, Range: &Range{Filename: file, Start: Pos{Line: line, Column: 1}}}
	}
	want := Diagnostics{
		{Severity: Error, Code: "F1405", Summary: "no place"},
		at("a", 1, "F1203", ""), at("a", 2, "F1201", ""), at("a", 2, "F1301", ""), at("b", 1, "F1001", "x"), at("b", 1, "F1001", "y"),
	}
	rapid.Check(t, func(t *rapid.T) {
		got := Diagnostics(rapid.Permutation(want).Draw(t, "order")).Sort()
		for i := range got {
			if got[i].Code != want[i].Code || got[i].position() != want[i].position() || got[i].Summary != want[i].Summary {
				t.Fatalf("got %v", got)
			}
		}
	})
}

func TestDiagnosticsAsAnError(t *testing.T) {
	d := Diagnostics{{Severity: Warning, Code: "F2010", Summary: "empty"}, finding("visibilty = 1", "visibilty"), {Severity: Error, Code: "F1001", Summary: "x"}}
	want := `apps.fazt.hcl:1:1: unknown argument "visibilty" in app "blog" [F1203] (and 1 more error)`
	if d.Error() != want || !d.HasErrors() || len(d.Errors()) != 2 {
		t.Errorf("got %q", d.Error())
	}
	if got := d.Summary(3); got != "2 errors, 1 warning in 1 of 3 files" {
		t.Errorf("got %q", got)
	}
	if got := (Diagnostics{d[1]}).Summary(1); got != "1 error in 1 of 1 file" {
		t.Errorf("got %q", got)
	}
	if d[:1].HasErrors() || len(d[:1].Errors()) != 0 {
		t.Error("a warning counts as an error")
	}
}

// TestSnippet states what a snippet is for any text and range: one whole line,
// marks inside of it, the same after a trip through JSON.
func TestSnippet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := []byte(strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "é", "日", "\xff", "\n", "\r\n", "\t", strings.Repeat("long é", 60)})).Draw(t, "src"), ""))
		from := rapid.IntRange(0, len(src)).Draw(t, "from")
		to := rapid.IntRange(from, len(src)).Draw(t, "to")
		r := Range{Filename: "x", Start: positionOf(src, from), End: positionOf(src, to)}
		s := snippet(src, r)
		if s == nil {
			if len(src) > 0 {
				t.Fatal("no snippet")
			}
			return
		}
		if s.Start < 0 || s.End < s.Start || s.End > len(s.Code) || strings.Contains(s.Code, "\n") || len(s.Code) > longLine+utf8.UTFMax || !utf8.ValidString(s.Code) {
			t.Fatalf("got %+v", s)
		}
		if utf8.Valid(src) && !bytes.Contains(src, []byte(s.Code)) {
			t.Fatalf("%q is not in the text", s.Code)
		}
		wire, _ := json.Marshal(s)
		var back Snippet
		if json.Unmarshal(wire, &back) != nil || back != *s {
			t.Fatalf("%+v became %+v", s, back)
		}
		text(Diagnostics{{Range: &r, Snippet: s}}, TextOptions{})
	})
}

func TestSnippetOutsideOfTheText(t *testing.T) {
	for _, r := range []Range{{}, {Start: Pos{Line: 9, Column: 1, Byte: 99}}, {Start: Pos{Line: 1, Byte: -1}}} {
		if s := snippet([]byte("a = 1\n"), r); s != nil {
			t.Errorf("%+v: got %+v", r, s)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"content", "hosts", "spa", "redirects", "headers", "where", "for_each", "enabled"}
	for word, want := range map[string]string{
		"host": "hosts", "hsots": "hosts", "Content": "content", "contnet": "content", "redirect": "redirects", "wher": "where",
		"red": "redirects", "enable": "enabled", "h": "", "xyz": "", "": "", "spaa": "spa", "visibility": "", "sp": "spa", "x": "", "he": "headers", "ab": "",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := nearest("prod-2", []string{"prod-1", "prod-3"}); got != "prod-1" {
		t.Errorf("of two equally near ones got %q, want the first", got)
	}
	if slices.Contains([]string{"a", "b"}, nearest("c", []string{"a", "b"})) {
		t.Error("any letter is near to any other")
	}
}
