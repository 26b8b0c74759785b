package spec

import (
	"embed"
	"io/fs"
	"strings"
)

// CodePage explains one diagnostic code.
type CodePage struct {
	Code  string // "F1203"
	Title string // short, lower case
	Body  string // Markdown without the title: what it means, an example that fails, one that works
}

// The pages are named by their code and begin with the title as a heading.
//
//go:embed explain/*.md
var pages embed.FS

// Explain returns the page of a code, whatever its letter case.
func Explain(code string) (CodePage, bool) {
	code = strings.ToUpper(strings.TrimSpace(code))
	if !fs.ValidPath(code) || strings.Contains(code, "/") {
		return CodePage{}, false
	}
	text, err := pages.ReadFile("explain/" + code + ".md")
	if err != nil {
		return CodePage{}, false
	}
	title, body, _ := strings.Cut(string(text), "\n")
	return CodePage{Code: code, Title: strings.TrimPrefix(title, "# "), Body: strings.TrimSpace(body) + "\n"}, true
}

// Codes returns the pages of all codes, sorted by code.
func Codes() []CodePage {
	entries, _ := pages.ReadDir("explain") // sorted; cannot fail for what is embedded
	all := make([]CodePage, 0, len(entries))
	for _, e := range entries {
		page, _ := Explain(strings.TrimSuffix(e.Name(), ".md"))
		all = append(all, page)
	}
	return all
}
