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

// stream is the ResponseWriter of a stream whose peer takes a part at a time.
type stream struct {
	*httptest.ResponseRecorder
	every   time.Duration // a part takes this long
	until   time.Time     // the deadline
	expired int           // writes after it
	largest int
}

func (s *stream) SetWriteDeadline(t time.Time) error { s.until = t; return nil }

func (s *stream) Write(p []byte) (int, error) {
	time.Sleep(s.every)
	if s.until.IsZero() || time.Now().After(s.until) {
		s.expired++
	}
	s.largest = max(s.largest, len(p))
	return s.ResponseRecorder.Write(p)
}

// Each part of an answer on a stream has a deadline, which a slow reader with
// progress never meets, and one that stands still does. The connection of
// HTTP/1 does that itself.
func TestAStreamHasItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		major, size int
		every       time.Duration
		expires     bool
	}{
		"progress":      {2, 200 << 10, 7 * time.Second, false},
		"none":          {2, 1, 11 * time.Second, true},
		"a file":        {3, 1 << 20, 7 * time.Second, false},
		"HTTP/1 itself": {1, 200 << 10, time.Second, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, edge.Config{})
			b.publish("r1", b.app("a", "r1", spec.App{}, files{"index.html": strings.Repeat("x", c.size)}),
				limitsObject(spec.Limits{WriteTimeoutMS: 10_000}))
			r := httptest.NewRequest(http.MethodGet, "http://a.example.com/", nil)
			r.ProtoMajor = c.major
			s := &stream{ResponseRecorder: httptest.NewRecorder(), every: c.every}
			b.ServeHTTP(s, r)
			if got := s.Body.Len(); got != c.size || (s.expired > 0) != c.expires {
				t.Errorf("%s: %d bytes, %d parts after their time", name, got, s.expired)
			}
			if c.major == 1 && !s.until.IsZero() {
				t.Errorf("%s: there is a deadline", name)
			}
		})
	}
}
