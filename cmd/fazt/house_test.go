package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fazt-sh/fazt/"

// mayImport is the import law: what each package may take from the house, and
// why it may take no more. A package that is not in the table fails the test.
var mayImport = map[string]struct {
	ours   []string
	reason string
}{
	"cmd/fazt":           {[]string{"*"}, "it puts the pieces together"},
	"cmd/fazt/bench":     {[]string{"platform/fault"}, "it measures the built binary from outside"},
	"docs":               {nil, "it embeds the book and nothing else"},
	"spec":               {nil, "the language is testable with a string and the same everywhere"},
	"reconcile":          {[]string{"spec", "reconcile/plan", "reconcile/source", "platform/clock", "platform/fault", "platform/failpoint"}, "the loop is testable without a server"},
	"reconcile/plan":     {[]string{"spec", "spec/access"}, "the difference is a pure function of two lists"},
	"spec/access":        {[]string{"spec"}, "who may do what is a pure function of objects, the same for plan and gate"},
	"reconcile/source":   {[]string{"platform/fault", "platform/failpoint"}, "it knows files and revisions, not what they say"},
	"edge":               {[]string{"spec", "spec/access", "edge/*", "platform/*", "!platform/op"}, "serving does not know how it is changed"},
	"edge/limit":         {nil, "it counts, and knows neither configuration nor routes"},
	"edge/cert":          {[]string{"platform/fault"}, "it knows hosts and credentials, neither routes nor the language"},
	"edge/function":      {[]string{"platform/script", "platform/fault"}, "it knows a program, not what a binding is made of"},
	"edge/gate":          {[]string{"edge/gate/passkey", "edge/gate/provider", "platform/identity", "platform/fault"}, "it knows who somebody is, not what an app is and who may see it"},
	"edge/gate/provider": {[]string{"platform/identity", "platform/fault"}, "it asks others who somebody is, and knows no session"},
	"edge/gate/passkey":  {[]string{"platform/fault"}, "it knows keys, neither people nor requests"},
	"edge/gate/mock":     {[]string{"edge/gate", "edge/gate/provider", "platform/identity", "platform/fault"}, "it vouches for anybody, so fazt dev alone has it"},
	"edge/static":        {[]string{"edge/rewrite", "platform/blob", "platform/fault"}, "it serves a manifest and knows no configuration"},
	"edge/listen":        {[]string{"platform/fault"}, "it knows connections, not what they carry"},
	"edge/rewrite":       {[]string{"platform/fault"}, "it is a table of rules"},
	"platform":           {[]string{"platform/*", "!platform/op"}, "it opens the ground in order"},
	"platform/binding":   {[]string{"platform/egress", "platform/fault", "platform/queue", "platform/rule", "platform/script", "platform/secret", "platform/storage"}, "it knows one app's own things, not how they came about"},
	"platform/clock":     {nil, "it is a time that one can trust"},
	"platform/fault":     {nil, "it is the ground floor"},
	"platform/failpoint": {nil, "it is a name and nothing else in a release build"},
	"platform/sqlite":    {[]string{"platform/fault", "platform/failpoint"}, "it holds no tables"},
	"platform/blob":      {[]string{"platform/fault", "platform/failpoint"}, "it stores bytes by digest"},
	"platform/journal":   {[]string{"platform/sqlite", "platform/fault", "platform/failpoint"}, "it records what happened"},
	"platform/release":   {[]string{"platform/sqlite", "platform/fault", "platform/failpoint"}, "it remembers generations"},
	"platform/applog":    {[]string{"platform/fault"}, "it keeps lines, not what they are about"},
	"platform/usage":     {[]string{"platform/sqlite", "platform/fault"}, "it counts bytes, not budgets"},
	"platform/mail":      {[]string{"platform/sqlite", "platform/fault"}, "it sends, and knows neither why nor to whom"},
	"platform/identity":  {[]string{"platform/sqlite", "platform/fault"}, "it knows people, and neither requests nor what people may do"},
	"platform/archive":   {[]string{"platform/fault"}, "it packs pieces and does not know what they are"},
	"platform/storage":   {[]string{"platform/sqlite", "platform/fault"}, "it keeps what apps keep, and knows neither HTTP nor a language"},
	"platform/queue":     {[]string{"platform/sqlite", "platform/fault"}, "it keeps jobs and knows neither apps nor engines"},
	"platform/child":     {[]string{"platform/fault"}, "it knows no payload"},
	"platform/bundle":    {[]string{"platform/child", "platform/fault"}, "it makes a program and never runs one"},
	"platform/script":    {[]string{"platform/script/web", "platform/child", "platform/fault"}, "it runs code and knows neither HTTP nor storage"},
	"platform/op":        {[]string{"platform/fault"}, "it knows neither people nor journal"},

	"platform/script/web": {[]string{"platform/fault"}, "it computes, and knows neither engine nor app"},
	"platform/secret":     {[]string{"platform/fault"}, "it knows envelopes, not where they stand"},
	"platform/rule":       {[]string{"platform/fault"}, "it knows plain values, not the language that rules are written in"},
	"platform/egress":     {[]string{"platform/fault"}, "it knows hosts and addresses, not who asks"},
}

// doors names the one package that may import each third-party module, so that
// swapping a library is an edit in one folder. Test files are free of it for
// the modules in testOnly.
var doors = map[string][]string{
	"github.com/hashicorp/hcl/v2":         {"spec"},
	"github.com/zclconf/go-cty":           {"spec"},
	"github.com/agext/levenshtein":        {"spec"},
	"golang.org/x/net":                    {"spec"},
	"golang.org/x/text":                   {"spec", "platform/script/web"}, // names of things, and encodings of text
	"github.com/go-git/go-git/v5":         {"reconcile/source"},
	"github.com/go-git/go-billy/v5":       {"reconcile/source"}, // go-git's own file system type
	"github.com/fsnotify/fsnotify":        {"reconcile/source"},
	"golang.org/x/crypto":                 {"reconcile/source"}, // ssh host keys, as go-git wants them
	"modernc.org/sqlite":                  {"platform/sqlite"},
	"modernc.org/quickjs":                 {"platform/script"},
	"modernc.org/libquickjs":              {"platform/script"}, // quickjs' own: how much memory a machine holds, and which promises nobody handles
	"github.com/pressly/goose/v3":         {"platform/sqlite"},
	"github.com/adhocore/gronx":           {"platform/queue"},
	"github.com/klauspost/compress":       {"platform/blob"},
	"github.com/andybalholm/brotli":       {"platform/blob"},
	"github.com/landlock-lsm/go-landlock": {"platform/child"},
	"github.com/evanw/esbuild":            {"platform/bundle"},
	"github.com/tailscale/hujson":         {"platform/bundle"},
	"github.com/caddyserver/certmagic":    {"edge/cert"},
	"github.com/mholt/acmez/v3":           {"edge/cert"}, // CertMagic's own: what a CA says
	"go.uber.org/zap":                     {"edge/cert"}, // CertMagic's logger
	"github.com/libdns/libdns":            {"edge/cert"},
	"github.com/miekg/dns":                {"edge/cert"},
	"github.com/alecthomas/kong":          {"platform/op"},
	"github.com/danielgtaylor/huma/v2":    {"platform/op"},
	"golang.org/x/term":                   {"platform/op"},
	"golang.org/x/time":                   {"edge/limit"},
	"github.com/coreos/go-oidc/v3":        {"edge/gate/provider"},
	"golang.org/x/oauth2":                 {"edge/gate/provider"},
	"github.com/wneessen/go-mail":         {"platform/mail"},
	"github.com/go-webauthn/webauthn":     {"edge/gate/passkey"},
	"filippo.io/age":                      {"platform/secret"},
	"github.com/pquerna/otp":              {"platform/identity"},
	"golang.org/x/sys":                    {"platform/child", "platform/blob", "platform", "cmd/fazt"}, // system calls, not a library that is swapped

	"github.com/coreos/go-systemd/v22/activation": {"edge/listen"},
	"github.com/coreos/go-systemd/v22/daemon":     {"cmd/fazt"},
	"github.com/quic-go/quic-go":                  {"edge"},
	"github.com/VictoriaMetrics/metrics":          {"cmd/fazt"},
	"github.com/pires/go-proxyproto":              {"edge/listen"},
	"github.com/nlnwa/whatwg-url":                 {"platform/script/web"},
}

var testOnly = []string{
	"github.com/rogpeppe/go-internal", "pgregory.net/rapid", "github.com/chromedp", "golang.org/x/crypto",
	"github.com/klauspost/compress", "github.com/andybalholm/brotli", "github.com/go-git/", "modernc.org/sqlite",
	"golang.org/x/tools/txtar", "golang.org/x/sys", "github.com/letsencrypt/pebble/v2",
	"github.com/quic-go/quic-go", "golang.org/x/net/http2", "github.com/miekg/dns", "modernc.org/quickjs",
	"github.com/go-jose/go-jose/v4", // issuers that lie
}

// never lists standard packages that a room must not know, with the reason.
var never = []struct {
	in       string // prefix of the package
	packages []string
	reason   string
}{
	{"spec", []string{"net", "net/http", "os", "os/exec"}, "the language is hermetic"},
	{"reconcile/plan", []string{"context", "log/slog", "time", "os", "net", "net/http"}, "the planner has no clock, no I/O and no logger"},
}

type pkg struct {
	ImportPath, Dir                    string
	Doc                                string
	Imports, TestImports, XTestImports []string
	GoFiles, TestGoFiles, XTestGoFiles []string
}

func (p pkg) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, strings.TrimSuffix(module, "/")), "/")
}

func house(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,TestImports,XTestImports,GoFiles,TestGoFiles,XTestGoFiles", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImportLaw(t *testing.T) {
	for _, p := range house(t) {
		law, ok := mayImport[p.name()]
		if !ok {
			t.Errorf("%s has no row in the import law: say what its one job is and what it may import", p.name())
			continue
		}
		for _, i := range p.Imports {
			ours, isOurs := strings.CutPrefix(i, module)
			if isOurs && !allowed(law.ours, ours) {
				t.Errorf("%s imports %s, but %s", p.name(), ours, law.reason)
			}
			if !isOurs {
				checkDoor(t, p, i)
			}
		}
		for _, n := range never {
			for _, i := range p.Imports {
				if (p.name() == n.in || strings.HasPrefix(p.name(), n.in+"/")) && slices.Contains(n.packages, i) {
					t.Errorf("%s imports %s, but %s", p.name(), i, n.reason)
				}
			}
		}
		for _, i := range append(p.TestImports, p.XTestImports...) {
			if thirdParty(i) && !slices.ContainsFunc(testOnly, func(m string) bool { return strings.HasPrefix(i, m) }) {
				checkDoor(t, p, i)
			}
		}
	}
}

func allowed(list []string, name string) bool {
	if slices.Contains(list, "!"+name) {
		return false
	}
	return slices.ContainsFunc(list, func(l string) bool {
		prefix, wild := strings.CutSuffix(l, "*")
		return l == name || wild && strings.HasPrefix(name, prefix)
	})
}

func thirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && !strings.HasPrefix(path, module)
}

func checkDoor(t *testing.T, p pkg, path string) {
	t.Helper()
	if !thirdParty(path) {
		return
	}
	for mod, door := range doors {
		if path != mod && !strings.HasPrefix(path, mod+"/") {
			continue
		}
		if !slices.Contains(door, p.name()) {
			t.Errorf("%s imports %s, whose door is %s", p.name(), path, strings.Join(door, ", "))
		}
		return
	}
	t.Errorf("%s imports %s, which has no door: add it to the table and its reason to ARCHITECTURE.md", p.name(), path)
}

// One package comment each, in one file, that begins as godoc wants it.
func TestPackageComments(t *testing.T) {
	for _, p := range house(t) {
		var files []string
		for _, f := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Doc != nil {
				files = append(files, f)
			}
		}
		if len(p.GoFiles) > 0 && len(files) != 1 {
			t.Errorf("%s has its package comment in %v, want exactly one file", p.name(), files)
		}
	}
}

// Drawers where everything ends up are not packages.
func TestPackageNames(t *testing.T) {
	for _, p := range house(t) {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "types", "misc", "shared"}, filepath.Base(p.Dir)) {
			t.Errorf("%s: name a package for what it is", p.name())
		}
	}
}

// A file is read in one sitting. What outgrows that has a second subject.
func TestFilesAreShort(t *testing.T) {
	const most = 400
	for _, p := range house(t) {
		for _, f := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if lines := bytes.Count(src, []byte("\n")); lines > most {
				t.Errorf("%s/%s has %d lines, and at most %d: find its second subject", p.name(), f, lines, most)
			}
		}
	}
}

// No init, no mutable package variable, and one place that ends the process or
// reads its arguments.
func TestNoHiddenState(t *testing.T) {
	for _, p := range house(t) {
		for _, f := range p.GoFiles {
			path := filepath.Join(p.Dir, f)
			parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range parsed.Decls {
				checkDecl(t, p.name()+"/"+f, d)
			}
			if !strings.HasPrefix(p.name(), "cmd/") {
				checkProcess(t, p.name()+"/"+f, parsed)
			}
		}
	}
}

func checkDecl(t *testing.T, where string, d ast.Decl) {
	t.Helper()
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			t.Errorf("%s has an init function: initialise where it is used", where)
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
		for _, s := range d.Specs {
			v := s.(*ast.ValueSpec)
			for i, name := range v.Names {
				if name.Name != "_" && !constant(v, i) {
					t.Errorf("%s: package variable %s may change", where, name.Name)
				}
			}
		}
	}
}

// constant tells whether a package variable is one of the few kinds that never
// change: error sentinels, patterns, compiled now or when asked for, embedded files.
func constant(v *ast.ValueSpec, i int) bool {
	if i >= len(v.Values) {
		sel, ok := v.Type.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "FS" || isString(v.Type) // filled by go:embed
	}
	if strings.HasPrefix(v.Names[i].Name, "err") || strings.HasPrefix(v.Names[i].Name, "Err") {
		return true
	}
	call, ok := v.Values[i].(*ast.CallExpr)
	if !ok {
		return v.Names[i].Name == "version" // the linker's, in cmd/fazt alone
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"New", "MustCompile", "OnceValue", "Errorf"}, sel.Sel.Name)
}

func isString(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "string"
}

func checkProcess(t *testing.T, where string, f *ast.File) {
	t.Helper()
	for _, i := range f.Imports {
		if i.Path.Value == `"os/signal"` {
			t.Errorf("%s imports os/signal: only cmd/fazt ends the process", where)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if ok && slices.Contains([]string{"os.Exit", "os.Args", "slog.Default"}, x.Name+"."+sel.Sel.Name) {
			t.Errorf("%s uses %s.%s: only cmd/fazt does", where, x.Name, sel.Sel.Name)
		}
		return true
	})
}

func TestModuleFile(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if strings.HasPrefix(strings.TrimSpace(line), "replace") {
			t.Errorf("go.mod holds a replace directive: %s", line)
		}
	}
}
