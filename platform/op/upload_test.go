package op_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

type putIn struct {
	Name    string    `arg:"" help:"its name" json:"name"`
	From    op.Upload `arg:"" optional:"" help:"the file" json:"from"`
	Confirm string    `json:"confirm"`
	All     bool      `help:"all of them" json:"all"`
}

func (in putIn) Spares() bool { return !in.All }

type putOut struct {
	From string `json:"from"`
	Size int64  `json:"size"`
	Sum  string `json:"sum"`
	End  string `json:"end"`
}

var putRow = op.Row{Name: "put", Summary: "keep a file", Effect: op.Destroy, Since: "0.1.0"}

func put(_ context.Context, in putIn) (putOut, error) {
	out := putOut{From: in.From.Name, Size: in.From.Size}
	if in.From.Body == nil {
		return out, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, in.From.Body); err != nil {
		return out, err
	}
	out.Sum = hex.EncodeToString(sum.Sum(nil))
	end := make([]byte, 3)
	_, err := in.From.Body.(io.ReaderAt).ReadAt(end, in.From.Size-3)
	out.End = string(end)
	return out, err
}

// closing tells that somebody closed it.
type closing struct {
	io.Reader
	closed *bool
}

func (c closing) Close() error { *c.closed = true; return nil }

// A large file is sent as it is read, whole or not at all, and leaves nothing
// behind.
func TestUpload(t *testing.T) {
	temp := t.TempDir()
	text := strings.Repeat("0123456789", 100_000) + "end"
	sum := sha256.Sum256([]byte(text))
	closed := false
	handler := op.NewHandler(op.Table{op.New(putRow, put)}, op.HandlerConfig{TempDir: temp, Limits: op.Limits{Memory: 1 << 10, Upload: 1 << 20, Body: 1 << 10}})
	client := &op.Client{HTTP: op.Pipe(handler), OpenLarge: func(name string) (io.ReadCloser, error) {
		switch name {
		case "large":
			return closing{strings.NewReader(text), &closed}, nil
		case "larger":
			return io.NopCloser(strings.NewReader(text + text)), nil
		}
		return nil, fault.New(fault.NotFound, "there is no file %q", name)
	}}
	row := op.New(putRow, put)
	call := func(in putIn) (out putOut, err error) {
		reply, err := client.Call(t.Context(), row, in)
		if err == nil {
			err = reply.Decode(&out)
		}
		return out, err
	}
	out, err := call(putIn{Name: "a", From: op.Upload{Name: "large"}})
	if want := (putOut{"large", int64(len(text)), hex.EncodeToString(sum[:]), "end"}); err != nil || out != want || !closed {
		t.Errorf("%+v, %v, closed %v", out, err, closed)
	}
	if _, err := call(putIn{Name: "a", From: op.Upload{Name: "larger"}}); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("more than may be: %v", err)
	}
	if _, err := call(putIn{Name: "a", From: op.Upload{Name: "nothing"}}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a file that is not there: %v", err)
	}
	if out, err := call(putIn{Name: "a"}); err != nil || out.Size != 0 {
		t.Errorf("no file at all: %+v, %v", out, err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What destroys one thing that it names needs no second word; all else does.
func TestSpares(t *testing.T) {
	handler := op.NewHandler(op.Table{op.New(putRow, put)}, op.HandlerConfig{})
	client := &op.Client{HTTP: op.Pipe(handler)}
	for in, kind := range map[putIn]fault.Kind{
		{Name: "a"}:                          "",
		{Name: "a", All: true}:               fault.Conflict,
		{Name: "a", All: true, Confirm: "b"}: fault.Conflict,
		{Name: "a", All: true, Confirm: "a"}: "",
	} {
		reply, err := client.Call(t.Context(), op.New(putRow, put), in)
		if err == nil {
			err = reply.Err()
		}
		if kind == "" && err != nil || kind != "" && fault.KindOf(err) != kind {
			t.Errorf("%+v: %v", in, err)
		}
	}
}
