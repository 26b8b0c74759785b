package op

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// HandlerConfig is what a handler is given to serve a table.
type HandlerConfig struct {
	// Access names who sends a request and what they may, or refuses with an
	// Unauthenticated fault. It is asked before anything of the body is read.
	// Nil lets everybody in, as "", and allows everything.
	Access func(r *http.Request) (Caller, error)
	// Audit records what changes or destroys, and reads that are Audited. It is
	// called before the answer ends.
	Audit func(ctx context.Context, act Act)

	TempDir string                   // where large folders wait while their operation runs; empty is the system's
	Version string                   // of this node, "0.1.0"
	Log     *slog.Logger             // nil is silent
	Limits  Limits                   // of uploads; zero values are the defaults
	Reveal  bool                     // tell callers the text of internal errors: for pipes within one process
	Docs    func(code string) string // where a coded error is explained; may be nil
}

// Handler serves a table under /v1/.
type Handler struct {
	c       HandlerConfig
	paths   map[string]*operation
	listing func() []byte // made when first asked for
	openAPI func() []byte
	origin  http.CrossOriginProtection
}

// NewHandler serves a table: POST of an operation's path runs it, GET too where
// it only reads and takes no files, GET /v1/ lists the table and GET
// /v1/openapi.json describes it. A request is authorised, then decoded, confirmed,
// run, audited and answered. Operations without a run function and verbs of the
// machine (Row.Local) are not served; see Table.Here.
func NewHandler(t Table, c HandlerConfig) *Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Version = versionTag(c.Version)
	c.Limits = c.Limits.filled()
	h := &Handler{c: c, paths: map[string]*operation{}}
	var served Table
	for _, o := range t {
		if o.o.run == nil || o.o.row.Local {
			continue
		}
		h.paths[o.Path()] = o.o
		served = append(served, o)
	}
	h.listing = sync.OnceValue(func() []byte { return h.list(served) })
	h.openAPI = sync.OnceValue(func() []byte { return h.describe(served) })
	return h
}

func (h *Handler) list(t Table) []byte {
	text, err := marshal(t.Listing(h.c.Version))
	if err != nil {
		h.c.Log.Error("the table cannot be listed", "error", err)
	}
	return append(text, '\n')
}

func (h *Handler) describe(t Table) []byte {
	text, err := OpenAPI(t, strings.TrimPrefix(h.c.Version, "v"))
	if err != nil {
		h.c.Log.Error("the API cannot be described", "error", err)
	}
	return text
}

// versionTag writes a version the way people do: "0.1.0" is "v0.1.0".
func versionTag(version string) string {
	if version == "" || version[0] < '0' || version[0] > '9' {
		return version
	}
	return "v" + version
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err := h.origin.Check(r); err != nil {
		h.refuse(w, h.paths[r.URL.Path], fault.New(fault.Forbidden, "the request comes from another site: %w", err))
		return
	}
	caller, err := h.access(r)
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		h.refuse(w, h.paths[r.URL.Path], err)
		return
	}
	if h.c.Version != "" { // strangers need not know it
		w.Header().Set(headerVersion, h.c.Version)
	}
	o := h.paths[r.URL.Path]
	switch {
	case o != nil:
		h.serve(w, r, o, caller)
	case r.URL.Path == root:
		h.page(w, r, h.listing())
	case r.URL.Path == root+"openapi.json":
		h.page(w, r, h.openAPI())
	default:
		h.missing(w, r.URL.Path)
	}
}

func (h *Handler) access(r *http.Request) (Caller, error) {
	if h.c.Access == nil {
		return Caller{}, nil
	}
	return h.c.Access(r)
}

func (h *Handler) missing(w http.ResponseWriter, path string) {
	name, ok := strings.CutPrefix(path, root)
	name = strings.ReplaceAll(strings.Trim(name, "/"), "/", " ")
	if !ok || name == "" {
		h.refuse(w, nil, fault.New(fault.NotFound, "nothing is served at %s", quoted(path)))
		return
	}
	w.Header().Set(headerMissing, "operation")
	err := fault.New(fault.NotFound, "this node has no %s", quoted(name))
	var names []string
	for _, o := range h.paths {
		names = append(names, o.row.Name)
	}
	if near := nearest(name, names); near != "" {
		err = err.WithHint("did you mean %q?", near)
	}
	h.refuse(w, nil, err)
}

// page answers with a fixed document.
func (h *Handler) page(w http.ResponseWriter, r *http.Request, text []byte) {
	if !h.method(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(text)
	}
}

// method answers OPTIONS and refuses methods that are not allowed; it tells
// whether to go on.
func (h *Handler) method(w http.ResponseWriter, r *http.Request, allowed ...string) bool {
	for _, m := range allowed {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return false
	}
	err := fault.New(fault.Invalid, "%s is not answered with the method %s", r.URL.Path, quoted(r.Method))
	h.refuse(w, nil, &refusal{err, http.StatusMethodNotAllowed})
	return false
}

// serve runs one operation for one request.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, o *operation, caller Caller) {
	actor := caller.Actor
	methods := []string{http.MethodPost}
	if o.row.Effect == Read && !o.upload() {
		methods = append(methods, http.MethodGet, http.MethodHead)
	}
	if !h.method(w, r, methods...) {
		return
	}
	if err := h.admit(r, o, caller); err != nil {
		h.audit(r.Context(), actor, o, reflect.Value{}, nil, err)
		h.refuse(w, o, err)
		return
	}
	in, cleanup, err := h.input(w, r, o)
	defer cleanup()
	if err == nil {
		err = o.confirmed(in)
	}
	if err != nil {
		h.audit(r.Context(), actor, o, in, nil, err)
		h.refuse(w, o, err)
		return
	}
	ctx := WithCaller(r.Context(), caller)
	if o.stream {
		h.stream(w, r.WithContext(ctx), o, in)
		return
	}
	out, err := h.run(ctx, o, in, nil)
	h.audit(ctx, actor, o, in, out, err)
	if err == nil {
		err = document(w, http.StatusOK, exitCode(out), out)
	}
	if err != nil {
		h.refuse(w, o, err)
	}
}

// admit refuses bodies that are not what the operation takes, and callers who may
// not.
func (h *Handler) admit(r *http.Request, o *operation, caller Caller) error {
	if err := o.acceptable(r); err != nil {
		return err
	}
	return caller.may(o.row)
}

// acceptable checks the kind of body. A form is only for operations that take
// files; a request without any body may leave its type out where nothing changes.
func (o *operation) acceptable(r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	header := r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	switch {
	case err == nil && kind == typeJSON, err == nil && kind == typeForm && o.upload():
		return nil
	case header == "" && r.ContentLength == 0 && o.row.Effect == Read:
		return nil
	}
	e := fault.New(fault.Invalid, "%q takes a body of type %s, not %s", o.row.Name, typeJSON, quoted(header))
	if o.upload() {
		e = fault.New(fault.Invalid, "%q takes a body of type %s or %s, not %s", o.row.Name, typeForm, typeJSON, quoted(header))
	}
	return &refusal{e, http.StatusUnsupportedMediaType}
}

// confirmed checks that who destroys says what.
func (o *operation) confirmed(in reflect.Value) error {
	f := o.confirm()
	if f == nil {
		return nil
	}
	if s, is := in.Interface().(Sparer); is && s.Spares() {
		return nil
	}
	object := o.object().text(in)
	if said := f.text(in); said == object && said != "" {
		return nil
	} else if said != "" {
		return fault.New(fault.Conflict, "%q is confirmed, but %q would be destroyed", said, object).WithSubject(object)
	}
	return fault.New(fault.Conflict, "%q would destroy %q and is not confirmed", o.row.Name, object).
		WithHint("add --confirm=%s, or %s: %q in the API", object, f.json, object).WithSubject(object)
}

// run calls the operation's function; a panic becomes an internal error.
func (h *Handler) run(ctx context.Context, o *operation, in reflect.Value, emit func(any) error) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.c.Log.ErrorContext(ctx, "an operation panicked", "op", o.row.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fault.New(fault.Internal, "%q panicked: %v", o.row.Name, p)
		}
	}()
	return o.run(ctx, in.Interface(), emit)
}

// audit records an act. in is the zero Value where nothing of it was read.
func (h *Handler) audit(ctx context.Context, actor string, o *operation, in reflect.Value, out any, err error) {
	act := Act{Actor: actor, Row: o.row, Read: o.row.Effect == Read, Exit: exitCode(out), Err: err}
	if in.IsValid() {
		act.Target = o.object().text(in)
		if dry, is := in.Interface().(DryRunner); is && dry.DryRun() {
			act.Read = true
		}
		if n, is := in.Interface().(Noter); is {
			act.Note = n.Note()
		}
	}
	if h.c.Audit != nil && (!act.Read || o.row.Audited) {
		h.c.Audit(context.WithoutCancel(ctx), act)
	}
}

// stream runs an operation that answers with items. The first line leaves before
// the operation starts, so a caller knows at once that it is heard.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, o *operation, in reflect.Value) {
	s := &stream{w: w, version: h.c.Version}
	s.begin(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	_, err := h.run(r.Context(), o, in, s.emit)
	if why := context.Cause(r.Context()); err == nil && why != nil && !errors.Is(why, context.Canceled) {
		err = why // somebody ended it, and is to be heard
	}
	h.audit(r.Context(), ActorFrom(r.Context()), o, in, nil, err)
	if err != nil {
		f := h.failure(r.Context(), o, err)
		s.end(result(f, f.Error.Exit))
		return
	}
	s.end(result(nil, 0))
}

// refuse answers with a failure: as a document, or as the lines a reader of a
// stream expects.
func (h *Handler) refuse(w http.ResponseWriter, o *operation, err error) {
	f := h.failure(context.Background(), o, err)
	status := f.Error.Kind.Status()
	var r *refusal
	if errors.As(err, &r) {
		status = r.status
	}
	w.Header().Set(headerExit, fmt.Sprint(f.Error.Exit))
	if o != nil && o.stream {
		s := &stream{w: w, version: w.Header().Get(headerVersion)}
		s.begin(status)
		s.end(result(f, f.Error.Exit))
		return
	}
	if err := document(w, status, f.Error.Exit, f); err != nil {
		h.c.Log.Error("a failure could not be written", "error", err)
	}
}

// failure describes err for the caller. What nobody foresaw is told as a number
// that the log explains.
func (h *Handler) failure(ctx context.Context, o *operation, err error) *Failure {
	f := FailureOf(err)
	if h.c.Docs != nil && f.Error.Code != "" {
		f.Error.Docs = h.c.Docs(f.Error.Code)
	}
	if f.Error.Kind != fault.Internal {
		return f
	}
	name := ""
	if o != nil {
		name = o.row.Name
	}
	f.Error.Ref = newRef()
	h.c.Log.ErrorContext(ctx, "an operation failed", "op", name, "ref", f.Error.Ref, "error", err)
	if !h.c.Reveal {
		f = &Failure{Error: Detail{Kind: fault.Internal, Message: "internal error", Exit: f.Error.Exit, Ref: f.Error.Ref,
			Hint: "the node's log says more under ref " + f.Error.Ref}}
	}
	return f
}
