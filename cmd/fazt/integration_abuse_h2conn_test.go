//go:build integration

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2conn speaks HTTP/2 frame by frame, as no client would. One goroutine may
// write while another one listens: each has a Framer of its own.
type h2conn struct {
	conn          *tls.Conn
	*http2.Framer               // writes
	heard         *http2.Framer // reads, and acknowledges
	block         bytes.Buffer
	headers       *hpack.Encoder
}

// h2 is a connection after the preface. It must not be used where there is an
// error, but for its conn.
func (s *siege) h2(d *net.Dialer, settings ...http2.Setting) (*h2conn, error) {
	c := &h2conn{}
	var err error
	if c.conn, err = s.encrypted(d, "h2"); err != nil {
		return c, err
	}
	c.Framer, c.heard = http2.NewFramer(c.conn, nil), http2.NewFramer(c.conn, c.conn)
	c.headers = hpack.NewEncoder(&c.block)
	if _, err = io.WriteString(c.conn, http2.ClientPreface); err == nil {
		err = c.WriteSettings(settings...)
	}
	return c, err
}

// fields encodes a request's header.
func (c *h2conn) fields(method, path string, more ...hpack.HeaderField) []byte {
	c.block.Reset()
	for _, f := range append([]hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: abused}, {Name: ":path", Value: path}}, more...) {
		_ = c.headers.WriteField(f)
	}
	return c.block.Bytes()
}

// get asks for a path on a stream; an error shows when reading.
func (c *h2conn) get(stream uint32, path string) error {
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.fields("GET", path), EndStream: true, EndHeaders: true})
}

// hearing is what a connection said until it ended, or until enough.
type hearing struct {
	statuses map[uint32]string // by stream
	resets   map[uint32]http2.ErrCode
	goAway   *http2.ErrCode
	err      error // of reading, once it ended
}

// listen reads frames until one is enough or the connection ends. It answers
// pings, and owes the node the word that its settings have come: between the
// frames of a header there may be none.
func (c *h2conn) listen(enough func(http2.Frame, *hearing) bool) *hearing {
	h := &hearing{statuses: map[uint32]string{}, resets: map[uint32]http2.ErrCode{}}
	decoder := hpack.NewDecoder(4096, nil)
	for {
		f, err := c.heard.ReadFrame()
		if err != nil {
			h.err = err
			return h
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			fields, _ := decoder.DecodeFull(f.HeaderBlockFragment())
			for _, field := range fields {
				if field.Name == ":status" {
					h.statuses[f.StreamID] = field.Value
				}
			}
		case *http2.RSTStreamFrame:
			h.resets[f.StreamID] = f.ErrCode
		case *http2.GoAwayFrame:
			code := f.ErrCode
			h.goAway = &code
		case *http2.PingFrame:
			if !f.IsAck() {
				_ = c.heard.WritePing(true, f.Data)
			}
		}
		if enough != nil && enough(f, h) {
			return h
		}
	}
}

// closed tells whether the node closed the connection, and not our patience.
func (h *hearing) closed() bool {
	var late net.Error
	return h.err != nil && (!errors.As(h.err, &late) || !late.Timeout())
}

// String is the end, and what came before it.
func (h *hearing) String() string {
	text := fmt.Sprintf("%v", h.err)
	if h.goAway != nil {
		text = h.goAway.String()
	}
	if len(h.statuses) == 1 {
		text += fmt.Sprintf(", answered %v", h.statuses)
	}
	return text
}

// headerBlock sends a long header in as many frames as it takes.
func (c *h2conn) headerBlock(stream uint32, block []byte) error {
	const frame = 16 << 10
	first := block[:min(len(block), frame)]
	err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: true, EndHeaders: len(block) <= frame})
	for block = block[len(first):]; len(block) > 0 && err == nil; {
		part := block[:min(len(block), frame)]
		block = block[len(part):]
		err = c.WriteContinuation(stream, len(block) == 0, part)
	}
	return err
}
