package edge_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
)

// What visitors are answered counts against a release: enough answers, most of them
// failed by the code, and clearly more than the release before it failed.
func TestAnswersOfAReleaseAreComparedToTheOneBefore(t *testing.T) {
	thrown, limit, busy, left := failure{500, "exception", ""}, failure{503, "limit_cpu", ""}, failure{503, "unavailable", ""}, failure{499, "gone", ""}
	for name, c := range map[string]struct {
		before, now string // a letter for each answer
		want        string
	}{
		"nobody asked":                {"", "", ""},
		"too few":                     {"", strings.Repeat("x", 19), ""},
		"half":                        {"", strings.Repeat("x.", 20), ""},
		"most":                        {strings.Repeat(".", 99) + "x", strings.Repeat("x.x", 10), "20 of 30 requests answered 5xx in 12s (before: 1 of 100); the last: GET /a%20b: 500 exception, reference req-1"},
		"limits":                      {"", strings.Repeat("l", 20), "20 of 20 requests answered 5xx in 12s (before: 0 of 0); the last: GET /a%20b: 503 limit_cpu, reference req-1"},
		"its own word":                {"", strings.Repeat("5", 20), "the last: GET /a%20b: 502"},
		"it was no better":            {strings.Repeat("xx.", 10), strings.Repeat("xxx.", 10), ""},
		"it was better":               {strings.Repeat("x.", 10), strings.Repeat("xxx.", 10), "30 of 40"},
		"the node was busy":           {"", strings.Repeat("b", 40), ""},
		"visitors left":               {"", strings.Repeat("g", 40), ""},
		"the node failed":             {"", strings.Repeat("n", 40), ""},
		"it broke off":                {"", strings.Repeat("c", 20), "20 of 20"},
		"refusals are good":           {"", strings.Repeat("4", 40), ""},
		"it failed, and was repaired": {"", strings.Repeat("x", 20) + strings.Repeat(".", 20), ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, edge.Config{})
			var next rune
			code := func(w http.ResponseWriter, r *http.Request) error {
				switch next {
				case 'x':
					return thrown
				case 'l':
					return limit
				case 'b':
					return busy
				case 'g':
					return left
				case 'n':
					return errors.New("the node's own")
				case 'c':
					_, _ = io.WriteString(w, "half")
					return thrown
				case '5':
					w.WriteHeader(http.StatusBadGateway)
				case '4':
					w.WriteHeader(http.StatusNotFound)
				}
				return nil
			}
			ask := func(answers string) {
				b.PublishCode(code)
				for _, next = range answers {
					func() {
						defer func() { _ = recover() }() // an answer that is cut
						b.get("http://one.test/a%20b?token=secret")
					}()
				}
			}
			ask(c.before)
			ask(c.now)
			err := b.Answered("app.one", time.Now().Add(12*time.Second))
			if c.want == "" && err != nil || c.want != "" && !strings.Contains(fault.Message(err), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
