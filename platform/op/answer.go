package op

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Headers of an answer.
const (
	headerExit    = "Fazt-Exit"    // exit code of the command line, where it is not 0
	headerVersion = "Fazt-Version" // the node's version, "v0.1.0"
	headerMissing = "Fazt-Missing" // "operation": the node has no such operation
)

// Schema is the version of the JSON every answer follows. Fields may be added
// within a major version, never taken away.
const Schema = "1.0"

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
	typeForm   = "multipart/form-data"
)

// frame is one line of a stream.
type frame struct {
	Type        string          `json:"type"`              // version, item or result
	Schema      string          `json:"schema,omitempty"`  // of the first line
	Version     string          `json:"version,omitempty"` // of the node, first line
	Item        json.RawMessage `json:"item,omitempty"`
	OK          *bool           `json:"ok,omitempty"` // of the last line, with all that follows
	Exit        *int            `json:"exit,omitempty"`
	Error       *Detail         `json:"error,omitempty"`
	Diagnostics json.RawMessage `json:"diagnostics,omitempty"`
}

// line returns the frame as one line of NDJSON.
func (f frame) line() []byte {
	text, err := marshal(f)
	if err != nil { // only Item and Diagnostics can be wrong, and both were JSON before
		text = []byte(`{"type":"result","ok":false,"exit":1}`)
	}
	return append(text, '\n')
}

func result(f *Failure, exit int) frame {
	ok := f == nil
	last := frame{Type: "result", OK: &ok, Exit: &exit}
	if f != nil {
		last.Error, last.Diagnostics = &f.Error, f.Diagnostics
	}
	return last
}

// refusal is an error whose HTTP status is not its kind's.
type refusal struct {
	fault  *fault.Error
	status int
}

func (r *refusal) Error() string { return r.fault.Error() }
func (r *refusal) Unwrap() error { return r.fault }

// document writes a finite answer.
func document(w http.ResponseWriter, status, exit int, v any) error {
	text, err := marshal(v)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if exit != 0 {
		w.Header().Set(headerExit, strconv.Itoa(exit))
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // a caller that has gone does not read why
	return nil
}

// exitCode keeps an answer's own exit code within what a process can return.
func exitCode(v any) int {
	if e, ok := v.(Exiter); ok {
		if code := e.Exit(); code >= 0 && code <= 255 {
			return code
		}
		return fault.Internal.Exit()
	}
	return 0
}

// newRef makes the number that connects an answer with the log.
func newRef() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// A stream writes the lines of one answer. It may be emitted to from several
// goroutines.
type stream struct {
	w       http.ResponseWriter
	version string

	mu    sync.Mutex
	begun bool  // guarded by mu, as all below
	ended bool  // no more items
	err   error // why the caller cannot be reached any more
}

// begin sends the status and the first line.
func (s *stream) begin(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = true
	s.w.Header().Set("Content-Type", typeNDJSON)
	s.w.WriteHeader(status)
	s.writeLocked(frame{Type: "version", Schema: Schema, Version: s.version}.line())
}

// emit sends one item.
func (s *stream) emit(item any) error {
	text, err := marshal(item)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return fault.New(fault.Internal, "an item was sent after the end of its stream")
	}
	s.writeLocked(frame{Type: "item", Item: text}.line())
	return s.err
}

// end sends the last line.
func (s *stream) end(last frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.writeLocked(last.line())
}

func (s *stream) writeLocked(line []byte) {
	if s.err != nil {
		return
	}
	if _, err := s.w.Write(line); err != nil {
		s.err = fault.New(fault.Unavailable, "the caller has gone: %w", err)
		return
	}
	if err := http.NewResponseController(s.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.err = fault.New(fault.Unavailable, "the caller has gone: %w", err)
	}
}
