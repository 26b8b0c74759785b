package main

import (
	"bytes"
	"encoding/json"

	"github.com/fazt-sh/fazt/platform/child"
)

// framed is one end of the connection between the loader and its child.
type framed struct {
	conn  *child.Conn
	moved int // bytes of frames, both ways
}

// chunkSize is about how many bytes of text travel in one frame.
const chunkSize = 4 << 20

func (f *framed) writeTexts(texts loadTexts) error {
	if err := f.writeJSON(texts.list); err != nil {
		return err
	}
	var chunk []byte
	for i, t := range texts.list {
		chunk = append(chunk, t.bytes...)
		if len(chunk) > 0 && (len(chunk) >= chunkSize || i == len(texts.list)-1) {
			if err := f.write(chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
	}
	return nil
}

func (f *framed) write(frame []byte) error {
	f.moved += len(frame)
	return f.conn.WriteFrame(frame)
}

func (f *framed) read() ([]byte, error) {
	frame, err := f.conn.ReadFrame()
	f.moved += len(frame)
	return frame, err
}

// writeJSON sends a value. Canonical forms must arrive byte for byte, so
// nothing is escaped for HTML.
func (f *framed) writeJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return f.write(b.Bytes())
}

func (f *framed) readJSON(v any) error {
	b, err := f.read()
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
