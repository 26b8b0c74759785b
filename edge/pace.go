package edge

import (
	"net/http"
	"time"
)

// streamPart is how much of an answer must be taken within the write timeout on
// a stream of HTTP/2 or HTTP/3: at 30 seconds, slower than about 1 KB/s is not
// reading.
const streamPart = 32 << 10

// paceStep saves a timer for most parts: a deadline is moved once it is this
// much out of date.
const paceStep = time.Second

// pace gives the next part of an answer its time. A connection has its own
// (edge/listen), but on one with streams a peer need not stop reading to hold an
// answer: it leaves the stream's window shut, answers every ping, and nothing of
// the connection shows it. Past the deadline net/http takes the stream back.
func (x *exchange) pace() {
	now := time.Now()
	if now.Before(x.paced) {
		return
	}
	timeout := x.snap.limits.timers.write
	x.paced = now.Add(min(paceStep, timeout/4))
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(now.Add(timeout)) // without one there is no stream
}

// rest takes the time away again: the peer has taken what was flushed, and the next
// part, if there is one, may be long in coming.
func (x *exchange) rest() {
	x.paced = time.Time{}
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Time{})
}

// writeParts is Write on a stream. The last part may wait for the window after
// the handler is gone, under the deadline that was set here.
func (x *exchange) writeParts(p []byte) (total int, err error) {
	for {
		x.pace()
		n, err := x.ResponseWriter.Write(p[:min(len(p), streamPart)])
		total, p = total+n, p[n:]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}
