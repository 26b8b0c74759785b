package script

import "time"

// crew runs host calls, on goroutines that stay a while for the next one: a call
// into a database grows a stack that a new goroutine would grow again, which was a
// tenth of what the node does for a function that reads a key.
type crew struct{ work chan func() }

func newCrew() crew { return crew{make(chan func())} }

// do runs f at once, on a goroutine that waits for work or on a new one.
func (c crew) do(f func()) {
	select {
	case c.work <- f:
	default:
		go c.serve(f)
	}
}

// idleCrew is how long a goroutine waits for its next call.
const idleCrew = time.Second

func (c crew) serve(f func()) {
	idle := time.NewTimer(idleCrew)
	defer idle.Stop()
	for {
		f()
		idle.Reset(idleCrew)
		select {
		case f = <-c.work:
		case <-idle.C:
			return
		}
	}
}
