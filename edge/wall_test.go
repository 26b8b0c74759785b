package edge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
)

// slowReader takes a second for each part of an answer.
type slowReader struct{ *httptest.ResponseRecorder }

func (s slowReader) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return s.ResponseRecorder.Write(p)
}

// An answer that takes longer than its app may is cut, so that half of it is not
// taken for the whole; one that is quick enough is whole.
func TestAnAnswerHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, edge.Config{})
		large := strings.Repeat("x", 400_000) // more than is kept in memory: sent part by part
		for wall, whole := range map[time.Duration]bool{5 * time.Second: false, time.Hour: true, 0: true} {
			b.publish("r1", b.app("a", "r1", spec.App{Limits: &spec.AppLimits{WallMS: wall.Milliseconds()}}, files{"a.png": large}))
			w := slowReader{httptest.NewRecorder()}
			cut := func() (cut bool) {
				defer func() { cut = recover() == http.ErrAbortHandler }()
				b.ServeHTTP(w, httptest.NewRequest("GET", "http://a.example.com/a.png", nil))
				return false
			}()
			if got := w.Body.Len() == len(large); got != whole || cut == whole {
				t.Errorf("wall %s: %d of %d bytes, cut %t", wall, w.Body.Len(), len(large), cut)
			}
		}
	})
}
