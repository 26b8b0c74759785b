package op

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Reply is what a node answered to a call.
type Reply struct {
	Op      Op
	Status  int      // HTTP status
	Exit    int      // exit code; of a stream once it has ended
	Version string   // of the node, "v0.1.0"
	Body    []byte   // the document as it came; empty for a stream
	Failure *Failure // why it failed, nil if it did not; of a stream once it has ended

	client *Client
	ctx    context.Context
	stream io.ReadCloser
}

// Streaming tells whether the answer comes in lines.
func (r *Reply) Streaming() bool { return r.stream != nil }

// Err returns the failure as an error: nil if the operation worked.
func (r *Reply) Err() error { return r.Failure.Err() }

// Close ends a stream. It may be called twice and on any reply.
func (r *Reply) Close() error {
	if r.stream == nil {
		return nil
	}
	return r.stream.Close()
}

// Value decodes a finite answer into the operation's Out.
func (r *Reply) Value() (any, error) { return r.decode(r.Body) }

func (r *Reply) decode(text []byte) (any, error) {
	v := reflect.New(r.Op.o.out)
	if err := json.Unmarshal(text, v.Interface()); err != nil {
		return nil, r.unreadable(err)
	}
	return v.Elem().Interface(), nil
}

// Decode reads a finite answer into out, or returns its failure.
func (r *Reply) Decode(out any) error {
	if err := r.Err(); err != nil {
		return err
	}
	if err := json.Unmarshal(r.Body, out); err != nil {
		return r.unreadable(err)
	}
	return nil
}

func (r *Reply) unreadable(err error) error {
	return fault.New(fault.Unavailable, "the answer of %s to %q cannot be read: %w", r.client.name(), r.Op.Row().Name, err).
		WithHint("it runs another version: %s", r.Version)
}

// mostLine bounds one line of a stream.
const mostLine = 32 << 20

// Lines calls each for every line of a stream, first and last included, without
// its line break. When the last line has come, Exit and Failure are set. A stream
// that ends without one is an error of kind Unavailable.
func (r *Reply) Lines(each func(line []byte) error) error {
	if r.stream == nil {
		return fault.New(fault.Internal, "%q does not answer with a stream", r.Op.Row().Name)
	}
	defer r.stream.Close()
	scanner := bufio.NewScanner(r.stream)
	scanner.Buffer(nil, mostLine)
	for scanner.Scan() {
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		var f frame
		if err := json.Unmarshal(line, &f); err != nil {
			return r.broken(err)
		}
		if f.Type == "result" {
			r.finish(f)
		}
		if err := each(line); err != nil {
			return err
		}
		if f.Type == "result" {
			return nil
		}
	}
	return r.broken(scanner.Err())
}

func (r *Reply) broken(err error) error {
	if errors.Is(r.ctx.Err(), context.Canceled) {
		return r.ctx.Err()
	}
	if err == nil {
		return fault.New(fault.Unavailable, "the answer of %s broke off before its end", r.client.where())
	}
	return fault.New(fault.Unavailable, "the answer of %s broke off: %w", r.client.where(), err)
}

func (r *Reply) finish(f frame) {
	if f.Exit != nil {
		r.Exit = *f.Exit
	}
	if f.OK != nil && *f.OK {
		return
	}
	r.Exit = max(r.Exit, 1)
	r.Failure = &Failure{Diagnostics: f.Diagnostics, Error: Detail{Kind: fault.Internal, Message: "the operation failed without saying why", Exit: r.Exit}}
	if f.Error != nil {
		r.Failure.Error = *f.Error
	}
}

// Items calls each with every item of a stream and returns the stream's failure,
// if it has one.
func (r *Reply) Items(each func(item json.RawMessage) error) error {
	err := r.Lines(func(line []byte) error {
		var f frame
		if err := json.Unmarshal(line, &f); err != nil || f.Type != "item" {
			return err
		}
		return each(f.Item)
	})
	if err != nil {
		return err
	}
	return r.Err()
}
