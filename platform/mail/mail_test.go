package mail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/mail"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// sealer makes texts that a reader of the disk does not understand.
type sealer struct{}

func (s sealer) Seal(kind string, until time.Time, v any) (string, error) {
	text, err := json.Marshal(v)
	for i := range text {
		text[i] ^= 0x55
	}
	return kind + until.Format(time.RFC3339) + "|" + string(bytes.ToValidUTF8(text, nil)), err
}

func (s sealer) Unseal(_, text string, v any) error {
	_, sealed, _ := strings.Cut(text, "|")
	plain := []byte(sealed)
	for i := range plain {
		plain[i] ^= 0x55
	}
	return json.Unmarshal(plain, v)
}

// post is an outbox and the server that it hands to.
type post struct {
	*mail.Outbox
	db   *sqlite.DB
	mu   sync.Mutex
	now  time.Time
	got  []mail.Message
	fail error
}

func newPost(t *testing.T, daily int) *post {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "node.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	p := &post{db: db, now: time.Date(2026, 11, 27, 23, 0, 0, 0, time.UTC)}
	p.open(t, daily)
	return p
}

// open is what a start of the node does.
func (p *post) open(t *testing.T, daily int) {
	t.Helper()
	var err error
	p.Outbox, err = mail.Open(t.Context(), mail.Options{DB: p.db, Sealer: sealer{}, Now: p.time, Deliver: func(_ context.Context, _ mail.Config, m mail.Message) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.fail == nil {
			p.got = append(p.got, m)
		}
		return p.fail
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.Use(&mail.Config{From: "hello@example.com", SMTP: "smtps://smtp.example.com", Daily: daily})
}

func (p *post) time() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *post) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *post) send(t *testing.T, to string) error {
	t.Helper()
	return p.Send(t.Context(), to, "Your code is 123456", "123456", p.time().Add(10*time.Minute))
}

func (p *post) round(t *testing.T) time.Duration {
	t.Helper()
	wait, err := p.Round(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

func (p *post) stats(t *testing.T) mail.Stats {
	t.Helper()
	s, err := p.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSent goes out once, and is forgotten.
func TestSent(t *testing.T) {
	p := newPost(t, 10)
	if err := p.send(t, "ana@example.com"); err != nil {
		t.Fatal(err)
	}
	p.round(t)
	p.round(t)
	if s := p.stats(t); len(p.got) != 1 || p.got[0].To != "ana@example.com" || s != (mail.Stats{Sent: 1}) {
		t.Errorf("%+v %+v", p.got, s)
	}
}

// TestRunSends without being asked again.
func TestRunSends(t *testing.T) {
	p := newPost(t, 10)
	ctx, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{}, 1)
	var err error
	p.Outbox, err = mail.Open(ctx, mail.Options{DB: p.db, Sealer: sealer{}, Now: p.time, Deliver: func(context.Context, mail.Config, mail.Message) error {
		arrived <- struct{}{}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.Use(&mail.Config{Daily: 10})
	if err := p.send(t, "ana@example.com"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestAgainLater is for a server that cannot now; what it refuses for good, and what
// is pointless by then, is given up.
func TestAgainLater(t *testing.T) {
	p := newPost(t, 10)
	p.fail = fault.New(fault.Unavailable, "421 later")
	if err := p.send(t, "ana@example.com"); err != nil {
		t.Fatal(err)
	}
	wait := p.round(t)
	if s := p.stats(t); s.Waiting != 1 || wait < 5*time.Second || wait > 7*time.Second {
		t.Fatalf("%+v, again in %s", s, wait)
	}
	p.fail = nil
	p.pass(7 * time.Second)
	if p.round(t); len(p.got) != 1 {
		t.Error("it was not sent again")
	}
	p.fail = fault.New(fault.Invalid, "550 no such person")
	if err := p.send(t, "eve@example.com"); err != nil {
		t.Fatal(err)
	}
	if p.round(t); p.stats(t) != (mail.Stats{Sent: 1, Failed: 1}) {
		t.Errorf("%+v", p.stats(t))
	}
	p.fail = errors.New("down")
	if err := p.send(t, "bo@example.com"); err != nil {
		t.Fatal(err)
	}
	p.round(t)
	p.pass(11 * time.Minute)
	p.fail = nil
	if p.round(t); len(p.got) != 1 || p.stats(t) != (mail.Stats{Sent: 1, Failed: 2}) {
		t.Errorf("a code that is over was sent: %+v", p.stats(t))
	}
}

// TestSurvivesAStart holds for what was taken and not sent, and for the day's count.
func TestSurvivesAStart(t *testing.T) {
	p := newPost(t, 2)
	for range 2 {
		if err := p.send(t, "ana@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	p.open(t, 2)
	if err := p.send(t, "ana@example.com"); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("a third of two: %v", err)
	}
	if p.round(t); len(p.got) != 2 {
		t.Errorf("%d arrived", len(p.got))
	}
	p.pass(2 * time.Hour) // over midnight
	if err := p.send(t, "ana@example.com"); err != nil {
		t.Errorf("another day: %v", err)
	}
}

// TestNobodySends says so, and keeps what waits.
func TestNobodySends(t *testing.T) {
	p := newPost(t, 2)
	if err := p.send(t, "ana@example.com"); err != nil {
		t.Fatal(err)
	}
	p.Use(nil)
	if err := p.send(t, "ana@example.com"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	if s := p.stats(t); s.Waiting != 1 {
		t.Errorf("%+v", s)
	}
}

// TestNoMoreThanAnAddress is what keeps one field from becoming another.
func TestNoMoreThanAnAddress(t *testing.T) {
	p := newPost(t, 100)
	for _, to := range []string{"", "ana", "ana@", "@example.com", "ana@example.com\r\nBcc: eve@evil.test", "ana@example.com, eve@evil.test", "Ana <ana@example.com>",
		"ana@example.com\x00", "\"a\r\nb\"@example.com", " ana@example.com", strings.Repeat("a", 250) + "@example.com"} {
		if err := p.Send(t.Context(), to, "x", "x", p.time().Add(time.Hour)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", to, err)
		}
	}
	for _, subject := range []string{"a\r\nBcc: eve@evil.test", "a\nb", "a\x00b", "=?utf-8?q?a=0D=0ABcc:?=", "\xff"} {
		if err := p.Send(t.Context(), "ana@example.com", subject, "x", p.time().Add(time.Hour)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", subject, err)
		}
	}
	if s := p.stats(t); s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNoCodeOnTheDisk looks for what waits in the file's own bytes.
func TestNoCodeOnTheDisk(t *testing.T) {
	p := newPost(t, 10)
	if err := p.send(t, "ana@example.com"); err != nil {
		t.Fatal(err)
	}
	err := p.db.Read(t.Context(), func(tx *sqlite.Tx) error {
		var sealed string
		if err := tx.QueryRow(`SELECT sealed FROM mail_outbox`).Scan(&sealed); err != nil {
			return err
		}
		if strings.Contains(sealed, "123456") || strings.Contains(sealed, "ana@") {
			t.Errorf("the table has %q", sealed)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
