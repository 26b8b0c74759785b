package op

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Output is where answers go.
type Output struct {
	Stdout, Stderr io.Writer
	Getenv         func(string) string // NO_COLOR, FORCE_COLOR, TERM, COLUMNS; nil is the environment
	// Diagnostics writes the diagnostics of a failure for a person. op carries
	// them without reading them, so whoever knows their form gives the function.
	Diagnostics func(w io.Writer, raw []byte, color bool)
	// Details does the same for what else came with a failure.
	Details func(w io.Writer, raw []byte, color bool)
}

// Render prints an answer and returns the exit code. Under --json stdout gets the
// node's bytes and nothing else, failures included; else the answer is written as
// text to stdout, and a failure to stderr. It reads a stream to its end.
func Render(c Call, r *Reply, o Output) int {
	switch {
	case r.Streaming():
		return renderStream(c, r, o)
	case c.Globals.JSON:
		return exitAfter(r.Exit, writeAll(o.Stdout, r.Body))
	case r.Failure != nil:
		return failText(c, r.Failure, o)
	}
	v, err := r.Value()
	if err != nil {
		return RenderError(c, err, o)
	}
	screen := o.screen(o.Stdout, c.Globals)
	screen.In = c.In
	return exitAfter(r.Exit, writeText(screen, v))
}

// RenderError prints an error that never reached a node or never came back, in
// the form an answer would have had, and returns its exit code.
func RenderError(c Call, err error, o Output) int {
	f := FailureOf(err)
	if errors.Is(err, context.Canceled) {
		f.Error.Message, f.Error.Exit = "interrupted", 130
	}
	if !c.Globals.JSON {
		return failText(c, f, o)
	}
	if c.Op.Stream() {
		first := frame{Type: "version", Schema: Schema}.line()
		return exitAfter(f.Error.Exit, writeAll(o.Stdout, append(first, result(f, f.Error.Exit).line()...)))
	}
	text, err := marshal(f)
	if err != nil {
		return fault.Internal.Exit()
	}
	return exitAfter(f.Error.Exit, writeAll(o.Stdout, append(text, '\n')))
}

// renderStream prints lines as they come. When the connection is cut, the last
// line under --json says so.
func renderStream(c Call, r *Reply, o Output) int {
	screen := o.screen(o.Stdout, c.Globals)
	var lost error // stdout does not take any more
	err := r.Lines(func(line []byte) error {
		if c.Globals.JSON {
			lost = writeAll(o.Stdout, append(append([]byte{}, line...), '\n'))
			return lost
		}
		var f frame
		if err := json.Unmarshal(line, &f); err != nil || f.Type != "item" {
			return err
		}
		v, err := r.decode(f.Item)
		if err != nil {
			return err
		}
		lost = writeText(screen, v)
		return lost
	})
	switch {
	case lost != nil:
		return fault.Internal.Exit()
	case err != nil && c.Globals.JSON:
		f := FailureOf(err)
		if errors.Is(err, context.Canceled) {
			f.Error.Message, f.Error.Exit = "interrupted", 130
		}
		return exitAfter(f.Error.Exit, writeAll(o.Stdout, result(f, f.Error.Exit).line()))
	case err != nil:
		return RenderError(c, err, o)
	case r.Failure != nil && !c.Globals.JSON:
		return failText(c, r.Failure, o)
	default:
		return r.Exit
	}
}

func writeAll(w io.Writer, text []byte) error {
	_, err := w.Write(text)
	return err
}

// exitAfter keeps an exit code unless the answer could not be printed.
func exitAfter(exit int, err error) int {
	if err != nil && exit == 0 {
		return fault.Internal.Exit()
	}
	return exit
}

func (o Output) screen(w io.Writer, g Globals) *Screen { return NewScreen(w, g.Color, o.Getenv) }

// writeText writes a value for a person: as it wants to be written, or as JSON.
func writeText(s *Screen, v any) error {
	if t := texter(v); t != nil {
		return t.WriteText(s)
	}
	if t := reflect.TypeOf(v); t == nil || t.Kind() == reflect.Struct && t.NumField() == 0 {
		return nil
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return s.Printf("%s\n", text)
}

func texter(v any) Texter {
	if t, ok := v.(Texter); ok {
		return t
	}
	rv := reflect.ValueOf(v)
	if !rv.IsValid() {
		return nil
	}
	box := reflect.New(rv.Type())
	box.Elem().Set(rv)
	t, _ := box.Interface().(Texter)
	return t
}

// failText writes a failure for a person:
//
//	fazt: app "blog" has no database "mian"
//	hint: its databases are main, cache
func failText(c Call, f *Failure, o Output) int {
	s := o.screen(o.Stderr, c.Globals)
	if f.Diagnostics != nil && o.Diagnostics != nil {
		o.Diagnostics(s, f.Diagnostics, s.Color)
	}
	if f.Details != nil && o.Details != nil {
		o.Details(s, f.Details, s.Color)
	}
	d := f.Error
	code := ""
	if d.Code != "" {
		code = " (" + d.Code + ")"
	}
	_ = s.Printf("%s %s%s\n", s.Paint(Red, "fazt:"), d.Message, code)
	if d.Hint != "" {
		_ = s.Printf("%s %s\n", s.Paint(Dim, "hint:"), d.Hint)
	}
	if d.Docs != "" {
		_ = s.Printf("%s %s\n", s.Paint(Dim, "more:"), d.Docs)
	}
	if c.Globals.Debug && d.Ref != "" {
		_ = s.Printf("%s\n", fmt.Sprintf("ref: %s", d.Ref))
	}
	return d.Exit
}
