// Package mail sends mail by somebody's SMTP server. A message is written down, sealed,
// before anybody is told that it is on its way, and one worker sends it, again where
// the server says later. It is the door of go-mail. It refuses to know who gets mail
// and why.
package mail

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

//go:embed migration/*.sql
var migrations embed.FS

// Config is how mail is sent, as a mail block declares it.
type Config struct {
	From     string        // an address, with or without a name
	SMTP     string        // smtp://HOST:PORT, which must offer STARTTLS unless it is this machine, or smtps://HOST:PORT
	User     string        // empty: nobody signs in there
	Password func() string // nil likewise
	Daily    int           // how many messages are taken a day
}

// Sealer closes what waits, and opens it again until it is pointless.
type Sealer interface {
	Seal(kind string, until time.Time, v any) (string, error)
	Unseal(kind, text string, v any) error
}

// Options are what an Outbox stands on. DB and Sealer are required.
type Options struct {
	DB     *sqlite.DB
	Sealer Sealer
	Log    *slog.Logger     // nil discards
	Now    func() time.Time // nil is the machine's clock
	// Deliver hands a message to a server; nil speaks SMTP.
	Deliver func(ctx context.Context, c Config, m Message) error
}

// Message is a mail to one person.
type Message struct {
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	Until   time.Time `json:"until"` // pointless from then on
}

// Outbox is what waits to be sent. It is safe for several goroutines.
type Outbox struct {
	options Options
	config  atomic.Pointer[Config]
	poke    chan struct{} // room for one
	sent    atomic.Int64
	failed  atomic.Int64
}

// kind names what is sealed.
const kind = "mail"

// mostWaiting bounds the table: what waits longer than that is not going anywhere.
const mostWaiting = 10_000

// longestAddress is what RFC 5321 leaves of a path without its brackets.
const longestAddress = 254

// Open prepares the table.
func Open(ctx context.Context, o Options) (*Outbox, error) {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		return nil, err
	}
	if err := o.DB.Migrate(ctx, "mail", files); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Deliver == nil {
		o.Deliver = wire{}.deliver
	}
	return &Outbox{options: o, poke: make(chan struct{}, 1)}, nil
}

// Use has mail sent as a revision says; nil sends none, and what waits goes on
// waiting.
func (b *Outbox) Use(c *Config) {
	b.config.Store(c)
	b.wake()
}

// wake has the worker look at the table.
func (b *Outbox) wake() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// Send takes a message. It is on the disk when Send returns, and is sent at least once
// unless it becomes pointless before: a process that is killed between the server's
// yes and its own note of it sends it again. The error's kind is Invalid for an
// address or a subject that cannot be sent, Unavailable where nobody sends mail,
// Exhausted over the day's number.
func (b *Outbox) Send(ctx context.Context, to, subject, text string, until time.Time) error {
	c := b.config.Load()
	if c == nil {
		return fault.New(fault.Unavailable, "this node sends no mail").WithHint("declare a mail block")
	}
	m := Message{To: to, Subject: subject, Text: text, Until: until}
	if err := m.check(); err != nil {
		return err
	}
	sealed, err := b.options.Sealer.Seal(kind, until, m)
	if err != nil {
		return err
	}
	now := b.options.Now().UTC()
	err = b.options.DB.Write(ctx, func(tx *sqlite.Tx) error { return take(tx, sealed, now, c.Daily) })
	if err == nil {
		b.wake()
	}
	return err
}

// take counts a message and writes it down, in one transaction.
func take(tx *sqlite.Tx, sealed string, now time.Time, daily int) error {
	day := now.Format(time.DateOnly)
	var taken, waiting int
	if err := tx.QueryRow(`INSERT INTO mail_day (day, taken) VALUES (?, 1)
		ON CONFLICT (day) DO UPDATE SET taken = taken + 1 RETURNING taken`, day).Scan(&taken); err != nil {
		return err
	}
	if taken > daily {
		return fault.New(fault.Exhausted, "this node has sent the %d messages of today", daily).WithHint("raise daily in the mail block, or wait for tomorrow")
	}
	if err := tx.QueryRow(`SELECT count(*) FROM mail_outbox`).Scan(&waiting); err != nil {
		return err
	}
	if waiting >= mostWaiting {
		return fault.New(fault.Exhausted, "%d messages wait to be sent", waiting).WithHint("does the mail server answer? The log says why not")
	}
	if _, err := tx.Exec(`DELETE FROM mail_day WHERE day < ?`, day); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO mail_outbox (sealed, next) VALUES (?, ?)`, sealed, now.UnixMilli())
	return err
}

// check refuses what would be read as more than an address and a line.
func (m Message) check() error {
	a, err := mail.ParseAddress(m.To)
	if err != nil || a.Address != m.To || len(m.To) > longestAddress || strings.ContainsFunc(m.To, unfit) {
		return fault.New(fault.Invalid, "%.300q is no address that mail can be sent to", m.To)
	}
	switch {
	case strings.ContainsFunc(m.Subject, unfit):
		return fault.New(fault.Invalid, "the subject is more than a line")
	case strings.Contains(m.Subject, "=?"): // RFC 2047: readers would decode what the sender did not encode
		return fault.New(fault.Invalid, `the subject has "=?" in it, which mail programs read as an encoding`)
	case !utf8.ValidString(m.Subject) || !utf8.ValidString(m.Text):
		return fault.New(fault.Invalid, "subject and text must be UTF-8")
	}
	return nil
}

func unfit(r rune) bool { return r < 0x20 || r == 0x7f }

// server is a Config's, taken apart.
func (c Config) server() (host, port string, implicit bool, err error) {
	u, err := url.Parse(c.SMTP)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" {
		return "", "", false, fault.New(fault.Invalid, "%q is no address of a mail server", c.SMTP).WithHint("smtp://HOST:587 or smtps://HOST:465")
	}
	port = u.Port()
	if implicit = u.Scheme == "smtps"; port == "" {
		port = map[bool]string{true: "465", false: "587"}[implicit]
	}
	return u.Hostname(), port, implicit, nil
}

// local tells whether a host is this machine, where nobody listens in between.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Stats are counts since the start, and what waits now.
type Stats struct{ Waiting, Sent, Failed int64 }

// Stats returns the counts.
func (b *Outbox) Stats(ctx context.Context) (s Stats, err error) {
	s.Sent, s.Failed = b.sent.Load(), b.failed.Load()
	err = b.options.DB.Read(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT count(*) FROM mail_outbox`).Scan(&s.Waiting)
	})
	return s, err
}
