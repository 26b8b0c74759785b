package script

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// frames is a connection between node and child: *child.Conn, or a pipe within
// the process.
type frames interface {
	ReadFrame() ([]byte, error)
	WriteFrame([]byte) error
}

// frameBytes is when a frame is full enough: below it, what is sent while the
// last frame is being written shares the next one.
const frameBytes = 64 << 10

// link carries messages over a connection, many in a frame. send never blocks:
// what is queued is bounded by the credit of bodies, the calls of invocations
// and the number of requests.
type link struct {
	conn frames
	wake chan struct{}
	done chan struct{} // closed by close

	mu    sync.Mutex // guards the rest
	queue [][]byte   // frames to be, in order
	free  [][]byte   // emptied frames

	in, out, framesIn, framesOut atomic.Uint64
}

func newLink(c frames) *link {
	return &link{conn: c, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// send queues a message, which it copies.
func (l *link) send(m message) {
	l.mu.Lock()
	last := len(l.queue) - 1
	if last < 0 || len(l.queue[last]) >= frameBytes {
		l.queue, last = append(l.queue, l.buffer()), last+1
	}
	l.queue[last] = m.appendTo(l.queue[last])
	l.mu.Unlock()
	l.out.Add(1)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// buffer returns an empty frame. l.mu is held.
func (l *link) buffer() []byte {
	if n := len(l.free); n > 0 {
		b := l.free[n-1]
		l.free = l.free[:n-1]
		return b
	}
	return make([]byte, 0, 4<<10)
}

// write sends what is queued until the connection breaks or close is called.
func (l *link) write() error {
	for {
		select {
		case <-l.wake:
			runtime.Gosched() // who is ready to send shares the frame
		case <-l.done:
			return nil
		}
		if err := l.flush(); err != nil {
			return err
		}
	}
}

func (l *link) flush() error {
	l.mu.Lock()
	full := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, b := range full {
		if err := l.conn.WriteFrame(b); err != nil {
			return err
		}
		l.framesOut.Add(1)
		l.reuse(b)
	}
	return nil
}

func (l *link) reuse(b []byte) {
	if cap(b) > 2*frameBytes {
		return
	}
	l.mu.Lock()
	if len(l.free) < 4 {
		l.free = append(l.free, b[:0])
	}
	l.mu.Unlock()
}

// read hands each message to receive until the connection ends or one of them
// is refused. The message's bytes are the receiver's to keep.
func (l *link) read(receive func(message) error) error {
	for {
		frame, err := l.conn.ReadFrame()
		if err != nil {
			return err
		}
		l.framesIn.Add(1)
		for len(frame) > 0 {
			var m message
			if m, frame, err = next(frame); err != nil {
				return err
			}
			l.in.Add(1)
			if err := receive(m); err != nil {
				return err
			}
		}
	}
}

// close ends write.
func (l *link) close() { close(l.done) }
