package op

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Failure is the document an operation answers with when it fails.
type Failure struct {
	Error       Detail          `json:"error"`
	Diagnostics json.RawMessage `json:"diagnostics,omitempty"` // places in files; op does not read them
	Details     json.RawMessage `json:"details,omitempty"`     // what else is known; op does not read it
}

// Detail says what went wrong, for machines and for people.
type Detail struct {
	Kind    fault.Kind `json:"kind"`
	Code    string     `json:"code,omitempty"`    // stable, "F2101"
	Message string     `json:"message"`           // one lower-case sentence
	Hint    string     `json:"hint,omitempty"`    // what to do next
	Subject string     `json:"subject,omitempty"` // what it happened to
	Docs    string     `json:"docs,omitempty"`    // where to read on
	Exit    int        `json:"exit"`              // exit code of the command line
	Ref     string     `json:"ref,omitempty"`     // finds the error in the node's log
}

// FailureOf describes an error. An error in the chain with Diagnostics() any, or
// with Details() any, brings them along; one with Exit() int replaces its kind's exit code.
func FailureOf(err error) *Failure {
	kind := fault.KindOf(err)
	if cut := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded); cut && kind == fault.Internal {
		kind = fault.Unavailable
	}
	d := Detail{Kind: kind, Message: fault.Message(err), Hint: fault.HintOf(err), Exit: ExitOf(err)}
	if kind == fault.Unavailable && d.Exit == fault.Internal.Exit() {
		d.Exit = kind.Exit()
	}
	for rest := err; rest != nil; {
		var e *fault.Error
		if !errors.As(rest, &e) {
			break
		}
		if d.Code == "" {
			d.Code = e.Code
		}
		if d.Subject == "" {
			d.Subject = e.Subject
		}
		rest = e.Err
	}
	f := &Failure{Error: d}
	var places interface{ Diagnostics() any }
	if errors.As(err, &places) {
		if text, err := marshal(places.Diagnostics()); err == nil && string(text) != "null" {
			f.Diagnostics = text
		}
	}
	var more interface{ Details() any }
	if errors.As(err, &more) {
		if text, err := marshal(more.Details()); err == nil && string(text) != "null" {
			f.Details = text
		}
	}
	return f
}

// ExitOf returns the exit code an error means: its own Exit() int, else its
// kind's. nil is 0.
func ExitOf(err error) int {
	if err == nil {
		return 0
	}
	var own interface{ Exit() int }
	if errors.As(err, &own) {
		return own.Exit()
	}
	return fault.KindOf(err).Exit()
}

// Err returns the failure as an error again, with kind, code, hint, exit code and
// diagnostics: what the node's own function returned, as far as it is told.
func (f *Failure) Err() error {
	if f == nil {
		return nil
	}
	d := f.Error
	e := &fault.Error{Kind: d.Kind, Code: d.Code, Subject: d.Subject, Message: d.Message, Hint: d.Hint}
	return &answered{fault: e, exit: d.Exit, failure: f}
}

// answered is a failure that came over a wire.
type answered struct {
	fault   *fault.Error
	exit    int
	failure *Failure
}

func (a *answered) Error() string { return a.fault.Error() }
func (a *answered) Unwrap() error { return a.fault }
func (a *answered) Exit() int     { return a.exit }
func (a *answered) Diagnostics() any {
	if a.failure.Diagnostics == nil {
		return nil
	}
	return a.failure.Diagnostics
}

func (a *answered) Details() any {
	if a.failure.Details == nil {
		return nil
	}
	return a.failure.Details
}
