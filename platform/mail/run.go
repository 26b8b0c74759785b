package mail

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Run sends what waits until ctx ends. It is the only one that does.
func (b *Outbox) Run(ctx context.Context) error {
	for {
		wait := idle
		if c := b.config.Load(); c != nil {
			next, err := b.round(ctx, *c)
			if err != nil && ctx.Err() == nil {
				b.options.Log.Warn("the outbox cannot be read", "component", "mail", "error", err)
			}
			wait = next
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-b.poke:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// idle is how often a worker without work looks at the table.
const idle = time.Hour

// waiting is a row of the table.
type waiting struct {
	id, next int64
	sealed   string
	tries    int
}

// round sends what is due, and says when something is due again.
func (b *Outbox) round(ctx context.Context, c Config) (wait time.Duration, err error) {
	for ctx.Err() == nil {
		row, err := b.first(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return idle, nil
		}
		if err != nil {
			return time.Minute, err
		}
		if wait := time.UnixMilli(row.next).Sub(b.options.Now()); wait > 0 {
			return min(wait, idle), nil
		}
		if err := b.try(ctx, c, row); err != nil {
			return time.Minute, err
		}
	}
	return idle, nil
}

func (b *Outbox) first(ctx context.Context) (row waiting, err error) {
	err = b.options.DB.Read(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT id, sealed, tries, next FROM mail_outbox ORDER BY next, id LIMIT 1`).Scan(&row.id, &row.sealed, &row.tries, &row.next)
	})
	return row, err
}

// try sends one message, and notes what became of it. What cannot be opened any more
// is pointless by now.
func (b *Outbox) try(ctx context.Context, c Config, row waiting) error {
	var m Message
	if err := b.options.Sealer.Unseal(kind, row.sealed, &m); err != nil || !b.options.Now().Before(m.Until) {
		b.failed.Add(1)
		b.options.Log.Warn("a message was not sent in time", "component", "mail", "tries", row.tries)
		return b.forget(ctx, row.id)
	}
	err := b.options.Deliver(ctx, c, m)
	switch {
	case err == nil: // also while the node stops
		b.sent.Add(1)
		b.options.Log.Info("a message was sent", "component", "mail", "domain", domainOf(m.To), "tries", row.tries+1)
		return b.forget(ctx, row.id)
	case ctx.Err() != nil:
		return nil // it stays, and is sent by whoever runs next
	case fault.KindOf(err) == fault.Invalid:
		b.failed.Add(1)
		b.options.Log.Warn("a message was refused for good", "component", "mail", "domain", domainOf(m.To), "error", err)
		return b.forget(ctx, row.id)
	}
	wait := backOff(row.tries)
	b.options.Log.Warn("a message is sent again later", "component", "mail", "domain", domainOf(m.To), "tries", row.tries+1, "wait", wait, "error", err)
	return b.options.DB.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE mail_outbox SET tries = tries + 1, next = ? WHERE id = ?`, b.options.Now().Add(wait).UnixMilli(), row.id)
		return err
	})
}

// forget takes a message out. It has gone, so that is noted even while the node stops.
func (b *Outbox) forget(ctx context.Context, id int64) error {
	return b.options.DB.Write(context.WithoutCancel(ctx), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`DELETE FROM mail_outbox WHERE id = ?`, id)
		return err
	})
}

// backOff is how long to wait before a try: seconds first, as somebody waits for a
// code, then minutes, with a fifth of chance so that nodes do not come together.
func backOff(tries int) time.Duration {
	ladder := []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 3 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	wait := ladder[min(tries, len(ladder)-1)]
	return wait + rand.N(wait/5)
}
