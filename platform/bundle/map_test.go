package bundle_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// A line of the program leads back to the file and line it came from, also
// through packages and past what TypeScript leaves out.
func TestSourceMap(t *testing.T) {
	r, err := pack(t, tree(
		"api/main.ts", "import { fail } from \"../lib/fail\";\nimport p from \"p\";\n\ninterface Gone {\n  a: string;\n}\n\nexport default {\n  fetch(): Response {\n    p();\n    return fail<Gone>(\"here\");\n  },\n};\n",
		"lib/fail.ts", "type T = string;\n\n// a comment\nexport function fail<X>(what: T): Response {\n  throw new Error(\n    `failed: ${what}`,\n  );\n}\n",
		"node_modules/p/index.js", "// a package\nmodule.exports = function p() {\n  return \"in a package\";\n};\n"))
	if err != nil {
		t.Fatal(err)
	}
	m := decode(t, r.Map)
	for mark, want := range map[string]string{
		"`failed: ":              "lib/fail.ts:6",
		`fail("here")`:           "api/main.ts:11",
		`return "in a package"`:  "node_modules/p/index.js:3",
		"module.exports = ":      "node_modules/p/index.js:2",
		"(0, import_p.default)(": "api/main.ts:10",
	} {
		line, column := find(t, string(r.Code), mark)
		if got := m.place(line, column); got != want {
			t.Errorf("%s at %d:%d comes from %s, want %s", mark, line, column, got, want)
		}
	}
	for i, name := range m.Sources {
		if !strings.Contains(name, "/") || m.SourcesContent[i] == "" {
			t.Errorf("source %q has no text", name)
		}
	}
	if strings.Contains(string(r.Code), "sourceMappingURL") {
		t.Error("the program names a map that is not beside it")
	}
}

// find returns line and column of a mark, both from 0.
func find(t *testing.T, code, mark string) (line, column int) {
	t.Helper()
	at := strings.Index(code, mark)
	if at < 0 {
		t.Fatalf("there is no %s in\n%s", mark, code)
	}
	return strings.Count(code[:at], "\n"), at - strings.LastIndex(code[:at], "\n") - 1
}

type sourceMap struct {
	Version        int
	Sources        []string
	SourcesContent []string
	Mappings       string
	lines          [][]mapping
}

// mapping is a column of the program and where it comes from.
type mapping struct{ column, source, line int }

func decode(t *testing.T, raw []byte) *sourceMap {
	t.Helper()
	var m sourceMap
	if err := json.Unmarshal(raw, &m); err != nil || m.Version != 3 {
		t.Fatalf("version %d, %v", m.Version, err)
	}
	var at mapping
	for _, line := range strings.Split(m.Mappings, ";") {
		at.column = 0
		var list []mapping
		for _, segment := range strings.Split(line, ",") {
			n := numbers(t, segment)
			if len(n) < 4 {
				continue
			}
			at.column, at.source, at.line = at.column+n[0], at.source+n[1], at.line+n[2]
			list = append(list, at)
		}
		m.lines = append(m.lines, list)
	}
	return &m
}

// numbers reads base 64 digits of six bits each: one that goes on, five of a
// number, whose lowest is the sign.
func numbers(t *testing.T, segment string) []int {
	t.Helper()
	var list []int
	value, shift := 0, 0
	for _, r := range segment {
		digit := strings.IndexRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", r)
		if digit < 0 {
			t.Fatalf("%q is no digit", r)
		}
		value |= digit & 31 << shift
		if shift += 5; digit&32 != 0 {
			continue
		}
		n := value >> 1
		if value&1 == 1 {
			n = -n
		}
		list, value, shift = append(list, n), 0, 0
	}
	return list
}

// place is file:line of what was there last at or before a column.
func (m *sourceMap) place(line, column int) string {
	found := "nowhere"
	for _, p := range m.lines[line] {
		if p.column <= column {
			found = m.Sources[p.source] + ":" + strconv.Itoa(p.line+1)
		}
	}
	return found
}
