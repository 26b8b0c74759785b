package edge

import (
	"io"
	"sync"
)

// held is a body that holds on to something until it is closed.
type held struct {
	io.ReadCloser
	once    sync.Once
	release func()
}

// Close implements io.Closer.
func (h *held) Close() error {
	err := h.ReadCloser.Close()
	h.once.Do(h.release)
	return err
}
