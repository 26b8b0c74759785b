package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/script"
)

type callIn struct {
	App     string    `arg:"" help:"name of the app" json:"app"`
	Path    string    `arg:"" help:"path and query: /api/items?all=1" json:"path"`
	Method  string    `default:"GET" help:"the method; POST where there is a body" json:"method"`
	Header  []string  `placeholder:"'NAME: VALUE'" help:"a header field; may be repeated" json:"header"`
	Body    string    `placeholder:"TEXT" help:"the body, - takes it from standard input" json:"body"`
	From    op.Upload `kong:"-" help:"the body, instead of body" json:"from"`
	Include bool      `short:"i" help:"print the answer's header fields too" json:"-"`
}

// callOut is what the app answered.
type callOut struct {
	Status    int           `json:"status"`
	Headers   [][2]string   `json:"headers"`
	Body      bytesView     `json:"body"`
	Truncated bool          `json:"truncated,omitempty"` // the body is longer
	Took      time.Duration `json:"duration_ns"`         // to the answer's begin
	Said      string        `json:"said,omitempty"`      // of a failure: what the code's log has of it
}

// WriteText prints the status, with --include the fields, and the body.
func (o callOut) WriteText(w *op.Screen) error {
	in, _ := w.In.(callIn)
	line := http.StatusText(o.Status)
	if o.Status >= 400 {
		line = w.Paint(op.Red, line)
	}
	w.Printf("%d %s, %s\n", o.Status, line, took(o.Took))
	for _, h := range o.Headers {
		if in.Include {
			w.Printf("%s: %s\n", h[0], h[1])
		}
	}
	if o.Said != "" {
		problemLine(w, o.Said)
	}
	if o.Body.Text == "" && o.Body.Base64 == nil {
		return nil
	}
	w.Printf("\n%s", o.Body.show())
	if o.Truncated {
		w.Printf("(there is more than %s)\n", size(mostReply))
	}
	return nil
}

// Exit is 1 for an answer that is an error.
func (o callOut) Exit() int {
	if o.Status >= 400 {
		return 1
	}
	return 0
}

// How much a call sends, and how much of an answer is shown.
const (
	mostCall  = 64 << 20
	mostReply = 8 << 20
)

func callOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "function call", Group: groupData, Summary: "send a request to an app, past its limits and its gate", Effect: op.Change, Needs: op.DataWrite, Since: "0.4.0",
			Detail: "The app's code answers as it would answer a visitor, on the node and without a network between. An answer of 400 or more is an error here too, so that a script can tell.",
			Examples: []op.Example{
				{Command: "function call notes /api/items"},
				{Command: "function call notes /api/items --method POST --header 'Content-Type: application/json' --body '{\"text\": \"hello\"}' -i"},
			},
			Exits: map[int]string{1: "the answer is 400 or more", 6: "there is no such app, or it runs no code"},
		}, on(n, func(ctx context.Context, n *node, in callIn) (callOut, error) { return n.call(ctx, in) })),
	}
}

func (n *node) call(ctx context.Context, in callIn) (callOut, error) {
	b, err := n.backend(ctx, in.App)
	if err != nil {
		return callOut{}, err
	}
	defer b.Close()
	q, err := in.request(b.App.Hosts[0])
	if err != nil {
		return callOut{}, err
	}
	began := time.Now()
	answer, err := b.Fetch(ctx, q)
	if err != nil {
		return callOut{}, err
	}
	defer answer.Body.Close()
	out := callOut{Status: answer.Status, Headers: append([][2]string{}, answer.Header...), Took: time.Since(began)}
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostReply+1))
	if out.Truncated = len(body) > mostReply; out.Truncated {
		body = body[:mostReply]
	}
	out.Body = viewOfBytes(body)
	if out.Status >= http.StatusInternalServerError {
		out.Said = n.said(b.Name, began)
	}
	return out, err
}

// said is the last error in an app's log since a time: an answer of a failure does
// not say what it was.
func (n *node) said(app string, since time.Time) string {
	lines, err := n.ground.Logs.Read(app, applog.Filter{Level: "error", Since: since, Last: 1})
	if err != nil || len(lines) == 0 {
		return ""
	}
	return lines[0].Text
}

// request is what was asked for, sent to one of the app's hosts.
func (in callIn) request(host string) (q script.Request, err error) {
	if !strings.HasPrefix(in.Path, "/") || strings.ContainsAny(in.Path, " \t\r\n#") {
		return q, fault.New(fault.Invalid, "%q is no path", in.Path).WithHint("it begins with a slash: /api/items")
	}
	q = script.Request{Method: in.Method, URL: "https://" + strings.Replace(host, "*", "www", 1) + in.Path, Info: script.Info{RequestID: "function-call"}}
	switch {
	case in.From.Size > mostCall:
		return q, fault.New(fault.Exhausted, "the body has %s, and a call takes %s", size(in.From.Size), size(mostCall))
	case in.From.Body != nil:
		b, err := io.ReadAll(in.From.Body)
		if err != nil {
			return q, err
		}
		q.Body = bytes.NewReader(b)
	case in.Body != "":
		q.Body = strings.NewReader(in.Body)
	}
	if q.Body != nil && q.Method == http.MethodGet {
		q.Method = http.MethodPost
	}
	for _, line := range in.Header {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return q, fault.New(fault.Invalid, "%q is no header field", line).WithHint("write 'Name: value'")
		}
		q.Header = append(q.Header, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return q, nil
}
