package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// golden compares text with a file in testdata/golden; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata/golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (%v); go test ./cmd/fazt -run %s -update shows how\n%s", file, err, t.Name(), got)
	}
}

// steady gives what differs from run to run one spelling of the same width.
func steady(text string) string {
	for _, n := range []struct{ pattern, with string }{
		{`\b\d{4}-\d\d-\d\dT[0-9:.]+Z`, "2026-01-02T03:04:05Z"},
		{`\b(\d+|\d+\.\d) (s|min|h|d)\b`, "0 s"},
		{`\b\d+ ms\b`, "1 ms"},
		{`\bp-[0-9a-f]{12}\b`, "p-7f3a9c21b044"},
		{`(localhost|127\.0\.0\.1):\d{4,5}\b`, "$1:40404"},
		{`\blocal:\d+`, "local:0"},
		{`\b\d+\.\d+\.\d+-dev\b`, "0.1.0"},
		{`(http://[a-z.]+):\d{4,5}\b`, "$1:40404"},
		{`(mirror +)\d+ packs?, .*`, "${1}2 packs, 5.0 KB"},
		{`(fetched +)\d+ objects, .*`, "${1}9 objects, 1.0 KB"},
		{`/\S*/origin\.git`, "/srv/git/origin.git"},
		{`/\S*/\.local/`, "/home/asha/.local/"},
	} {
		text = regexp.MustCompile(n.pattern).ReplaceAllString(text, n.with)
	}
	return text
}

// session is a person at a terminal of 80 columns without colour.
type session struct {
	*reader
	t    *testing.T
	text strings.Builder
}

func newSession(t *testing.T) *session {
	t.Helper()
	s := &session{reader: newReader(t, ""), t: t}
	for name, value := range map[string]string{"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"} {
		s.env = append(s.env, name+"="+value)
	}
	return s
}

// tables are the commands that fit the screen; the others print sentences of
// configurations, which have any length.
var tables = regexp.MustCompile(`^fazt (app list|history|help)|^fazt plan site$`)

// shows runs a command and keeps what a person sees.
func (s *session) shows(exit int, command string) {
	s.t.Helper()
	out := s.run(s.t, command, exit)
	for line := range strings.Lines(out) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 && tables.MatchString(command) && !strings.HasPrefix(line, "Plan p-") {
			s.t.Errorf("$ %s\nmore than 80 columns: %s", command, line)
		}
	}
	fmt.Fprintf(&s.text, "$ %s\n%s", command, steady(out))
	if exit != 0 {
		fmt.Fprintf(&s.text, "[exit %d]\n", exit)
	}
	s.text.WriteString("\n")
}

// does runs a command that is not what the golden is about.
func (s *session) does(command string) { s.t.Helper(); s.run(s.t, command, 0) }

func (s *session) writes(files map[string]string) { s.t.Helper(); writeFiles(s.t, s.home, files) }

const (
	shopFile = "app \"shop\" {\n  content = \"apps/shop\"\n  hosts   = [\"shop.example.com\"]\n\n  redirects = [\n    { from = \"/old/*\", to = \"/:splat\" },\n  ]\n}\n"
	blogFile = "app \"blog\" {\n  content = \"apps/blog\"\n}\n"
	edgeFile = "edge {\n  domain = \"example.com\"\n}\n"
)

func sessionSite() map[string]string {
	return map[string]string{
		"site/fazt.hcl": edgeFile, "site/apps/shop/app.fazt.hcl": shopFile, "site/apps/blog/app.fazt.hcl": blogFile,
		"site/apps/shop/index.html": "<h1>Shop</h1>\n", "site/apps/shop/goods.css": strings.Repeat("a{}\n", 900),
		"site/apps/blog/index.html": "<h1>Blog</h1>\n", "site/apps/blog/old.css": "b{}\n",
	}
}

// What a person sees who plans and applies a folder.
func TestGoldenApply(t *testing.T) {
	s := newSession(t)
	s.writes(sessionSite())
	s.shows(0, "fazt plan site")
	s.stay(t, "fazt serve")
	s.shows(0, "fazt app list")
	s.shows(0, "fazt status")
	s.shows(0, "fazt apply site --yes")
	s.shows(0, "fazt plan site")
	s.shows(0, "fazt apply site --yes")

	s.does("rm site/apps/blog/old.css")
	s.writes(map[string]string{
		"site/apps/blog/index.html": "<h1>The blog</h1>\n", "site/apps/blog/about.html": "<h1>About</h1>\n",
		"site/apps/blog/app.fazt.hcl": strings.Replace(blogFile, "}", "  spa     = true\n}", 1),
		"site/apps/shop/app.fazt.hcl": strings.Replace(shopFile, "shop.example.com", "wares.example.com", 1),
	})
	s.shows(0, "fazt plan site")
	s.shows(2, "fazt plan site --detailed-exitcode --format md")
	s.does("rm -r site/apps/shop")
	s.shows(0, "fazt plan site --full")
	s.shows(0, "fazt apply site --yes")
	s.shows(0, "fazt app list")
	s.shows(0, "fazt app show blog")
	s.shows(0, "fazt status")
	s.shows(0, "fazt history")
	s.shows(0, "fazt history show d-1")
	s.shows(6, "fazt app show blgo")
	golden(t, "apply.txt", s.text.String())
}

// What a person sees whose node follows a repository, in good days and bad.
func TestGoldenFollow(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	s := newSession(t)
	s.writes(sessionSite())
	s.does("git init -q -b main site && git -C site add -A && git -C site commit -q -m 'Open the shop' && git clone -q --bare site origin.git")
	s.stay(t, "fazt serve --repo ./origin.git --interval 1h")
	s.does("fazt sync --wait")
	s.shows(0, "fazt sync --wait")
	s.shows(0, "fazt status")
	s.shows(0, "fazt app list")
	s.shows(0, "COLUMNS=120 fazt app list")
	s.shows(0, "fazt history")

	s.writes(map[string]string{
		"site/apps/blog/app.fazt.hcl": "app \"blog\" {\n  contant = \"apps/blog\"\n}\n",
		"site/apps/news/app.fazt.hcl": "app \"news\" {\n  content = \"apps/new\"\n}\n",
		"site/apps/news/index.html":   "<h1>News</h1>\n",
		"site/apps/shop/index.html":   "<h1>Wares</h1>\n",
	})
	s.does("git -C site add -A && git -C site commit -q -m 'Rename things, for the third time this week' && git -C site push -q ../origin.git main")
	s.shows(3, "fazt sync --wait")
	s.shows(0, "fazt status")
	s.shows(0, "fazt app list")
	s.shows(0, "fazt app show news")
	s.shows(5, "fazt app open news")
	s.shows(0, "fazt history")
	s.shows(0, "fazt history --failed")
	s.shows(5, "fazt apply site --yes")
	golden(t, "follow.txt", s.text.String())
}

// What a person sees before there is a node.
func TestGoldenAlone(t *testing.T) {
	s := newSession(t)
	s.shows(7, "fazt status")
	s.writes(map[string]string{
		"site/new.fazt.hcl":  "app \"new\" {\n  content = \"www\"\n}\n",
		"site/fazt.hcl":      "app \"blog\" {\n  content = \"www\"\n  visibilty = \"public\"\n}\n",
		"site/more.fazt.hcl": "edge {\n  domain = \"localhost\"\n}\n",
		"site/www/i.html":    "\n",
	})
	s.shows(3, "fazt validate site")
	s.shows(3, "fazt validate site --format github")
	s.shows(3, "fazt plan site")
	s.shows(1, "fazt fmt --check site")
	s.shows(64, "fazt aplly")
	s.shows(64, "fazt app list --limt 3")
	s.shows(0, "fazt help")
	s.shows(0, "fazt help plan")
	s.shows(0, "fazt explain F1203")
	s.shows(0, "fazt version | cut -d , -f 1,2")
	golden(t, "alone.txt", s.text.String())
}
