package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// outIn is where what a node sends is written on this side.
type outIn struct {
	Out string `name:"out" short:"o" placeholder:"FILE" help:"write into this file; to standard output if none is named" json:"-"`
}

func (in outIn) target() string { return in.Out }

// downloader is an input whose answer is a file.
type downloader interface{ target() string }

// fromHere names the file on this side that a command takes: - is standard input.
func fromHere(in any) any {
	switch v := in.(type) {
	case kvPutIn:
		if v.Value == stdinName {
			v.From.Name = stdinName
		}
		return v
	case callIn:
		if v.Body == stdinName {
			v.Body, v.From.Name = "", stdinName
		}
		return v
	case backupVerifyIn:
		v.File.Name = backupFile(v.Backup)
		return v
	case restoreIn:
		v.File.Name = backupFile(v.Backup)
		return v
	}
	return in
}

// backupFile is the file on this side that stands for a backup, empty where it is
// one of the node's: what ends in .fazt.
func backupFile(name string) string {
	if strings.HasSuffix(name, backupEnding) {
		return name
	}
	return ""
}

// stdinName stands for standard input where a file is named.
const stdinName = "-"

// openLarge opens a file that the caller named.
func (p *program) openLarge(name string) (io.ReadCloser, error) {
	if name == stdinName {
		return io.NopCloser(p.stdin), nil
	}
	f, err := os.Open(p.path(name))
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "open %q", name).WithSubject(name)
	}
	return f, nil
}

// chunkView is a piece of a file on its way, in order.
type chunkView struct {
	Offset int64  `json:"offset"`
	Bytes  []byte `json:"bytes"` // in base64
}

// pieceSize is how much of a file is in one line.
const pieceSize = 256 << 10

// downloadOp makes an operation that answers with a file of whatever size.
func downloadOp[In any](n *node, row op.Row, run func(context.Context, *node, In, io.Writer) error) op.Op {
	if n == nil {
		return op.NewStream[In, chunkView](row, nil)
	}
	return op.NewStream(row, func(ctx context.Context, in In, emit func(chunkView) error) error {
		w := bufio.NewWriterSize(&pieces{emit: emit}, pieceSize)
		if err := run(ctx, n, in, w); err != nil {
			return err
		}
		return w.Flush()
	})
}

// pieces sends what is written to it.
type pieces struct {
	emit   func(chunkView) error
	offset int64
}

// Write implements io.Writer.
func (c *pieces) Write(b []byte) (int, error) {
	for sent := 0; sent < len(b); {
		part := b[sent:min(len(b), sent+pieceSize)]
		if err := c.emit(chunkView{c.offset, part}); err != nil {
			return sent, err
		}
		sent, c.offset = sent+len(part), c.offset+int64(len(part))
	}
	return len(b), nil
}

// download writes what a node sends where it is to go. A file is there when it is
// complete.
func (p *program) download(call op.Call, reply *op.Reply, target string) int {
	if target == "" || target == "-" {
		w := p.stdout
		if op.IsTerminal(w) {
			w = op.NewScreen(w, call.Globals.Color, p.getenv) // a file must not command the terminal
		}
		_, err := receive(reply, w)
		return p.received(call, reply, err)
	}
	path := p.path(target)
	f, err := os.OpenFile(path+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return p.fail(call, fault.Wrap(fault.Unavailable, err, "write %q", target))
	}
	defer os.Remove(f.Name())
	n, err := receive(reply, f)
	if failed := f.Close(); err == nil {
		err = failed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if exit := p.received(call, reply, err); exit != 0 {
		return exit
	}
	_ = op.NewScreen(p.stdout, call.Globals.Color, p.getenv).Printf("wrote %s, %s\n", target, size(n))
	return 0
}

// receive writes the pieces one after the other.
func receive(reply *op.Reply, w io.Writer) (n int64, err error) {
	err = reply.Items(func(item json.RawMessage) error {
		var c chunkView
		if err := json.Unmarshal(item, &c); err != nil || c.Offset != n {
			return fault.New(fault.Unavailable, "what came is not in order")
		}
		wrote, err := w.Write(c.Bytes)
		n += int64(wrote)
		return err
	})
	return n, err
}

// received tells of what came to nothing.
func (p *program) received(call op.Call, reply *op.Reply, err error) int {
	if err != nil {
		exit := p.fail(call, err)
		return max(exit, reply.Exit)
	}
	return 0
}
