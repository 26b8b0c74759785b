package child

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Conn carries frames: four bytes of length, most significant first, then the
// payload. One goroutine may read while others write.
type Conn struct {
	file *os.File
	in   *bufio.Reader // several short frames come with one system call
	max  int

	mu  sync.Mutex // guards buf and the order of writes
	buf []byte
}

func newConn(f *os.File, max int) *Conn {
	return &Conn{file: f, in: bufio.NewReaderSize(f, 32<<10), max: max}
}

// ReadFrame returns the next payload, which is the caller's to keep. It returns
// io.EOF when the other side has closed, io.ErrUnexpectedEOF when it did so in
// the middle of a frame, and Invalid for a frame that is too long. Memory is
// taken as the bytes arrive, not as their length claims.
func (c *Conn) ReadFrame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, gone(err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if uint64(n) > uint64(c.max) {
		return nil, fault.New(fault.Invalid, "a frame of %d bytes is over the limit of %d", n, c.max)
	}
	payload, err := c.payload(int(n))
	if err = gone(err); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return payload, err
}

// payload takes a short one in one piece.
func (c *Conn) payload(n int) ([]byte, error) {
	if n <= shortFrame {
		b := make([]byte, n)
		_, err := io.ReadFull(c.in, b)
		return b, err
	}
	var b bytes.Buffer
	b.Grow(shortFrame)
	_, err := io.CopyN(&b, c.in, int64(n))
	return b.Bytes(), err
}

// shortFrame is what is sent in one piece and taken on trust.
const shortFrame = 64 << 10

// gone puts a connection that was cut with bytes under way in io's words.
func gone(err error) error {
	if errors.Is(err, syscall.ECONNRESET) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteFrame sends a payload in one system call if it is short. It refuses one
// that the other side would refuse.
func (c *Conn) WriteFrame(payload []byte) error {
	if len(payload) > c.max {
		return fault.New(fault.Invalid, "a frame of %d bytes is over the limit of %d", len(payload), c.max)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = binary.BigEndian.AppendUint32(c.buf[:0], uint32(len(payload)))
	if len(payload) <= shortFrame {
		c.buf = append(c.buf, payload...)
		_, err := c.file.Write(c.buf)
		return err
	}
	if _, err := c.file.Write(c.buf); err != nil {
		return err
	}
	_, err := c.file.Write(payload)
	return err
}
