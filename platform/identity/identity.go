// Package identity keeps who the people of a node are: whom a provider vouches
// for, their sessions, and the secrets that are good once. It stands on node.db
// and a key file; the gate asks it at each request and the operations manage it.
// It refuses to know what people may do, and never sees a request.
package identity

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

//go:embed migration/*.sql
var migrations embed.FS

// Config is what a Directory stands on.
type Config struct {
	DB    *sqlite.DB
	Key   string           // path of the key file, which is made if there is none
	Clock func() time.Time // the time for ends that are set and judged
	Sure  func() time.Time // the time that it is at least, by which what is over is over for good; nil is Clock
	Log   *slog.Logger     // may be nil
}

// Directory knows the people of one node. Its methods may be called from any
// goroutine.
type Directory struct {
	db       *sqlite.DB
	key      key
	clock    func() time.Time
	sure     func() time.Time
	log      *slog.Logger
	sessions *cache[Session]
	tokens   *cache[Token]
	flushing sync.Mutex // one at a time, so that who deletes what is unused has all uses
}

// Open prepares the tables and the key file. The error's kind is Forbidden if
// others may read the key.
func Open(ctx context.Context, c Config) (*Directory, error) {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		return nil, err
	}
	if err := c.DB.Migrate(ctx, "people", files); err != nil {
		return nil, err
	}
	k, err := openKey(c.Key)
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Sure == nil {
		c.Sure = c.Clock
	}
	return &Directory{db: c.DB, key: k, clock: c.Clock, sure: c.Sure, log: c.Log,
		sessions: newCache[Session](mostCached), tokens: newCache[Token](mostCached)}, nil
}

// Run writes down the last uses and forgets what is over, each minute, until ctx
// ends.
func (d *Directory) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return d.Flush(last)
		case <-tick.C:
			if err := d.Flush(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("last uses of sessions were not written", "error", err)
			}
		}
	}
}

// Flush writes down the last uses and ends for good what is over.
func (d *Directory) Flush(ctx context.Context) error {
	now := d.sure() // before the uses are taken: whoever comes later is too late anyway
	if err := d.flushUses(ctx); err != nil {
		return err
	}
	return d.tidy(ctx, now)
}

// over are the statements that end for good what cannot be used any more, so that a
// clock that is put back revives nothing. What is locked or spent is not over before
// its end, however much there is of it. What people list stays for 30 days.
func over() []string {
	return []string{
		`DELETE FROM people_session WHERE min(ends, seen + idle) <= ?`,
		`UPDATE people_token SET over = 1 WHERE ends <= ? AND over = 0`,
		`UPDATE people_invite SET over = 1 WHERE ends <= ? AND over = 0`,
		`DELETE FROM people_spent WHERE ends <= ?`,
		`DELETE FROM people_mail WHERE ends <= ?`,
		`DELETE FROM people_attempt WHERE ends <= ?`,
		`DELETE FROM people_device WHERE ends <= ?`,
		`DELETE FROM people_token WHERE ends <= ? - 2592000000`,
		`DELETE FROM people_invite WHERE ends <= ? - 2592000000`,
	}
}

func (d *Directory) tidy(ctx context.Context, now time.Time) error {
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		for _, q := range over() {
			if _, err := tx.Exec(q, now.UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
	d.sessions.end(now)
	d.tokens.end(now)
	return err
}

// ahead is how far back the clock may be put and leave good what was made before. What
// was made later than that was made by a clock gone wrong, and is good for nothing, as
// its end may be years away.
const ahead = 2 * time.Hour

// holds tells whether it is now between the time when something was made and its end.
func holds(now, made, ends time.Time) bool { return made.Sub(now) <= ahead && now.Before(ends) }

// latest is the latest end, as tables have it, of what is made for so long: what ends
// later was made by a clock gone wrong.
func latest(now time.Time, life time.Duration) int64 { return now.Add(life + ahead).UnixMilli() }

// Address returns the canonical form of an e-mail address: one of ASCII, in
// lower case. There is none for other scripts, whose letters look alike.
func Address(text string) (string, bool) {
	local, domain, found := strings.Cut(text, "@")
	if !found || local == "" || !strings.Contains(strings.Trim(domain, "."), ".") && domain != "localhost" || len(text) > 254 {
		return "", false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),:;<>[\]`, c) >= 0 {
			return "", false
		}
	}
	if strings.Contains(domain, "@") || strings.Contains(text, "..") || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") {
		return "", false
	}
	return strings.ToLower(text), true
}

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// missing is the error for a person who is not there.
func missing(person string) error {
	return fault.New(fault.NotFound, "nobody here is %q", person).WithSubject(person).WithHint("list the people, and name one by id or address")
}
