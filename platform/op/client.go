package op

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"reflect"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Client calls operations of one node. It is safe for concurrent use.
type Client struct {
	HTTP    http.RoundTripper // Pipe, Socket or a network transport; nil is http.DefaultTransport
	BaseURL string            // "https://fazt.example.com"; empty for pipes and sockets
	Token   string            // sent as a bearer token where not empty
	Peer    string            // the node's name in messages: "prod"; empty is "this node"
	Socket  string            // path of the unix socket, shown by Curl

	OpenTree  func(name string) (fs.FS, error)         // opens a folder the caller named
	OpenFile  func(name string) ([]byte, error)        // reads a file the caller named
	OpenLarge func(name string) (io.ReadCloser, error) // opens a file the caller named
}

// mostAnswer bounds a finite answer, so that no node can exhaust its caller.
const mostAnswer = 256 << 20

// Call runs an operation. in is its In or a pointer to one. An answer of the node,
// a failure included, is a Reply (see Reply.Err); the error is of kind Unavailable
// where no answer came. Close the reply of a stream.
func (c *Client) Call(ctx context.Context, o Op, in any) (*Reply, error) {
	if o.o == nil {
		return nil, fault.New(fault.Internal, "no operation to call")
	}
	in, err := c.open(o.o, in)
	if err != nil {
		return nil, err
	}
	r, sent, err := c.request(ctx, o, in)
	if err != nil {
		return nil, err
	}
	resp, err := c.transport().RoundTrip(r)
	if packErr := sent.failed(); packErr != nil {
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, packErr
	}
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return c.reply(ctx, o, resp)
}

func (c *Client) transport() http.RoundTripper {
	if c.HTTP == nil {
		return http.DefaultTransport
	}
	return c.HTTP
}

func (c *Client) base() string {
	if c.BaseURL == "" {
		return "http://fazt"
	}
	return strings.TrimSuffix(c.BaseURL, "/")
}

func (c *Client) name() string {
	if c.Peer == "" {
		return "this node"
	}
	return c.Peer
}

// where is the node's name with its address, for messages.
func (c *Client) where() string {
	switch {
	case c.Peer == "" && c.BaseURL != "":
		return c.BaseURL
	case c.BaseURL != "":
		return c.Peer + " (" + c.BaseURL + ")"
	default:
		return c.name()
	}
}

// open turns the folders and files the caller named into their content.
func (c *Client) open(o *operation, in any) (any, error) {
	v, err := o.value(in)
	if err != nil {
		return nil, err
	}
	for i := range o.fields {
		f := &o.fields[i]
		if !f.kind.part() || f.json == "" {
			continue
		}
		if err := c.openField(f, v.FieldByIndex(f.index)); err != nil {
			return nil, err
		}
	}
	return v.Interface(), nil
}

func (c *Client) openField(f *field, v reflect.Value) error {
	switch part := v.Interface().(type) {
	case Tree:
		if part.FS != nil || part.Name == "" {
			return nil
		}
		if c.OpenTree == nil {
			return fault.New(fault.Internal, "the folder %q is not open", part.Name)
		}
		tree, err := c.OpenTree(part.Name)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(Tree{FS: tree, Name: part.Name}))
	case File:
		if part.Bytes != nil || part.Name == "" {
			return nil
		}
		if c.OpenFile == nil {
			return fault.New(fault.Internal, "the file %q is not open", part.Name)
		}
		text, err := c.OpenFile(part.Name)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(File{Bytes: text, Name: part.Name}))
	case Upload:
		if part.Body != nil || part.Name == "" {
			return nil
		}
		if c.OpenLarge == nil {
			return fault.New(fault.Internal, "the file %q is not open", part.Name)
		}
		body, err := c.OpenLarge(part.Name)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(Upload{Body: body, Name: part.Name}))
	}
	return nil
}

// request builds the request of a call. sent tells afterwards whether the body
// could be produced.
func (c *Client) request(ctx context.Context, o Op, in any) (*http.Request, *sending, error) {
	text, err := o.o.encode(in)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base()+o.Path(), bytes.NewReader(text))
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "%s has no usable address: %w", c.name(), err)
	}
	sent, kind := &sending{}, typeJSON
	if o.o.upload() {
		r.Body, kind = sent.form(o.o, in, text)
		r.GetBody, r.ContentLength = nil, -1
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept", typeJSON+", "+typeNDJSON)
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return r, sent, nil
}

// sending is a form on its way: a goroutine writes it while the transport reads.
type sending struct {
	done chan error // holds why the form could not be produced, or nil
}

func (s *sending) failed() error {
	if s.done == nil {
		return nil
	}
	select {
	case err := <-s.done:
		return err
	default: // the node answered before it had read everything
		return nil
	}
}

func (s *sending) form(o *operation, in any, text []byte) (io.ReadCloser, string) {
	reader, writer := io.Pipe()
	form := multipart.NewWriter(writer)
	s.done = make(chan error, 1)
	go func() {
		err := writeForm(form, o, in, text)
		if err != nil && !errors.Is(err, io.ErrClosedPipe) {
			s.done <- err
		} else {
			s.done <- nil
		}
		writer.CloseWithError(err)
	}()
	return reader, form.FormDataContentType()
}

func writeForm(form *multipart.Writer, o *operation, in any, text []byte) error {
	w, err := form.CreatePart(partHeader("in", typeJSON, ""))
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	v := reflect.ValueOf(in)
	for i := range o.fields {
		f := &o.fields[i]
		if f.json == "" {
			continue
		}
		switch part := v.FieldByIndex(f.index).Interface().(type) {
		case Tree:
			if part.FS != nil {
				err = writePart(form, f.json, "application/x-tar", func(w io.Writer) error { return pack(w, part.FS) })
			}
		case File:
			if part.Bytes != nil {
				err = writePart(form, f.json, "application/octet-stream", func(w io.Writer) error { _, err := w.Write(part.Bytes); return err })
			}
		case Upload:
			if part.Body != nil {
				err = writePart(form, f.json, "application/octet-stream", func(w io.Writer) error { return pour(w, part) })
			}
		}
		if err != nil {
			return err
		}
	}
	return form.Close()
}

// pour sends a large file, and closes it.
func pour(w io.Writer, from Upload) error {
	_, err := io.Copy(w, from.Body)
	if c, closes := from.Body.(io.Closer); closes {
		err = errors.Join(err, c.Close())
	}
	return err
}

func writePart(form *multipart.Writer, name, kind string, write func(io.Writer) error) error {
	w, err := form.CreatePart(partHeader(name, kind, name))
	if err != nil {
		return err
	}
	return write(w)
}

func partHeader(name, kind, file string) textproto.MIMEHeader {
	disposition := fmt.Sprintf(`form-data; name=%q`, name)
	if file != "" {
		disposition += fmt.Sprintf(`; filename=%q`, file)
	}
	return textproto.MIMEHeader{"Content-Disposition": {disposition}, "Content-Type": {kind}}
}

// unreachable says who did not answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, "%s did not answer in time: %w", c.where(), err)
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return fault.New(fault.Unavailable, "%s does not answer: %w", c.where(), err).
		WithHint("is it running, and is this its address?")
}

// reply reads what the node answered, as far as it must be read now.
func (c *Client) reply(ctx context.Context, o Op, resp *http.Response) (*Reply, error) {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	r := &Reply{Op: o, Status: resp.StatusCode, Version: resp.Header.Get(headerVersion), client: c, ctx: ctx}
	if resp.Header.Get(headerMissing) == "operation" {
		defer resp.Body.Close()
		return nil, c.skew(o.Row(), r.Version)
	}
	if kind == typeNDJSON && o.o.stream {
		r.stream = resp.Body
		return r, nil
	}
	defer resp.Body.Close()
	if kind != typeJSON || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, c.foreign(resp, kind)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	if err != nil {
		return nil, c.unreachable(ctx, fmt.Errorf("the answer broke off: %w", err))
	}
	if len(text) > mostAnswer {
		return nil, fault.New(fault.Exhausted, "the answer of %s is larger than %s", c.where(), size(mostAnswer))
	}
	r.Body = text
	r.Exit = exitHeader(resp.Header.Get(headerExit))
	if resp.StatusCode >= 400 {
		return r, r.readFailure(c)
	}
	return r, nil
}

// exitHeader reads an exit code; one that makes no sense is a failure's.
func exitHeader(text string) int {
	if text == "" {
		return 0
	}
	var code int
	if _, err := fmt.Sscanf(text, "%d", &code); err != nil || code < 0 || code > 255 {
		return fault.Internal.Exit()
	}
	return code
}

func (r *Reply) readFailure(c *Client) error {
	var f Failure
	if err := json.Unmarshal(r.Body, &f); err != nil || f.Error.Kind == "" {
		return fault.New(fault.Unavailable, "%s answered %d without saying why", c.where(), r.Status)
	}
	r.Failure = &f
	r.Exit = max(f.Error.Exit, 1)
	return nil
}

// skew is the error of an operation the node does not know.
func (c *Client) skew(row Row, version string) error {
	e := fault.New(fault.NotFound, "%s has no %q", c.name(), row.Name)
	if version != "" {
		e = fault.New(fault.NotFound, "%s runs %s, which has no %q", c.name(), version, row.Name)
	}
	if row.Since != "" {
		e.Message += fmt.Sprintf(" (added in %s)", versionTag(row.Since))
	}
	return e
}

// foreign is the error of an answer that is no node's.
func (c *Client) foreign(resp *http.Response, kind string) error {
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return fault.New(fault.Unavailable, "%s sends its callers elsewhere", c.where()).
			WithHint("if %s is the node, use that address", quoted(to))
	}
	return fault.New(fault.Unavailable, "%s does not answer like a node: %d %s", c.where(), resp.StatusCode, quoted(kind)).
		WithHint("is this the address of its control port?")
}

// Listing fetches the node's own table.
func (c *Client) Listing(ctx context.Context) (Listing, error) {
	var l Listing
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base()+root, nil)
	if err != nil {
		return l, fault.New(fault.Invalid, "%s has no usable address: %w", c.name(), err)
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.transport().RoundTrip(r)
	if err != nil {
		return l, c.unreachable(ctx, err)
	}
	shape := Op{&operation{}}
	reply, err := c.reply(ctx, shape, resp)
	if err != nil {
		return l, err
	}
	if err := reply.Err(); err != nil {
		return l, err
	}
	if err := json.Unmarshal(reply.Body, &l); err != nil {
		return l, fault.New(fault.Unavailable, "the table of %s cannot be read: %w", c.where(), err)
	}
	return l, nil
}
