package script

import (
	"io"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// inflow is the reader's end of a body: chunks are pushed, Read takes them and
// grants the sender as many bytes again.
type inflow struct {
	grant func(int)    // tells the sender; may be nil
	drop  func()       // tells whom it concerns that nobody reads on; may be nil
	most  int64        // bytes in all
	over  func() error // what a reader is told beyond most

	mu     sync.Mutex
	come   *sync.Cond
	chunks [][]byte
	held   int   // bytes in chunks
	owed   int   // bytes read and not yet granted
	total  int64 // bytes that came
	err    error // after chunks: io.EOF or why there are no more
	closed bool
}

func newInflow(most int64, over func() error, grant func(int), drop func()) *inflow {
	f := &inflow{most: most, over: over, grant: grant, drop: drop}
	f.come = sync.NewCond(&f.mu)
	return f
}

var errWindow = fault.New(fault.Invalid, "more of a body than was asked for")

// push adds a chunk. It refuses one for which there was no credit, as a sender
// that does not keep to it could fill our memory.
func (f *inflow) push(b []byte, end bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.come.Signal()
	if f.closed || f.err != nil {
		return nil
	}
	if f.held+len(b) > window {
		return errWindow
	}
	if f.total += int64(len(b)); f.total > f.most {
		f.err = f.over()
		return nil
	}
	f.add(b, end)
	return nil
}

// whole makes b all there is, whatever its length.
func (f *inflow) whole(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(b, true)
	f.come.Signal()
}

func (f *inflow) add(b []byte, end bool) {
	if len(b) > 0 {
		f.chunks = append(f.chunks, b)
		f.held += len(b)
	}
	if end {
		f.err = io.EOF
	}
}

// fail ends the body after what has come. It reports whether the body's reader is
// who learns of it.
func (f *inflow) fail(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.come.Broadcast()
	if f.err != nil {
		return false
	}
	f.err = err
	return true
}

// Read waits for a chunk.
func (f *inflow) Read(p []byte) (int, error) {
	f.mu.Lock()
	for len(f.chunks) == 0 && f.err == nil && !f.closed {
		f.come.Wait()
	}
	switch {
	case f.closed:
		f.mu.Unlock()
		return 0, io.ErrClosedPipe
	case len(f.chunks) == 0:
		defer f.mu.Unlock()
		return 0, f.err
	}
	n, owed := f.take(p)
	f.mu.Unlock()
	if owed > 0 && f.grant != nil {
		f.grant(owed)
	}
	return n, nil
}

// take moves bytes to p and says what to grant now: not every read is worth a
// message.
func (f *inflow) take(p []byte) (n, owed int) {
	n = copy(p, f.chunks[0])
	if f.chunks[0] = f.chunks[0][n:]; len(f.chunks[0]) == 0 {
		f.chunks[0] = nil
		f.chunks = f.chunks[1:]
	}
	f.held -= n
	f.owed += n
	if f.err == nil && f.owed >= window/2 {
		owed, f.owed = f.owed, 0
	}
	return n, owed
}

// Close gives up what was not read.
func (f *inflow) Close() error {
	f.mu.Lock()
	again := f.closed
	left := len(f.chunks) > 0 || f.err != io.EOF
	f.closed, f.chunks, f.held = true, nil, 0
	f.come.Broadcast()
	f.mu.Unlock()
	if !again && left && f.drop != nil {
		f.drop()
	}
	return nil
}

// outflow is the sender's end of a body: it sends what the reader's credit
// allows and keeps the rest.
type outflow struct {
	send func(b []byte, end bool)

	mu     sync.Mutex
	credit int
	queue  []byte
	end    bool
	over   bool          // the end was sent, or nobody reads on
	room   chan struct{} // poked when there is credit again
}

func newOutflow(send func(b []byte, end bool)) *outflow {
	return &outflow{send: send, credit: window, room: make(chan struct{}, 1)}
}

// offer sends b or keeps what there is no credit for. It returns the bytes that
// it would take on without keeping any, negative if it keeps some, and whether
// anybody wants more.
func (f *outflow) offer(b []byte, end bool) (room int, wanted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.end {
		return 0, false
	}
	f.queue, f.end = append(f.queue, b...), end
	f.flush()
	return f.credit - len(f.queue), true
}

// grant adds to the credit. It reports whether everything kept has been sent.
func (f *outflow) grant(n uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.credit = int(min(uint64(f.credit)+n, 1<<30))
	f.flush()
	if f.credit == 0 || f.over {
		return false
	}
	select {
	case f.room <- struct{}{}:
	default:
	}
	return true
}

const chunkBytes = 32 << 10

func (f *outflow) flush() {
	for !f.over {
		n := min(len(f.queue), f.credit, chunkBytes)
		last := f.end && n == len(f.queue)
		if n == 0 && !last {
			return
		}
		f.send(f.queue[:n], last)
		f.queue, f.credit, f.over = f.queue[n:], f.credit-n, last
	}
}

// kept returns the bytes that wait for credit.
func (f *outflow) kept() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue)
}

// stop drops what waits.
func (f *outflow) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over, f.queue = true, nil
}
