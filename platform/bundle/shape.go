package bundle

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const handlerHint = "export default { fetch(request, env, ctx) { return new Response(\"hello\") } }"

// shape is a way to write a server that is another platform's.
type shape struct {
	form *regexp.Regexp
	reason
}

var (
	denoForm     = regexp.MustCompile(`\bDeno\.serve\s*\(`)
	bunForm      = regexp.MustCompile(`\bBun\.serve\s*\(`)
	listenerForm = regexp.MustCompile(`\baddEventListener\s*\(\s*["'` + "`" + `]fetch["'` + "`" + `]`)
	nodeForm     = regexp.MustCompile(`\b(req|request)(\s*:\s*\w+)?\s*,\s*(res|response)(\s*:\s*\w+)?\s*(,\s*next\s*)?\)\s*(=>|\{)`)
	listenForm   = regexp.MustCompile(`\b(app|server)\.listen\s*\(|\bcreateServer\s*\(`)
)

func shapes() []shape {
	return []shape{
		{denoForm, reason{"Deno.serve does not exist here", "write export default { fetch: handler } instead of Deno.serve(handler)"}},
		{bunForm, reason{"Bun.serve does not exist here", "write export default { fetch: handler } instead of Bun.serve({ fetch: handler })"}},
		{listenerForm, reason{"a listener for \"fetch\" is never called", "write export default { fetch: (request, env, ctx) => handle(request) } instead of addEventListener"}},
		{nodeForm, reason{"this is a handler of Node's, with (req, res)", "take a Request and return a Response: export default { fetch(request, env, ctx) { return new Response(\"hello\") } }"}},
		{listenForm, reason{"a server of one's own cannot listen here", "export the app instead: export default app"}},
	}
}

// maxShaped is how many of the app's own files are looked at.
const maxShaped = 200

// shapes finds what another platform would run and this one does not, in the
// app's own files. It reads text, not syntax, so what it finds is a warning
// unless the program has no handler at all.
func (r *resolver) shapes(inputs []string) []Problem {
	own := slices.DeleteFunc(slices.Clone(inputs), func(name string) bool {
		return strings.Contains("/"+name, "/node_modules/") || !slices.Contains(scripts(), filepath.Ext(name))
	})
	var found []Problem
	for _, name := range own[:min(len(own), maxShaped)] {
		if b, err := os.ReadFile(filepath.Join(r.root, filepath.FromSlash(name))); err == nil {
			found = append(found, look(name, string(b))...)
		}
	}
	return found[:min(len(found), maxProblems)]
}

func look(name, text string) []Problem {
	var found []Problem
	for _, s := range shapes() {
		at := s.form.FindStringIndex(text)
		if at == nil {
			continue
		}
		start := strings.LastIndexByte(text[:at[0]], '\n') + 1
		line, _, _ := strings.Cut(text[start:], "\n")
		if before := strings.TrimSpace(line[:at[0]-start]); strings.HasPrefix(before, "//") || strings.HasPrefix(before, "*") {
			continue
		}
		p := Problem{File: name, Line: 1 + strings.Count(text[:start], "\n"), Column: at[0] - start + 1, Text: s.text, Hint: s.hint}
		if len(line) <= maxSource {
			p.Source, p.Length = strings.TrimSuffix(line, "\r"), min(at[1]-at[0], len(line)-(at[0]-start))
		}
		found = append(found, p)
	}
	return found
}
