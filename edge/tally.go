package edge

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// When a release is left for what its visitors were answered: there were enough of
// them, more than half of the answers failed, and among all that is a quarter more than
// before it.
const (
	answersEnough = 20
	answersFailed = 2 // more than one in so many
	answersWorse  = 4 // by at least one in so many
)

// mishapPath is how much of an address is kept to be shown.
const mishapPath = 100

// tally counts what a release's code answered visitors.
type tally struct {
	all    atomic.Int64
	failed atomic.Int64           // of all: by a fault of the code
	last   atomic.Pointer[mishap] // of those that failed
}

// mishap is an answer that failed, for whoever looks for the reason.
type mishap struct {
	method, path string
	status       int
	code, ref    string // of a failure that the node had to answer
}

// String has nothing of the query, where secrets may be.
func (m *mishap) String() string {
	text := fmt.Sprintf("%s %s: %d", m.method, (&url.URL{Path: m.path}).EscapedPath(), m.status)
	if m.code != "" {
		text += " " + m.code + ", reference " + m.ref
	}
	return text
}

// note counts an answer. Who left before it came, and whom the node had to turn away,
// saw nothing of the code.
func (t *tally) note(x *exchange, r *http.Request) {
	status, code, ref := x.status, "", ""
	if x.err != nil {
		of, failed := errors.AsType[failure](x.err)
		if !failed || of.Code() != "exception" && !strings.HasPrefix(of.Code(), "limit_") {
			return
		}
		status, code, ref = statusOf(x.err), of.Code(), of.Reference()
	}
	t.all.Add(1)
	if status < http.StatusInternalServerError {
		return
	}
	t.failed.Add(1)
	path := strings.Clone(r.URL.Path[:min(len(r.URL.Path), mishapPath)])
	t.last.Store(&mishap{r.Method, path, status, code, ref}) // allocates, but for none that is well
}

// worse is how much worse a release's answers are than those of the one before: nil
// where that is no reason to leave it. Of one that nobody asked nothing bad is known.
func (t *tally) worse(before *tally, since time.Duration) error {
	failed, all := t.failed.Load(), t.all.Load() // in this order, as both grow
	var hadFailed, had int64
	if before != nil {
		hadFailed, had = before.failed.Load(), before.all.Load()
	}
	if all < answersEnough || failed*answersFailed <= all || had > 0 && answersWorse*(failed*had-hadFailed*all) < all*had {
		return nil
	}
	return fault.New(fault.Invalid, "%d of %d requests answered 5xx in %s (before: %d of %d); the last: %s",
		failed, all, since.Round(time.Second), hadFailed, had, t.last.Load())
}

// Answered is what is wrong with what visitors of a watched app were answered by its
// code, nil if nothing is.
func (s *Server) Answered(addr spec.Addr, now time.Time) error {
	n := s.acquire()
	defer n.release()
	site := n.sites[addr]
	if site == nil {
		return nil
	}
	return site.tally.worse(site.before, now.Sub(site.born))
}
