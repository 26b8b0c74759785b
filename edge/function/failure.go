package function

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// Failure is a request that a program did not answer. The visitor learns the
// code and the reference; why is in the app's log, under the same reference.
type Failure struct {
	code   string
	status int
	ref    string
	detail string
	cause  error
}

// statusGone is for the log alone: the client does not wait for it. The number is
// nginx's.
const statusGone = 499

// Status is the HTTP status to answer with: 500 for a fault in the program or
// below it, 507 where it let a full disk be the end of it, 503 for a limit and where no program was free, 413 for the limit of
// the request's body, 499 where nobody waits for the answer any more.
func (f *Failure) Status() int { return f.status }

// Code is what machines read: "limit_cpu" and the other limits, "exception",
// "disk_full", "unavailable", "internal", "gone".
func (f *Failure) Code() string { return f.code }

// Reference names the request to the visitor and in the log.
func (f *Failure) Reference() string { return f.ref }

// Detail is the exception with its stack, for the page of an error in dev; it is
// empty elsewhere.
func (f *Failure) Detail() string { return f.detail }

// Error implements error.
func (f *Failure) Error() string { return "the program failed: " + f.cause.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.cause }

// failure classes what went wrong and records it: what the app did in the app's
// log, what happened below it in the node's.
func (h *Handler) failure(r *http.Request, v Visitor, b script.Bindings, err error, broken bool) error {
	f := &Failure{code: "internal", status: http.StatusInternalServerError, ref: v.RequestID, cause: err}
	thrown, isException := errors.AsType[*script.Exception](err)
	switch limit := limitOf(err); {
	case broken, r.Context().Err() != nil, errors.Is(err, errLeft):
		f.code, f.status = "gone", statusGone
		return f
	case isException:
		f.code = "exception"
		if thrown.Code == fault.CodeDiskFull {
			f.code, f.status = thrown.Code, http.StatusInsufficientStorage
		}
		f.tell(b, script.Trace(err))
		if h.options.Dev != nil {
			f.detail = strings.Replace(thrown.Trace(), "\n    at ", "\n"+h.options.Dev.Excerpt(thrown.Stack)+"\n    at ", 1)
		}
	case limit != "":
		f.code, f.status = limit, statusOf(limit)
		f.tell(b, strings.TrimRight(limit+": "+fault.Message(err)+"\n"+script.StackOf(err), "\n"))
		if h.options.Dev != nil {
			f.detail = strings.TrimSpace(fault.Message(err) + "\n" + fault.HintOf(err) + "\n" + h.options.Dev.Excerpt(script.StackOf(err)) + "\n" + script.StackOf(err))
		}
	case fault.KindOf(err) == fault.Unavailable, fault.KindOf(err) == fault.Exhausted:
		f.code, f.status = "unavailable", http.StatusServiceUnavailable
	default:
		h.options.Log.Error("function failed", "component", "function", "app", h.options.App, "release", h.options.Release,
			"ref", v.RequestID, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	return f
}

// statusOf is the status for a limit: the visitor can do something about one.
func statusOf(limit string) int {
	if limit == "limit_body" {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusServiceUnavailable
}

// tell writes to the app's own log.
func (f *Failure) tell(b script.Bindings, text string) {
	b.Log(script.Line{Time: time.Now(), Level: "error", Text: text, RequestID: f.ref})
}

// limitOf is the limit that an error names, empty if it names none.
func limitOf(err error) string {
	for e := (*fault.Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Kind == fault.Exhausted && strings.HasPrefix(e.Subject, "limit_") {
			return e.Subject
		}
		if e.Err == nil {
			break
		}
	}
	return ""
}
