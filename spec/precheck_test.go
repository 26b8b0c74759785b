package spec

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"pgregory.net/rapid"
)

// nesters are the texts that overflow the stack of an unguarded parser, each
// repeated far fewer times than it takes.
func nesters() map[string]string {
	n := 40000
	return map[string]string{
		"brackets":         "a = " + strings.Repeat("[", n),
		"parentheses":      "a = " + strings.Repeat("(", n),
		"objects":          "a = " + strings.Repeat("{a=", n),
		"interpolations":   "a = " + strings.Repeat(`"${`, n),
		"negations":        "a = " + strings.Repeat("!", n) + "true",
		"minus signs":      "a = " + strings.Repeat("-", n) + "1",
		"spaced minus":     "a = 1e-5 " + strings.Repeat("- ", n) + "1",
		"blocks":           strings.Repeat("a {\n", n),
		"conditionals":     "a = " + strings.Repeat("b ? c : ", n) + "d",
		"inner conditions": "a = " + strings.Repeat("b ? ", n),
		"calls":            "a = " + strings.Repeat("f(", n),
		"splats":           "a = b" + strings.Repeat("[*]", n),
		"directives":       `a = "` + strings.Repeat("%{if a}", n) + `"`,
		"loops":            `a = "` + strings.Repeat("%{for a in b}", n) + `"`,
		"control":          "a = " + strings.Repeat(`"%{ if `, n),
		"heredocs":         "a = " + strings.Repeat("<<E\n${", n),
		"behind a comment": "/* x */ a = // y\n" + strings.Repeat("[", n),
		"unsigned number":  "a = 1e-5" + strings.Repeat("-", n) + "1",
		"after an escape":  `a = "$${" ` + strings.Repeat("[", n),
		"after a heredoc":  "a = <<E\n\"\n E\nb = " + strings.Repeat("[", n),
		"false ends":       `a = "` + strings.Repeat("%{if a}%{endifx}", n) + `"`,
		"mixed":            "a = " + strings.Repeat(`[{a=!("${`, n/10),
	}
}

func TestPrecheckRefusesNesters(t *testing.T) {
	for name, text := range nesters() {
		d := precheck("x.fazt.hcl", []byte(text))
		if d == nil || d.Code != codeNesting {
			t.Errorf("%s: got %+v, want %s", name, d, codeNesting)
		}
	}
	for _, text := range []string{
		strings.Repeat("[", 2000),
		strings.Repeat(`{"a":`, 2000),
		strings.Repeat(`[}`, 2000),
		`{"a": "${` + strings.Repeat("[", 2000) + `"}`,
		`{"a": "` + strings.Repeat("f(", 2000) + `"}`,
		`{"a": "${` + strings.Repeat(`\u005b`, 2000) + `"}`,
		`{"` + strings.Repeat(`${\"`, 2000) + `": 1}`,
	} {
		if d := precheck("x.fazt.json", []byte(text)); d == nil || d.Code != codeNesting {
			t.Errorf("%.20s: got %+v, want %s", text, d, codeNesting)
		}
	}
}

func TestPrecheckNamesThePlace(t *testing.T) {
	text := "# é\na = 1\nb = " + strings.Repeat("[", maxNesting+1)
	d := precheck("apps/a.fazt.hcl", []byte(text))
	want := Pos{Line: 3, Column: 5 + maxNesting, Byte: len(text) - 1}
	if d == nil || d.Range.Start != want || d.Range.Filename != "apps/a.fazt.hcl" || d.Snippet == nil {
		t.Fatalf("got %+v, want the last bracket at %+v", d, want)
	}
}

func TestPrecheckRefusesWhatIsNoText(t *testing.T) {
	long := "a = 0" + strings.Repeat(" + 1", maxSteps+1)
	for _, c := range []struct{ name, text, code string }{
		{"latin 1", "a = \"caf\xe9\"", codeNotText},
		{"half a character", "a = \"\xe2\x82", codeNotText},
		{"utf-16", "a\x00=\x001\x00", codeNul},
		{"too large", strings.Repeat("#", maxFileSize+1), codeFileSize},
		{"open comment", "a = 1 /* never\nclosed", codeOpenComment},
		{"many open comments", strings.Repeat("/* ", 1000), codeOpenComment},
		{"marker", "a = <<ÉND\nx\nÉND\n", codeMarker},
		{"long sum", long, codeLongExpression},
		{"long path", "a = f()" + strings.Repeat("[b]", maxSteps+1), codeLongExpression},
	} {
		if d := precheck("fazt.hcl", []byte(c.text)); d == nil || d.Code != c.code || d.Detail == "" {
			t.Errorf("%s: got %+v, want %s", c.name, d, c.code)
		}
	}
	if d := precheck("x.fazt.json", []byte("{\"a\": \"\u0600\"}")); d == nil || d.Code != codePrepend {
		t.Errorf("a character that swallows the quote: got %+v", d)
	}
}

func TestPrecheckAcceptsOrdinaryText(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":           "",
		"byte order mark":   "\ufeffa = 1\n",
		"brackets as text":  "a = \"" + strings.Repeat("[({!?", 200) + "\"\n",
		"escapes":           `a = "\"` + strings.Repeat("(", 200) + `\\"` + "\n",
		"escaped sequences": `a = "` + strings.Repeat("$${", 200) + strings.Repeat("%%{", 200) + `"` + "\n",
		"comments":          strings.Repeat("# ((((\n// [[[[\n/* {{{{ */\n", 100),
		"heredoc":           "a = <<-EOT\n" + strings.Repeat("  [[[ $${ \" # /*\n", 100) + "  EOT\n",
		"crlf heredoc":      "a = <<EOT\r\n" + strings.Repeat("((\r\n", 100) + "EOT\r\nb = 1\r\n",
		"many blocks":       strings.Repeat("app \"x\" {\n  a = !b ? -1 : c[*].d\n}\n", 5000),
		"long list":         "a = [\n" + strings.Repeat("  -1 - var.x[0],\n", 5000) + "]\n",
		"long object":       "a = {\n" + strings.Repeat("  k : local.a.b.c.d\n", 5000) + "}\n",
		"many sequences":    `a = "` + strings.Repeat("${a.b}%{if c}x%{endif}", 2000) + `"` + "\n",
		"trimmed sequences": `a = "` + strings.Repeat("%{~ for c in d ~}x%{~ endfor ~}", 2000) + `"` + "\n",
		"division":          "a = b / c\n",
	} {
		if d := precheck("fazt.hcl", []byte(text)); d != nil {
			t.Errorf("%s: refused with %+v", name, d)
		}
	}
	text := `{"app": {"a": {"content": "apps/a", "headers": ["` + strings.Repeat(`(a) \"[b]\" - `, 500) + `"]}}}`
	if d := precheck("x.fazt.json", []byte(text)); d != nil {
		t.Errorf("json: refused with %+v", d)
	}
}

// hclDepths returns, for each opening bracket of the language's own scanner, how
// many are open at it.
func hclDepths(src []byte) map[int]int {
	tokens, _ := hclsyntax.LexConfig(src, "x", hcl.InitialPos)
	depths, stack := map[int]int{}, []hclsyntax.TokenType{}
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			stack = append(stack, t.Type)
			depths[t.Range.Start.Byte] = len(stack)
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack:
			fits := map[hclsyntax.TokenType]hclsyntax.TokenType{
				hclsyntax.TokenCParen: hclsyntax.TokenOParen, hclsyntax.TokenCBrack: hclsyntax.TokenOBrack,
			}
			if n := len(stack); n > 0 && stack[n-1] == fits[t.Type] {
				stack = stack[:n-1]
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd:
			for n := len(stack); n > 0; n = len(stack) {
				closed := stack[n-1]
				stack = stack[:n-1]
				if closed != hclsyntax.TokenOParen && closed != hclsyntax.TokenOBrack {
					break
				}
			}
		}
	}
	return depths
}

// FuzzPrecheckSeesEveryBracket holds the scanner against the language's own:
// what that one takes for an opening bracket, ours must too, at least as deep.
func FuzzPrecheckSeesEveryBracket(f *testing.F) {
	for _, text := range nesters() {
		f.Add([]byte(text[:min(len(text), 300)]))
	}
	for _, text := range []string{
		"a = \"$$${b}\" + <<E\n%%{x}${y}\n E \nc = [1, (2)]\n", "a = \"\\${b}\" \"\\\n${c}\"", "<<E\n$\r\n${a} E\nE\n(",
		"a = 1..5.e(", "a = 1e5e-5-(", "# x\r(\n(", "/**/(/*/*/(", "{~}[", "\"${~x~}\"[", "<<-E-E\r\nE-E\r\n(", "x<<E\n(E\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if at := unseen(src); at >= 0 {
			t.Fatalf("%q: the bracket at %d is deeper than it is seen", src, at)
		}
	})
}

// TestPrecheckSeesEveryBracket is the same for texts put together from what
// matters to a scanner.
func TestPrecheckSeesEveryBracket(t *testing.T) {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		"(", ")", "[", "]", "{", "}", "~}", "\"", "${", "$", "%{", "%", "$${", "%%{", "~", "\\", "\n", "\r\n", " ", "<<E\n", "<<-E\n",
		"<<E", "E\n", "\nE\n", "E", "#", "//", "/*", "*/", "*", "/", "1e-5", "1.", "..", "-", "!", "?", ":", "=", ",", "a", "a-b",
		"if", "endif", "for", "endfor", "é", "=>", "==", "&&", "'", "`", "\r",
	}), 1, 150)
	rapid.Check(t, func(t *rapid.T) {
		src := []byte(strings.Join(pieces.Draw(t, "pieces"), ""))
		if at := unseen(src); at >= 0 {
			t.Fatalf("%q: the bracket at %d is deeper than it is seen", src, at)
		}
	})
}

// unseen returns where the language's scanner is deeper in brackets than ours,
// or -1.
func unseen(src []byte) int {
	if checkText(src) != nil {
		return -1
	}
	got := map[int]int{}
	s := newScanner(src, false)
	for s.pos < len(src) {
		at, before := s.pos, len(s.frames)
		if s.step() != nil {
			break
		}
		if len(s.frames) > before && !s.top().region.template() {
			got[at] = s.depth
		}
	}
	for at, depth := range hclDepths(src) {
		if at < s.pos && got[at] < depth {
			return at
		}
	}
	return -1
}

// FuzzPrecheckProtectsTheParsers lets the parsers loose on what was accepted,
// with a hundredth of the stack that they have by default: overflowing it ends
// the process.
func FuzzPrecheckProtectsTheParsers(f *testing.F) {
	for _, text := range nesters() {
		f.Add([]byte(text[:min(len(text), 2000)]))
		f.Add([]byte(`{"a": "` + strings.ReplaceAll(text[:min(len(text), 500)], `"`, `\"`) + `"}`))
	}
	f.Add([]byte(strings.Repeat("a {\n", maxNesting) + strings.Repeat("}\n", maxNesting)))
	f.Add([]byte("a = " + strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting)))
	f.Add([]byte("a = 0" + strings.Repeat(" + 1", maxSteps)))
	f.Fuzz(func(t *testing.T, src []byte) {
		defer debug.SetMaxStack(debug.SetMaxStack(10 << 20))
		if precheck("x.fazt.hcl", src) == nil {
			file, _ := hclsyntax.ParseConfig(src, "x.fazt.hcl", hcl.InitialPos)
			attributes, _ := file.Body.JustAttributes()
			for _, a := range attributes {
				_, _ = a.Expr.Value(nil)
			}
		}
		if precheck("x.fazt.json", src) == nil {
			file, _ := hcljson.Parse(src, "x.fazt.json")
			if file == nil {
				return
			}
			attributes, _ := file.Body.JustAttributes()
			for _, a := range attributes {
				_ = a.Expr.Variables()
				_, _ = a.Expr.Value(nil)
				_, _ = hcl.ExprCall(a.Expr)
			}
		}
	})
}
