package script

import (
	"bytes"
	"io"
	"sync"
)

// pipeEnd is one end of a connection within the process.
type pipeEnd struct {
	in, out chan []byte
	closed  chan struct{}
	once    *sync.Once
}

// pipe returns two connected ends. Closing one closes both.
func pipe() (a, b *pipeEnd) {
	x, y, closed, once := make(chan []byte, 16), make(chan []byte, 16), make(chan struct{}), new(sync.Once)
	return &pipeEnd{in: x, out: y, closed: closed, once: once}, &pipeEnd{in: y, out: x, closed: closed, once: once}
}

func (p *pipeEnd) ReadFrame() ([]byte, error) {
	select {
	case b := <-p.in:
		return b, nil
	case <-p.closed:
		return nil, io.EOF
	}
}

func (p *pipeEnd) WriteFrame(b []byte) error {
	select {
	case p.out <- bytes.Clone(b):
		return nil
	case <-p.closed:
		return io.ErrClosedPipe
	}
}

func (p *pipeEnd) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
