package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The codes of errors, for who must tell them apart. The kind of the first two is
// Forbidden, of the third Unavailable, of the others Exhausted.
const (
	CodeDenied      = "egress_denied"      // no rule lets it pass
	CodeAddress     = "egress_address"     // the name has an address that is not public
	CodeUnreachable = "egress_unreachable" // no address, no connection, no proper answer
	CodeTime        = "egress_time"
	CodeBody        = "egress_body" // an answer too large
	CodeSent        = "egress_sent" // a request too large
	CodeAtOnce      = "egress_at_once"
	CodeRedirects   = "egress_redirects"
)

// errTime is the cause of a context whose time is up.
var errTime = errors.New("time is up")

var errProtocol = errors.New("it changed the protocol, which nobody asked for")

// mostTold is how many different refusals of one app are logged.
const mostTold = 100

// tell logs why something was refused, each reason once: code may try in a loop.
func (c *Client) tell(host, why string) {
	c.mu.Lock()
	first := !c.told[host+why] && len(c.told) < mostTold
	if first {
		c.told[host+why] = true
	}
	c.mu.Unlock()
	if first {
		c.config.Log.Warn("egress refused", "host", host, "why", why)
	}
}

func (c *Client) refuse(e *fault.Error) error {
	c.tell(e.Subject, e.Message)
	return e
}

func invalidURL(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...)
}

// failed classes what the transport returned for a request to host. The cause is
// told in words of our own: the transport's may hold what a server sent, and a
// server can send back a header that the code must not see.
func (c *Client) failed(ctx context.Context, host string, err error) error {
	var own *fault.Error
	switch {
	case errors.Is(context.Cause(ctx), errTime), errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &own):
		return fault.New(fault.Exhausted, "%s took longer than %s", host, c.config.Limits.Time).WithCode(CodeTime).WithSubject(host)
	case ctx.Err() != nil:
		return fault.New(fault.Unavailable, "the request to %s was given up: %w", host, ctx.Err()).WithSubject(host)
	case errors.As(err, &own):
		return own
	}
	return fault.New(fault.Unavailable, "%s did not answer properly: %s", host, causeOf(err)).WithCode(CodeUnreachable).WithSubject(host)
}

// causeOf names a cause without the addresses of the two ends and without a word
// of the server's, but for the names in its certificate.
func causeOf(err error) string {
	var (
		network     *net.OpError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &certificate):
		return clip(certificate.Err.Error())
	case errors.As(err, &record):
		return "it does not speak TLS"
	case errors.As(err, &network):
		return clip(network.Err.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ended the connection"
	case errors.Is(err, errProtocol):
		return errProtocol.Error()
	case strings.Contains(err.Error(), "headers exceeded"), strings.Contains(err.Error(), "header list"):
		return "its header is too large"
	default:
		return "what it sent is not the HTTP that was asked for"
	}
}

// clip keeps what came from elsewhere short and printable.
func clip(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == utf8.RuneError || c == 0x7f {
			return '?'
		}
		return c
	}, text)
}
