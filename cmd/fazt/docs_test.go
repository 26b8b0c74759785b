package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/script/web"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

var update = flag.Bool("update", false, "rewrite generated pages and golden files")

// mostSkips caps the blocks of the book that nothing checks.
const mostSkips = 2

// checkout is the folder of the whole project.
const checkout = "../.."

// generated are the pages made from tables: they may be long, and their
// examples are run where the tables are.
func generated() []string {
	return []string{"docs/reference/language.md", "docs/reference/operations.md", "docs/reference/errors.md", "docs/reference/compatibility.md"}
}

// page is one Markdown file, by its path in the project.
type page struct {
	name, text string
}

func (p page) generated() bool { return slices.Contains(generated(), p.name) }

// block is one fenced block.
type block struct {
	kind, text string
	line       int
	skip       string // the reason, if it is not checked
}

// book is every page of docs/ and the pages at the root of the project.
func book(t testing.TB) []page {
	t.Helper()
	root := os.DirFS(checkout)
	names, err := fs.Glob(root, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(root, "docs", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(name) == ".md" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var pages []page
	for _, name := range names {
		src, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page{name, string(src)})
	}
	return pages
}

var skipComment = regexp.MustCompile(`^<!-- skip: (.+) -->$`)

// blocks takes the fenced blocks out of a page. A skip stands on the line
// before its block.
func (p page) blocks(t testing.TB) (blocks []block) {
	t.Helper()
	var open *block
	skip := ""
	for i, line := range strings.Split(p.text, "\n") {
		switch {
		case open != nil && line == "```":
			blocks, open = append(blocks, *open), nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			open = &block{kind: strings.TrimPrefix(line, "```"), line: i + 2, skip: skip}
			skip = ""
		case skip != "":
			t.Errorf("%s:%d: a skip that is before no block", p.name, i)
			skip = ""
		case strings.Contains(line, "<!-- skip"):
			m := skipComment.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("%s:%d: a skip needs a reason: <!-- skip: reason -->", p.name, i+1)
				continue
			}
			skip = m[1]
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block is not closed", p.name, open.line)
	}
	return blocks
}

// prose is the page without its blocks.
func (p page) prose() string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(p.text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if !fenced {
			b.WriteString(line)
		}
	}
	return b.String()
}

func everything() op.Table {
	p := &program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }}
	return p.all()
}

// The generated pages say what the tables say.
func TestReferencePages(t *testing.T) {
	all := everything()
	api, err := op.OpenAPI(all, version)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"operations.md": string(op.Reference(all)),
		"errors.md":     errorsPage(),
		"openapi.json":  string(api),

		"compatibility.md": compatibilityPage(t),
	} {
		file := filepath.Join(checkout, "docs/reference", name)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(file); err != nil || string(have) != want {
			t.Errorf("%s is not what the tables say (%v): run make gen", file, err)
		}
	}
}

func errorsPage() string {
	var b strings.Builder
	b.WriteString("# Diagnostic codes\n\n<!-- generated from the pages of `fazt explain` by \"make gen\"; do not edit -->\n\n" +
		"Every finding in a configuration has a code in brackets that never changes its\n" +
		"meaning. `fazt explain CODE` prints what stands here.\n\n| code | what |\n|---|---|\n")
	for _, c := range spec.Codes() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", c.Code, strings.ToLower(c.Code), strings.ReplaceAll(c.Title, "|", `\|`))
	}
	for _, c := range spec.Codes() {
		fmt.Fprintf(&b, "\n## %s\n\n**%s**\n\n%s\n", c.Code, c.Title, strings.TrimSpace(c.Body))
	}
	return b.String()
}

// Every block is of a kind that something checks, or says why not.
func TestBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	all, skipped := everything(), 0
	for _, p := range book(t) {
		for _, b := range p.blocks(t) {
			if b.skip != "" {
				skipped++
				t.Logf("%s:%d is not checked: %s", p.name, b.line, b.skip)
				continue
			}
			where := fmt.Sprintf("%s:%d", p.name, b.line)
			switch {
			case p.generated() && b.kind != "sh": // the tables' own tests run their examples
			case b.kind == "sh":
				judgeCommands(t, all, where, b.text)
			case b.kind == "yaml": // of a forge, which alone knows the rest
				judgeCommands(t, all, where, strings.NewReplacer("- run: ", "", "- ", "").Replace(b.text))
			case b.kind == "hcl":
				judgeConfiguration(t, where, b.text)
			case b.kind == "js", b.kind == "ts":
				judgeCode(t, where, b.text)
			case b.kind == "json":
				judgeJSON(t, where, b.text)
			case b.kind == "console": // TestConsole runs it
			case b.kind == "js" && p.name == "docs/reference/bindings.md": // TestExamplesOfTheReference in platform/binding runs it
			case b.kind == "text", b.kind == "" && !strings.HasPrefix(p.name, "docs/"):
			default:
				t.Errorf("%s: a block of kind %q is checked by nothing", where, b.kind)
			}
		}
	}
	if skipped > mostSkips {
		t.Errorf("%d blocks are skipped, at most %d may be", skipped, mostSkips)
	}
}

var commandStart = regexp.MustCompile(`(?:^|\| *|exec |&& )fazt (.*)`)

// judgeCommands parses every command of ours in a block of shell.
func judgeCommands(t *testing.T, all op.Table, where, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		for _, m := range commandStart.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
			if _, err := op.Parse(all, shellWords(m[1])); err != nil {
				t.Errorf("%s: fazt %s: %v", where, m[1], err)
			}
		}
	}
}

// shellWords is as much of a shell as the book needs: quotes, and the end of a
// command.
func shellWords(line string) (words []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		if strings.ContainsAny(m[3], "#|>&;") && !strings.Contains(m[3], "://") {
			return words
		}
		words = append(words, m[1]+m[2]+m[3])
	}
	return words
}

// judgeConfiguration wants a block to be a configuration that loads, in the one
// format.
func judgeConfiguration(t *testing.T, where, text string) {
	t.Helper()
	tree, err := source.FS(fstest.MapFS{"fazt.hcl": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	out := spec.Load(spec.Input{Tree: tree, AllApps: true})
	for _, d := range findings(tree, out) {
		if d.Code != "F2001" { // the folder is the reader's
			t.Errorf("%s: %s %s", where, d.Code, d.Summary)
		}
	}
	if formatted, _ := spec.Format("fazt.hcl", []byte(text)); string(formatted) != text {
		t.Errorf("%s is not formatted; fazt fmt writes\n%s", where, formatted)
	}
}

func judgeJSON(t *testing.T, where, text string) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var v any
		if err := d.Decode(&v); err == io.EOF {
			return
		} else if err != nil {
			t.Errorf("%s: %v", where, err)
			return
		}
	}
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
	inlineCode = regexp.MustCompile("`([^`]+)`")
)

// slug is how Markdown sites make an anchor of a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// No link leads nowhere, and an agent that has read SKILL.md knows every page.
func TestLinks(t *testing.T) {
	anchors := map[string][]string{}
	for _, p := range book(t) {
		anchors[p.name] = []string{""}
		for _, m := range heading.FindAllStringSubmatch(p.prose(), -1) {
			anchors[p.name] = append(anchors[p.name], slug(m[1]))
		}
	}
	linked := map[string]bool{"docs/SKILL.md": true}
	for _, p := range book(t) {
		for _, m := range link.FindAllStringSubmatch(p.prose(), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			target := path.Join(path.Dir(p.name), file)
			if file == "" {
				target = p.name
			}
			if p.name == "docs/SKILL.md" {
				linked[target] = true
			}
			if _, err := os.Stat(filepath.Join(checkout, target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", p.name, m[1])
			} else if path.Ext(target) == ".md" && !slices.Contains(anchors[target], anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", p.name, m[1], target)
			}
		}
	}
	for _, p := range book(t) {
		if strings.HasPrefix(p.name, "docs/") && !linked[p.name] {
			t.Errorf("SKILL.md does not link to %s", p.name)
		}
	}
}

// One page has one job and room for no second one.
func TestPages(t *testing.T) {
	for _, p := range book(t) {
		// The decisions are a record that only grows and is looked up, not read.
		read, _, _ := strings.Cut(p.text, "\n## Decisions\n")
		lines := strings.Count(read, "\n")
		if lines > 250 && !p.generated() {
			t.Errorf("%s has %d lines, at most 250 are read", p.name, lines)
		}
		if strings.HasPrefix(p.name, "docs/") && title(p.text) == "" {
			t.Errorf("%s has no title", p.name)
		}
		if guide := strings.HasPrefix(p.name, "docs/guides/") || strings.HasPrefix(p.name, "docs/tutorials/"); guide && !strings.Contains(p.text, "\nCheck it worked: ") {
			t.Errorf("%s does not say how to check that it worked", p.name)
		}
	}
}

func TestSkillFrontMatter(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(checkout, "docs/SKILL.md"))
	if err != nil {
		t.Fatal(err)
	}
	front, body, ok := strings.Cut(strings.TrimPrefix(string(src), "---\n"), "\n---\n")
	if !ok || !strings.HasPrefix(string(src), "---\n") {
		t.Fatal("SKILL.md has no front matter")
	}
	fields := map[string]string{}
	for line := range strings.Lines(front) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		fields[key] = value
	}
	if fields["name"] != "fazt" {
		t.Errorf("the skill is called %q", fields["name"])
	}
	if d := fields["description"]; len(d) < 40 || len(d) > 1024 || !strings.Contains(d, "Use when") {
		t.Errorf("the description has %d characters and must say when to use the skill: %s", len(d), d)
	}
	if lines := strings.Count(body, "\n"); lines >= 500 {
		t.Errorf("the body has %d lines", lines)
	}
}

// What the prose calls a command or a flag of ours is one.
func TestInlineCommands(t *testing.T) {
	all := everything()
	flags := map[string]bool{}
	for _, m := range regexp.MustCompile("`(?:-[A-Za-z], )?(--[a-z-]+)").FindAllStringSubmatch(string(op.Reference(all)), -1) {
		flags[m[1]] = true
	}
	for _, p := range book(t) {
		for _, m := range inlineCode.FindAllStringSubmatch(strings.ReplaceAll(p.prose(), "\n", " "), -1) {
			if rest, ok := strings.CutPrefix(m[1], "fazt "); ok && !knownCommand(all, rest) {
				t.Errorf("%s speaks of `%s`, which is no command", p.name, m[1])
			}
			for _, f := range regexp.MustCompile(`(?:^| )(--[a-z-]+)`).FindAllStringSubmatch(m[1], -1) {
				if first, _, _ := strings.Cut(m[1], " "); !flags[f[1]] && (first == "fazt" || strings.HasPrefix(first, "-")) {
					t.Errorf("%s speaks of `%s`, and there is no flag %s", p.name, m[1], f[1])
				}
			}
		}
	}
}

// knownCommand tells whether words begin with a command, a peer before it or
// not.
func knownCommand(all op.Table, words string) bool {
	list := shellWords(words)
	if len(list) > 0 && strings.HasPrefix(list[0], "@") {
		if list = list[1:]; len(list) == 0 || strings.HasPrefix(list[0], ".") || list[0] == "…" || list[0] == strings.ToUpper(list[0]) {
			return true // `fazt @PEER ...` speaks of any command
		}
	}
	for n := len(list); n > 0; n-- {
		if _, ok := all.Find(list[:n]...); ok {
			return true
		}
		if slices.ContainsFunc(all, func(o op.Op) bool {
			return n == len(list) && strings.HasPrefix(o.Row().Name, strings.Join(list[:n], " ")+" ")
		}) {
			return true
		}
	}
	return len(list) > 0 && (strings.HasPrefix(list[0], "-") || list[0] == strings.ToUpper(list[0]))
}

// Every command, flag, exit code and variable of the environment has its place
// in the reference.
func TestReferenceIsWhole(t *testing.T) {
	text := map[string]string{}
	for _, p := range book(t) {
		text[path.Base(p.name)] = p.text
	}
	exits := []int{0, 64, 78, 130}
	for _, k := range []fault.Kind{fault.Internal, fault.Invalid, fault.Unauthenticated, fault.Forbidden, fault.Conflict, fault.NotFound, fault.Unavailable, fault.Exhausted} {
		exits = append(exits, k.Exit())
		if word := string(k); !strings.Contains(text["exit-codes.md"], word) {
			t.Errorf("exit-codes.md does not mention the kind %s", word)
		}
	}
	for _, e := range everything().Listing(version).Operations {
		if !strings.Contains(text["operations.md"], "\n## "+e.Name+"\n") {
			t.Errorf("operations.md has no section %q", e.Name)
		}
		for _, f := range e.Fields {
			if !f.Argument && !f.Hidden && !strings.Contains(text["operations.md"], "--"+f.Flag) {
				t.Errorf("operations.md does not mention --%s", f.Flag)
			}
		}
		for code := range e.Exits {
			n, _ := strconv.Atoi(code)
			exits = append(exits, n)
		}
	}
	for _, n := range exits {
		if !strings.Contains(text["exit-codes.md"], fmt.Sprintf("\n| %d | ", n)) {
			t.Errorf("exit-codes.md does not mention %d", n)
		}
	}
	for _, name := range environment(t) {
		if !strings.Contains(text["files.md"], name) {
			t.Errorf("files.md does not mention %s", name)
		}
	}
}

// environment is the variables that the program asks for.
func environment(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../platform/op/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, more...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?i:getenv|xdg)\("([A-Z_]+)"`).FindAllStringSubmatch(string(src), -1) {
			if m[1] != "HOME" {
				names = append(names, m[1])
			}
		}
	}
	if len(names) < 8 {
		t.Fatalf("only %v are asked for: the pattern is out of date", names)
	}
	return names
}

// Every package has its line in ARCHITECTURE.md.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(checkout, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range mayImport {
		if !strings.Contains(string(src), "\n| `"+name+"` | ") {
			t.Errorf("ARCHITECTURE.md does not say what %s is for", name)
		}
	}
}

// The two commands of the README exist; the first is run.
func TestReadme(t *testing.T) {
	var first block
	for _, p := range book(t) {
		if p.name == "README.md" {
			first = p.blocks(t)[0]
		}
	}
	lines := strings.Split(strings.TrimSpace(first.text), "\n")
	commands := make([]string, len(lines))
	for i, line := range lines {
		line, _, _ = strings.Cut(line, "#")
		commands[i] = strings.TrimSpace(line)
	}
	if !slices.Equal(commands, []string{"go run ./cmd/fazt dev examples/site", "make test"}) {
		t.Fatalf("the README begins with %q", commands)
	}
	makefile, err := os.ReadFile(filepath.Join(checkout, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(makefile), "\ntest: ") {
		t.Error("there is no make test")
	}
	root, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	out := newReader(t, root).run(t, "fazt dev examples/site --once", 0)
	if !strings.Contains(out, "\n200 company http://company.localhost:") {
		t.Errorf("the README promises a page, but\n%s", out)
	}
}

// judgeCode has a piece of an app's code bundled: as it is, or as the body of a
// handler.
func judgeCode(t *testing.T, where, text string) {
	t.Helper()
	try := func(source string) error {
		_, err := bundle.Bundle(t.Context(), bundle.Job{
			Name: "book", Entry: "main.ts", Test: strings.Contains(source, `from "fazt:test"`), Dir: t.TempDir(),
			Files: fstest.MapFS{"main.ts": {Data: []byte(source)}}, Node: web.Node(),
		})
		return err
	}
	if try(text) == nil {
		return
	}
	if err := try("export default { async fetch(request, env, ctx) {\n" + text + "\n} }"); err != nil {
		t.Errorf("%s: %v", where, err)
	}
}
