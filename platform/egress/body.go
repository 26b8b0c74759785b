package egress

import (
	"context"
	"io"

	"github.com/fazt-sh/fazt/platform/fault"
)

// answer is the body of an answer within its bounds.
type answer struct {
	client *Client
	ctx    context.Context
	host   string
	from   io.ReadCloser
	left   int64
	end    func() // gives the place back
	err    error  // of an earlier Read
}

// Read ends with a fault where the answer is too large or too slow.
func (a *answer) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	if int64(len(p)) > a.left+1 {
		p = p[:a.left+1] // one more tells what fits exactly from what does not
	}
	n, err := a.from.Read(p)
	if a.left -= int64(n); a.left < 0 {
		n, err = n-1, fault.New(fault.Exhausted, "%s answers with more than %d bytes", a.host, a.client.config.Limits.Body).WithCode(CodeBody).WithSubject(a.host)
		a.from.Close()
	} else if err != nil && err != io.EOF {
		err = a.client.failed(a.ctx, a.host, err)
	}
	if a.err = err; err != nil {
		a.end()
	}
	return n, err
}

// Close gives the answer's place back.
func (a *answer) Close() error {
	err := a.from.Close()
	a.end()
	return err
}

// upload is the body of a request within its bounds.
type upload struct {
	client *Client
	from   io.ReadCloser
	left   int64
}

// Read fails once the body is too large.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.from.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, fault.New(fault.Exhausted, "a request sends more than %d bytes", u.client.config.Limits.Sent).WithCode(CodeSent)
	}
	return n, err
}

// Close gives the caller's body back.
func (u *upload) Close() error { return u.from.Close() }
