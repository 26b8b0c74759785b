package mail

import (
	"bytes"
	"context"
	"crypto/x509"
	"net"
	"time"
)

// Round sends what is due now, as Run does.
func (b *Outbox) Round(ctx context.Context) (time.Duration, error) {
	return b.round(ctx, *b.config.Load())
}

// Deliverer speaks SMTP, trusts roots, and reaches every host by dial.
func Deliverer(roots *x509.CertPool, dial func(ctx context.Context, network, address string) (net.Conn, error)) func(context.Context, Config, Message) error {
	return wire{roots, dial}.deliver
}

// Wire returns the bytes that a server gets for a message, and an error if Send
// refuses it.
func Wire(c Config, m Message) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	made, err := compose(c, m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = made.WriteTo(&b)
	return b.Bytes(), err
}
