package edge

import (
	"encoding/json"
	"html"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// Trouble is what is wrong with what a developer saved last.
type Trouble struct {
	Addr spec.Addr // of the app; empty where all of them are meant
	Name string    // of the app
	Text string    // as a terminal shows it
}

// troubles are those of one save, replaced whole.
type troubles struct {
	list    []Trouble
	changed chan struct{} // closed when others are current
}

// Trouble has the pages of apps say what is wrong with what was saved last; an empty
// list says that all is well. Only pages in dev do.
func (s *Server) Trouble(list []Trouble) {
	close(s.troubles.Swap(&troubles{list, make(chan struct{})}).changed)
}

// of is what concerns an app, or the page that lists all of them.
func (t *troubles) of(addr spec.Addr) string {
	var texts []string
	block, _, _ := strings.Cut(string(addr), "[")
	for _, one := range t.list {
		if addr == "" || one.Addr == "" || one.Addr == addr || string(one.Addr) == block {
			texts = append(texts, strings.TrimRight(one.Text, "\n"))
		}
	}
	return strings.Join(texts, "\n\n")
}

// trouble is the part of a reload stream that says what is wrong, or that nothing is.
func (x *exchange) trouble(text string) error {
	line, err := json.Marshal(text)
	if err != nil {
		return err
	}
	return x.event("event: trouble\ndata: %s\n\n", line)
}

// find finds the site of a host. In dev an app that never came into service has one
// that says why.
func (s *Server) find(n *snapshot, host string) *site {
	found := n.table.find(host)
	if found != nil || !s.config.Dev {
		return found
	}
	t := s.troubles.Load()
	name, err := spec.ParseHost(host)
	for _, one := range t.list {
		here := err == nil && (name == one.Name+"."+devDomain || n.domain != "" && name == one.Name+"."+n.domain)
		if one.Addr == "" && !n.published || one.Addr != "" && here {
			return s.unserved(n, one)
		}
	}
	return nil
}

// unserved is a site that has nothing but the reason why.
func (s *Server) unserved(n *snapshot, why Trouble) *site {
	return &site{addr: why.Addr, name: why.Name, revision: n.header, routes: []route{
		{prefix: prefixFazt, handler: s.reloadHandler()}, {prefix: "/", handler: refuse(absence{why.Text})}}}
}

// absence is the failure of an app that never came into service.
type absence struct{ text string }

func (absence) Error() string     { return "the app was never in service" }
func (absence) Status() int       { return 503 }
func (absence) Code() string      { return "stalled" }
func (absence) Reference() string { return "" }
func (a absence) Detail() string  { return a.text }

// failurePage is what a developer sees of a failure, and nobody else.
func (s *Server) failurePage(x *exchange, status int, sentence string, of failure) []byte {
	var b strings.Builder
	title, rest, _ := strings.Cut(strings.TrimSpace(of.Detail()), "\n")
	pageHead(&b, title)
	b.WriteString("<main class=\"error\"><p class=\"code\">" + strconv.Itoa(status) + " " + html.EscapeString(of.Code()) + "</p>\n")
	if _, never := of.(absence); never {
		b.WriteString("<h1>" + html.EscapeString(x.site.name) + " cannot be served yet</h1>\n<pre class=\"source\" id=\"fazt-trouble\">" +
			html.EscapeString(of.Detail()) + "</pre>\n<p class=\"dim\">This page reloads when that is mended.</p>\n")
	} else {
		b.WriteString("<h1>" + html.EscapeString(title) + "</h1>\n<pre class=\"source\">" + html.EscapeString(rest) + "</pre>\n" +
			"<p class=\"dim\">You see this because fazt dev serves the page, and it reloads when the code changes. Elsewhere a visitor reads: “" +
			html.EscapeString(sentence) + "”</p>\n")
	}
	b.WriteString("</main>\n")
	if x.site != nil {
		b.Write(reloadSnippet(s.showing(x.snap, x.site)))
	}
	b.WriteString("</html>\n")
	return []byte(b.String())
}
