package edge

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// devDomain is where the apps are listed if the edge block names no domain.
const devDomain = "localhost"

// Paths of the reload stream and of the script that listens to it. The script
// is a file, so that it also runs on pages whose policy allows their own
// scripts only.
const (
	reloadPath   = prefixFazt + "reload"
	reloadScript = prefixFazt + "reload.js"
)

const (
	reloadBeat  = 15 * time.Second
	reloadRetry = 300 * time.Millisecond // until a browser connects again
)

// reloadSource asks with the release the page was made from, so that a publish
// between two connections is not missed, and shows what is wrong with a newer one.
//
//go:embed reload.js
var reloadSource string

// reloadSnippet is what a page of a release gets before </body>.
func reloadSnippet(key string) []byte {
	return []byte(`<script src="` + reloadScript + `" data-release="` + key + `"></script>` + "\n")
}

// addDevHosts makes every app reachable under its name and lists all of them
// at the bare domain, where no app declared those hosts.
func (s *Server) addDevHosts(n *snapshot) {
	domain := n.domain
	if domain == "" {
		domain = devDomain
	}
	for _, object := range n.objects {
		if site := n.sites[object.Addr]; site != nil {
			n.table.claim(site.name+"."+domain, site)
		}
	}
	list := &site{key: "list", revision: n.header, routes: []route{
		{prefix: prefixFazt, handler: s.reloadHandler()}, {prefix: "/", handler: answer(s.listApps)}}}
	n.table.claim(domain, list)
	n.table.claim(devDomain, list)
	n.table.list = list
}

// reloadHandler serves the script and the stream.
func (s *Server) reloadHandler() handler {
	return answer(func(x *exchange, r *http.Request) error {
		switch {
		case r.URL.Path != reloadPath && r.URL.Path != reloadScript:
			return errNothing
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			x.Header().Set("Allow", "GET, HEAD")
			return errMethod
		case r.URL.Path == reloadScript:
			x.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			x.Header().Set("Cache-Control", "no-store")
			_, err := io.WriteString(x, reloadSource)
			return err
		default:
			return s.reload(x, r)
		}
	})
}

// reload tells a page when its release is not the current one any more. The
// stream ends with the snapshot it began in, so that an open page does not keep
// that alive; the browser connects again to the next.
func (s *Server) reload(x *exchange, r *http.Request) error {
	h := x.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	have := r.URL.Query().Get("have")
	if err := x.event("retry: %d\n\n", reloadRetry.Milliseconds()); err != nil {
		return err
	}
	beat := time.NewTicker(reloadBeat)
	defer beat.Stop()
	if have == "" {
		have = s.showing(x.snap, x.site)
	}
	for said, first := "", true; ; first = false {
		if now := s.now(x.site); now != have {
			return x.event("event: reload\ndata: %s\n\n", now)
		}
		trouble := s.troubles.Load()
		if text := trouble.of(x.site.addr); text != said || first {
			if err := x.trouble(text); err != nil {
				return err
			}
			said = text
		}
		select {
		case <-trouble.changed:
		case <-x.snap.retired:
			if now := s.now(x.site); now != have {
				return x.event("event: reload\ndata: %s\n\n", now)
			}
			return nil
		case <-s.closing:
			return nil
		case <-r.Context().Done():
			return nil
		case <-beat.C:
			if err := x.event(": still here\n\n"); err != nil {
				return err
			}
		}
	}
}

// event sends a part of a stream at once.
func (x *exchange) event(format string, args ...any) error {
	if _, err := fmt.Fprintf(x, format, args...); err != nil {
		return err
	}
	return x.FlushError()
}

// now names the release of a site that is current at this moment.
func (s *Server) now(of *site) string {
	n := s.acquire()
	defer n.release()
	return s.showing(n, of)
}

// showing names what a snapshot shows at a site: a release, or for the list
// the generation.
func (s *Server) showing(n *snapshot, of *site) string {
	if of.addr == "" {
		return strconv.FormatUint(n.generation, 10)
	}
	if current := n.sites[of.addr]; current != nil {
		return current.key
	}
	return "gone"
}

// listApps is the page at the bare domain.
func (s *Server) listApps(x *exchange, r *http.Request) error {
	if r.URL.Path != "/" {
		return errNothing
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		x.Header().Set("Allow", "GET, HEAD")
		return errMethod
	}
	h := x.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", s.style)
	_, err := io.WriteString(x, s.listPage(x.snap, r.Host))
	return err
}

func (s *Server) listPage(n *snapshot, host string) string {
	port := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port = host[i:]
	}
	var b strings.Builder
	pageHead(&b, "Apps on this node")
	fmt.Fprintf(&b, "<main>\n<p class=\"code\">%s</p>\n<h1>%s</h1>\n", html.EscapeString(short(n.revision)), countApps(len(n.sites)))
	if len(n.sites) > 0 {
		b.WriteString("<table>\n<tr><th>App<th>Address<th>State<th class=\"wide\">Code<th class=\"number wide\">Files<th class=\"number wide\">Size</tr>\n")
		for _, object := range n.objects {
			if site := n.sites[object.Addr]; site != nil {
				listRow(&b, site, s.address(n, site)+port, n.faultOf(site))
			}
		}
		b.WriteString("</table>\n")
	}
	for _, f := range n.faults {
		fmt.Fprintf(&b, "<p><code>%s</code> is behind: %s</p>\n", html.EscapeString(string(f.Addr)), html.EscapeString(fault.Message(f.Err)))
	}
	b.WriteString("</main>\n")
	b.Write(reloadSnippet(s.showing(n, &site{})))
	b.WriteString("</html>\n")
	return b.String()
}

func listRow(b *strings.Builder, s *site, address string, err error) {
	state := "live"
	switch {
	case err != nil:
		state = "stalled"
	case s.disabled:
		state = "off"
	}
	var size int64
	for _, f := range s.content.Files {
		size += f.Size
	}
	address = html.EscapeString(address)
	fmt.Fprintf(b, "<tr><td>%s<td><a href=\"http://%s/\">%s</a><td>%s<td class=\"wide\">%s<td class=\"number wide\">%d<td class=\"number wide\">%s</tr>\n",
		html.EscapeString(s.name), address, address, state, html.EscapeString(strings.Join(s.answers(), " ")), len(s.content.Files), bytesText(size))
}

// answers are the paths that an app's code answers, none for an app of files.
func (s *site) answers() []string {
	if s.backend == nil || !s.backend.answers() {
		return nil
	}
	return s.backend.app.Runtime.Filled().Routes
}

// address is the host a developer's browser reaches an app at. A declared one
// comes first if it leads to this machine without a name server.
func (s *Server) address(n *snapshot, of *site) string {
	here := func(h string) bool { return strings.HasSuffix(h, "."+devDomain) && !strings.HasPrefix(h, "*.") }
	if i := slices.IndexFunc(of.hosts, here); i >= 0 {
		return of.hosts[i]
	}
	domain := n.domain
	if domain == "" {
		domain = devDomain
	}
	if name := of.name + "." + domain; n.table.exact[name] == of || len(of.hosts) == 0 {
		return name
	}
	if i := slices.IndexFunc(of.hosts, func(h string) bool { return !strings.HasPrefix(h, "*.") }); i >= 0 {
		return of.hosts[i]
	}
	return of.hosts[0]
}

func (n *snapshot) faultOf(s *site) error {
	for _, f := range n.faults {
		if f.Addr == s.addr {
			return f.Err
		}
	}
	return nil
}

func countApps(n int) string {
	if n == 1 {
		return "1 app on this node"
	}
	return strconv.Itoa(n) + " apps on this node"
}

func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<10), 'f', 1, 64) + " KiB"
	default:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
	}
}

// short cuts a commit id to what people read; a folder's id stays.
func short(revision string) string {
	if len(revision) == 40 {
		return revision[:7]
	}
	return revision
}
