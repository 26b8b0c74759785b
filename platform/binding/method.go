package binding

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// methods are what one binding can do, by name.
type methods map[string]method

// method answers a call.
type method func(ctx context.Context, r request) (script.Reply, error)

// request is a call, and whose it is.
type request struct {
	*Invocation
	script.Call
}

// maxArgs bounds the arguments of a call in bytes: a batch of statements or
// documents. What is larger travels as a body.
const maxArgs = 8 << 20

// on makes a method of a function that takes its arguments as A has them.
func on[A any](run func(ctx context.Context, r request, args A) (script.Reply, error)) method {
	return func(ctx context.Context, r request) (script.Reply, error) {
		var args A
		if err := decode(r.Args, &args); err != nil {
			return script.Reply{}, fault.Wrap(fault.Invalid, err, "%s.%s", r.Target, r.Method)
		}
		return run(ctx, r, args)
	}
}

// decode reads arguments: one JSON object of known members and nothing behind it.
func decode(args json.RawMessage, into any) error {
	if len(args) > maxArgs {
		return fault.New(fault.Invalid, "the arguments have %d bytes, %d are the most", len(args), maxArgs)
	}
	d := json.NewDecoder(bytes.NewReader(args))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return argumentFault(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "there is something behind the arguments")
	}
	return nil
}

// argumentFault says which argument was not what it must be, without the words of
// Go.
func argumentFault(err error) error {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fault.New(fault.Invalid, "the argument %q cannot be a %s", wrong.Field, wrong.Value)
	}
	return fault.New(fault.Invalid, "the arguments cannot be read")
}

// value is a reply of JSON alone.
func value(v any) (script.Reply, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return script.Reply{}, fault.Wrap(fault.Internal, err, "encode a reply")
	}
	return script.Reply{Value: text}, nil
}

// done is the reply of what has nothing to say.
func done(err error) (script.Reply, error) {
	if err != nil {
		return script.Reply{}, err
	}
	return script.Reply{Value: json.RawMessage("null")}, nil
}

// body reads all of a body of at most so many bytes.
func (r request) body(most int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	all, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(all)) > most {
		return nil, fault.New(fault.Invalid, "the value has more than %d bytes", most)
	}
	return all, nil
}

// content is a value that comes with the arguments where it is short text, else as
// a body.
func (r request) content(text *string, most int64) (data []byte, isText bool, err error) {
	if text != nil {
		return []byte(*text), true, nil
	}
	data, err = r.body(most)
	return data, false, err
}
