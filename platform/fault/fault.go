// Package fault is the error vocabulary of the house. Every layer may add what
// it knows (the operation, the subject, a hint for a person); the kind decides
// the exit code of the command line, the HTTP status and whether the reconcile
// loop tries again. All rooms import it; it imports none of them and knows no
// domain.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind classes an error. The text is on the wire between nodes and their
// callers: never rename a kind.
type Kind string

// The kinds. An error that carries none is Internal.
const (
	Invalid         Kind = "invalid"         // the input is wrong; trying again is pointless
	Unauthenticated Kind = "unauthenticated" // nobody is signed in
	Forbidden       Kind = "forbidden"       // somebody is, and may not
	Conflict        Kind = "conflict"        // a guard refused, or the state moved on
	NotFound        Kind = "not_found"       // the named thing does not exist
	Unavailable     Kind = "unavailable"     // a node, remote or disk does not answer; try again
	Exhausted       Kind = "exhausted"       // busy, or over a limit
	Internal        Kind = "internal"        // everything unforeseen
)

// Error is one error with its class. Only Err and Kind matter to machines; the
// rest is for the person who reads it.
type Error struct {
	Op      string // what was attempted, "source.Fetch"; for logs, not shown to users
	Kind    Kind   // empty takes the kind of Err
	Code    string // stable code such as "F2101", or empty
	Subject string // what it happened to: an address, a host, a path
	Message string // one lower-case sentence without a full stop
	Hint    string // what to do next
	Err     error  // the cause, shown after a colon
}

// New returns an error of a kind with a formatted message; %w wraps a cause.
func New(kind Kind, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// Wrap classes err and puts a message before it: "message: err".
func Wrap(kind Kind, err error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...) + ": " + Message(err), Hint: HintOf(err), Err: err}
}

// WithHint returns a copy of e that tells the reader what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// WithSubject returns a copy of e that names what it happened to.
func (e *Error) WithSubject(subject string) *Error {
	c := *e
	c.Subject = subject
	return &c
}

// WithCode returns a copy of e with a stable code.
func (e *Error) WithCode(code string) *Error {
	c := *e
	c.Code = code
	return &c
}

// Error returns the message, or the cause's where there is none.
func (e *Error) Error() string {
	switch {
	case e.Message != "":
		return e.Message
	case e.Err != nil:
		return e.Err.Error()
	default:
		return strings.ReplaceAll(string(e.Kind), "_", " ")
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeDiskFull is the code of what failed because the disk has no room: whoever
// asked hears that, and may ask again once there is some.
const CodeDiskFull = "disk_full"

// CodeUnhealthy is the code of a release that did not answer well when it was asked
// whether it works. It is valid, and stays out.
const CodeUnhealthy = "unhealthy"

// CodeOf returns the first code in err's chain, empty if there is none.
func CodeOf(err error) string {
	for e := (*Error)(nil); err != nil && errors.As(err, &e); err = e.Err {
		if e.Code != "" {
			return e.Code
		}
	}
	return ""
}

// KindOf returns the kind of the outermost classed error in err's chain, and
// Internal if there is none. KindOf(nil) is empty.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Kind != "" {
			return e.Kind
		}
		if e.Err == nil {
			break
		}
	}
	return Internal
}

// Message returns the sentence a person should read.
func Message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// HintOf returns the first hint in err's chain.
func HintOf(err error) string {
	for e := (*Error)(nil); err != nil && errors.As(err, &e); err = e.Err {
		if e.Hint != "" {
			return e.Hint
		}
	}
	return ""
}

// class is one row of the table that the three switches below share.
type class struct {
	exit, status int
	retry        bool
}

func (k Kind) class() class {
	switch k {
	case Invalid:
		return class{exit: 3, status: 400}
	case Unauthenticated:
		return class{exit: 4, status: 401}
	case Forbidden:
		return class{exit: 4, status: 403}
	case Conflict:
		return class{exit: 5, status: 409}
	case NotFound:
		return class{exit: 6, status: 404, retry: true}
	case Unavailable:
		return class{exit: 7, status: 503, retry: true}
	case Exhausted:
		return class{exit: 8, status: 429, retry: true}
	default:
		return class{exit: 1, status: 500, retry: true}
	}
}

// Exit is the command line's exit code for the kind.
func (k Kind) Exit() int { return k.class().exit }

// Status is the HTTP status for the kind.
func (k Kind) Status() int { return k.class().status }

// Retry tells the loop whether the same input may succeed later.
func (k Kind) Retry() bool { return k.class().retry }
