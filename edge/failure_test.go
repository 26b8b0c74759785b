package edge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge"
)

// failure is an error of an app's code, as its handler gives it.
type failure struct {
	status       int
	code, detail string
}

func (f failure) Error() string     { return "secret" }
func (f failure) Status() int       { return f.status }
func (f failure) Code() string      { return f.code }
func (f failure) Reference() string { return "req-1" }
func (f failure) Detail() string    { return f.detail }

// What an app's code failed of reaches the visitor by its code and reference, for
// machines and people, and nothing else does.
func TestFailuresOfCode(t *testing.T) {
	for _, c := range []struct {
		err          failure
		accept, want string
		status       int
	}{
		{failure{503, "limit_cpu", ""}, "application/json", `"code":"limit_cpu"`, 503},
		{failure{507, "disk_full", ""}, "application/json", `{"error":{"kind":"unavailable","code":"disk_full"`, 507},
		{failure{500, "exception", ""}, "application/json", `"ref":"req-1"`, 500},
		{failure{503, "limit_cpu", ""}, "text/html", "<code>limit_cpu</code>", 503},
		{failure{500, "exception", ""}, "text/html", "Reference req-1", 500},
		{failure{500, "exception", "Error: <b>\n> 1 | x\n at a.ts:1"}, "text/html", "<h1>Error: &lt;b&gt;</h1>\n<pre class=\"source\">&gt; 1 | x\n at a.ts:1</pre>", 500},
	} {
		s := edge.New(edge.Config{})
		s.PublishHandler("app.test", func(http.ResponseWriter, *http.Request) error { return c.err })
		r := httptest.NewRequest("GET", "http://app.test/", nil)
		r.Header.Set("Accept", c.accept)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		body := w.Body.String()
		if w.Code != c.status || !strings.Contains(body, c.want) || strings.Contains(body, "secret") {
			t.Errorf("%+v as %s: %d %s", c.err, c.accept, w.Code, body)
		}
	}
}
