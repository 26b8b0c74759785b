// Package op is the table of operations: one row says what a command is called,
// what it takes, what it answers and what it does to the node, and everything
// else is derived from the row: the words and flags of the command line, the
// HTTP path, help, JSON schema, OpenAPI, the reference page, the client.
//
// A command always travels the same way, whether its node is this process, this
// machine or another one:
//
//	args → Parse → In → Client → http.RoundTripper → Handler → run
//
// The rows live in cmd/fazt, which also mounts the handler and chooses the
// transport. The package knows no operation, no person, no journal and no
// configuration language: who may do what, and what is recorded, are functions
// the handler is given. It is the door of the command-line parser (kong), of the
// JSON schema types (huma) and of the terminal (x/term).
package op

import (
	"context"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Effect is what an operation does to its node. It decides the HTTP methods, the
// audit entry and the need for confirmation.
type Effect string

// The effects, from harmless to final.
const (
	Read    Effect = "read"    // changes nothing; may be asked with GET
	Change  Effect = "change"  // changes the node, can be undone; audited
	Destroy Effect = "destroy" // takes something away; audited, asks for the object's name
)

// Permission is what a caller must be allowed to run an operation: a scope of a
// token, an action that a grant gives on the node.
type Permission string

// The permissions. None holds another: who may deploy may not read what apps keep.
const (
	Observe   Permission = "observe"    // look at the node, its apps and its journal
	Plan      Permission = "plan"       // judge a configuration against the node
	Deploy    Permission = "deploy"     // change what the node serves
	DataRead  Permission = "data:read"  // read what apps keep
	DataWrite Permission = "data:write" // change what apps keep, and run their code
	People    Permission = "people"     // see and change people, sessions and tokens
	Secrets   Permission = "secrets"    // change sealed values
	Admin     Permission = "admin"      // what passes a guard, cannot be undone, or reads the node's own tables
)

// Permissions returns all of them.
func Permissions() []Permission {
	return []Permission{Observe, Plan, Deploy, DataRead, DataWrite, People, Secrets, Admin}
}

// ParsePermission reads the name of a permission. The error of one that is none
// names the nearest.
func ParsePermission(text string) (Permission, error) {
	var names []string
	for _, p := range Permissions() {
		if string(p) == text {
			return p, nil
		}
		names = append(names, string(p))
	}
	err := fault.New(fault.Invalid, "there is no permission %s", quoted(text)).WithHint("there are %s", strings.Join(names, ", "))
	if near := nearest(text, names); near != "" {
		err = err.WithHint("did you mean %s? there are %s", near, strings.Join(names, ", "))
	}
	return "", err
}

// Means says what somebody may do who has the permission, empty for one that is none.
func (p Permission) Means() string {
	switch p {
	case Observe:
		return "look at the node, its apps and its journal"
	case Plan:
		return "judge a configuration against the node"
	case Deploy:
		return "change what the node serves"
	case DataRead:
		return "read what apps keep"
	case DataWrite:
		return "change what apps keep, and run their code"
	case People:
		return "see and change people, sessions and tokens"
	case Secrets:
		return "change sealed values"
	case Admin:
		return "do what passes a guard or cannot be undone, and read the node's own tables"
	}
	return ""
}

// Row is what a person writes about an operation.
type Row struct {
	Name     string         // the words of the command: "app list"
	Summary  string         // one lower-case line of at most 72 characters, without a full stop
	Detail   string         // paragraphs for help and reference; may be empty
	Group    string         // heading in the help of the whole table; empty groups by the first word
	Effect   Effect         // Read, Change or Destroy
	Needs    Permission     // what its caller must be allowed; empty only where no node is needed
	Audited  bool           // of a Read: it shows what apps keep, and is recorded too
	Offline  bool           // may run without a node, in the process of the command
	Local    bool           // a verb of this machine: takes no @peer, is in no API; see Table.Here
	Since    string         // first version that has it: "0.1.0"
	Examples []Example      // command lines that are tested to parse
	Exits    map[int]string // exit codes beyond the ordinary ones and what they mean here
}

// Example is a command line without the leading "fazt", and what it is good for.
type Example struct {
	Command string `json:"command"`
	Note    string `json:"note,omitempty"`
}

// Op is a row with its input and output types and, where there is a node behind
// it, the function that runs it. The zero Op is no operation.
type Op struct{ o *operation }

// operation is an Op with its types erased: the form the whole package works on.
type operation struct {
	row    Row
	in     reflect.Type // a struct
	out    reflect.Type // of the answer, or of one item of a stream
	stream bool
	fields []field
	err    error // why In cannot be an input; reported by Table.Check
	run    func(ctx context.Context, in any, emit func(any) error) (any, error)
}

// New makes an operation with one answer. In is a struct of documented fields
// (see Table.Check); run may be nil: then the operation has only its shape, for
// help, parsing and documents.
func New[In, Out any](r Row, run func(context.Context, In) (Out, error)) Op {
	o := shapeOf[In](r)
	o.out = reflect.TypeFor[Out]()
	if run != nil {
		o.run = func(ctx context.Context, in any, _ func(any) error) (any, error) {
			return run(ctx, in.(In))
		}
	}
	return Op{o}
}

// NewStream makes an operation that answers with any number of items, each sent
// when it is emitted. emit fails once the caller has gone; run should then
// return. Items may be emitted from several goroutines.
func NewStream[In, Item any](r Row, run func(ctx context.Context, in In, emit func(Item) error) error) Op {
	o := shapeOf[In](r)
	o.out, o.stream = reflect.TypeFor[Item](), true
	if run != nil {
		o.run = func(ctx context.Context, in any, emit func(any) error) (any, error) {
			return nil, run(ctx, in.(In), func(item Item) error { return emit(item) })
		}
	}
	return Op{o}
}

func shapeOf[In any](r Row) *operation {
	o := &operation{row: r, in: reflect.TypeFor[In]()}
	o.fields, o.err = fieldsOf(o.in)
	return o
}

// Row returns the row the operation was made from.
func (o Op) Row() Row {
	if o.o == nil {
		return Row{}
	}
	return o.o.row
}

// Valid tells whether there is an operation behind o.
func (o Op) Valid() bool { return o.o != nil }

// Stream tells whether the operation answers with items instead of one document.
func (o Op) Stream() bool { return o.o != nil && o.o.stream }

// Path returns the operation's HTTP path, "/v1/app/list".
func (o Op) Path() string { return pathOf(o.Row().Name) }

func pathOf(name string) string { return root + strings.ReplaceAll(name, " ", "/") }

const root = "/v1/"

// upload tells whether the input holds a folder or a file, which travel as parts
// of a form beside the JSON.
func (o *operation) upload() bool {
	return slices.ContainsFunc(o.fields, func(f field) bool { return f.kind.part() })
}

// large tells whether one of them is an Upload.
func (o *operation) large() bool {
	return slices.ContainsFunc(o.fields, func(f field) bool { return f.kind == kindUpload })
}

// object returns the field that names what the operation works on: the one
// tagged object:"", else the first positional text.
func (o *operation) object() *field {
	var first *field
	for i := range o.fields {
		f := &o.fields[i]
		if f.object {
			return f
		}
		if first == nil && f.positional && f.kind == kindString {
			first = f
		}
	}
	return first
}

// confirm returns the field named Confirm, or nil.
func (o *operation) confirm() *field {
	for i := range o.fields {
		if o.fields[i].confirm {
			return &o.fields[i]
		}
	}
	return nil
}

// text returns the value of a text field of in, "" where f is nil.
func (f *field) text(in reflect.Value) string {
	if f == nil || f.kind != kindString {
		return ""
	}
	return in.FieldByIndex(f.index).String()
}

// Tree is a folder as an input: opened on the caller's side (Client.OpenTree),
// sent as a tar, and an fs.FS again where the operation runs. It is gone when run
// returns. Symbolic links arrive as entries of that mode that cannot be opened;
// nothing is ever written under a name the caller chose.
type Tree struct {
	fs.FS
	Name string // what the caller typed, for messages; never a path to open
}

// File is a file as an input, at most Limits.File bytes.
type File struct {
	Name  string // what the caller typed, for messages; never a path to open
	Bytes []byte
}

// Upload is a file as an input that may be large, at most Limits.Upload bytes: it is
// sent as it is read, and waits on the disk for the operation. It is gone when run
// returns.
type Upload struct {
	Body io.Reader // where the operation runs an io.ReaderAt too
	Name string    // what the caller typed, for messages; never a path to open
	Size int64     // known where the operation runs
}

// Texter is an answer, or an item of a stream, that writes itself for a person.
// Answers that are no Texter are shown as indented JSON.
type Texter interface {
	WriteText(w *Screen) error
}

// Exiter is an answer with an exit code of its own: it worked, and 2 means
// "there are changes". The HTTP status stays 200.
type Exiter interface {
	Exit() int
}

// DryRunner is an input that may ask for nothing to be changed: that is recorded
// like a Read.
type DryRunner interface {
	DryRun() bool
}

// Sparer is an input that may destroy so little, one thing that it names, that no
// confirmation is asked for.
type Sparer interface {
	Spares() bool
}

// Noter is an input that has more to say for the record than the object's name.
type Noter interface {
	Note() string
}

// Act is what an actor did with a row, or was refused.
type Act struct {
	Actor  string
	Row    Row
	Read   bool   // nothing was to be changed
	Target string // the object's name
	Note   string // of a Noter
	Exit   int    // the answer's code where there is no error
	Err    error
}

// Caller is who sends a request.
type Caller struct {
	Actor string // for the record: "local:1000", "person:7f3a"
	// May refuses what the caller must not do, with a Forbidden fault that names the
	// permission. Nil is somebody who may do everything.
	May func(Permission) error
}

// may refuses a row. One that names no permission is for those who may everything,
// unless it needs no node.
func (c Caller) may(r Row) error {
	switch {
	case c.May == nil || r.Needs == "" && r.Offline:
		return nil
	case r.Needs == "":
		return fault.New(fault.Forbidden, "%q names no permission, so nobody is given it", r.Name)
	default:
		return c.May(r.Needs)
	}
}

type callerKey struct{}

// ActorFrom returns who asked for the operation that runs under ctx, as the
// handler's Access named them: "local:1000", "token:ci".
func ActorFrom(ctx context.Context) string {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c.Actor
}

// May refuses what who asked for the operation that runs under ctx must not do: an
// operation that gives something on asks it for what it gives. Where nobody asked,
// nothing is allowed.
func May(ctx context.Context, p Permission) error {
	c, ok := ctx.Value(callerKey{}).(Caller)
	switch {
	case !ok:
		return fault.New(fault.Forbidden, "nobody is known who asks for this, so nobody has the permission %s", p)
	case c.May == nil:
		return nil
	default:
		return c.May(p)
	}
}

// WithCaller returns a context in which ActorFrom and May answer for c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// WithActor is WithCaller for somebody who may do everything.
func WithActor(ctx context.Context, actor string) context.Context {
	return WithCaller(ctx, Caller{Actor: actor})
}
