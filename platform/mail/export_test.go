package mail

import (
	"context"
	"crypto/tls"
	"time"
)

// Round sends what is due now, as Run does.
func (b *Outbox) Round(ctx context.Context) (time.Duration, error) {
	return b.round(ctx, *b.config.Load())
}

// Deliver speaks SMTP with a server that has a certificate of a test.
func Deliver(ctx context.Context, c Config, m Message, trust *tls.Config) error {
	return deliverWith(ctx, c, m, trust)
}
