package egress

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// askerKey leads a connection to the request it is made for. The transport lets
// a dial go on when its request has gone; here it ends with it, as otherwise
// requests that are given up at once would leave any number of dials behind.
type askerKey struct{}

func (c *Client) asked(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Limits.Time)
	asker, ok := ctx.Value(askerKey{}).(context.Context)
	if !ok {
		return ctx, cancel
	}
	stop := context.AfterFunc(asker, cancel)
	return ctx, func() { stop(); cancel() }
}

// connect is the transport's way to a host: each new connection is judged anew.
func (c *Client) connect(ctx context.Context, _, hostport string) (net.Conn, error) {
	ctx, done := c.asked(ctx)
	defer done()
	return c.connectJudged(ctx, hostport)
}

func (c *Client) connectJudged(ctx context.Context, hostport string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	addrs, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var last error
	for i, a := range addrs {
		conn, err := c.dialShare(ctx, netip.AddrPortFrom(a, uint16(port)), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, fault.New(fault.Unavailable, "%s cannot be reached: %s", host, causeOf(last)).WithCode(CodeUnreachable).WithSubject(host)
}

// dialShare gives an address its share of the time that is left, so that a dead
// one does not keep the next from being tried, and the last leaves time to say so.
func (c *Client) dialShare(ctx context.Context, addr netip.AddrPort, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left+1))
		defer cancel()
	}
	return c.config.Dial(ctx, addr)
}

func dialTCP(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", addr.String())
}

// connectTLS is connect with a handshake for the name, whatever the address.
func (c *Client) connectTLS(ctx context.Context, _, hostport string) (net.Conn, error) {
	ctx, done := c.asked(ctx)
	defer done()
	raw, err := c.connectJudged(ctx, hostport)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(hostport)
	conn := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: c.config.Roots, NextProtos: []string{"h2", "http/1.1"}})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}
