package edge

import (
	"io"
	"time"
)

// errWall is what ends an answer that took longer than its app may. It has begun,
// so nobody reads the words.
var errWall = &refusal{503, "the answer took longer than this site may take", layerApp}

// wallPart is how much is sent between two looks at the clock, where there is
// one to look at.
const wallPart = 1 << 20

// late tells whether the app's time for this answer is up. Then it is cut, also
// where the handler takes the error for a visitor's leaving.
func (x *exchange) late() bool {
	if x.until.IsZero() || !time.Now().After(x.until) {
		return false
	}
	x.overdue = true
	return true
}

// sendParts is ReadFrom for an answer that must end in time. Each part still goes
// by sendfile, which looks through one limit and not through two.
func (x *exchange) sendParts(to io.ReaderFrom, r io.Reader) (total int64, err error) {
	inner, limited := r.(*io.LimitedReader)
	for {
		if x.late() {
			return total, errWall
		}
		part := &io.LimitedReader{R: r, N: wallPart}
		if limited {
			part = &io.LimitedReader{R: inner.R, N: min(inner.N, wallPart)}
		}
		asked := part.N
		n, err := to.ReadFrom(part)
		total += n
		if limited {
			inner.N -= n
		}
		if err != nil || n < asked || n == 0 {
			return total, err
		}
	}
}
