package identity_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// place is a directory with a clock that stands still and a count of statements.
type place struct {
	*identity.Directory
	t          testing.TB
	dir        string
	db         *sqlite.DB
	now        time.Time
	statements atomic.Int64
	asked      atomic.Value // the newest of them, a string
}

func open(t testing.TB) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	db, err := sqlite.Open(t.Context(), filepath.Join(p.dir, "node.db"), sqlite.Options{
		Durability: sqlite.Normal,
		Trace: func(query string) {
			if query != "BEGIN" && query != "ROLLBACK" { // of a view
				p.statements.Add(1)
				p.asked.Store(query)
			}
		},
	})
	must(t, err)
	p.db = db
	t.Cleanup(func() { db.Close() })
	p.reopen()
	return p
}

// reopen is a new process: nothing is left but tables and key.
func (p *place) reopen() {
	p.t.Helper()
	d, err := identity.Open(p.t.Context(), identity.Config{DB: p.db, Key: filepath.Join(p.dir, identity.KeyFile), Clock: func() time.Time { return p.now }})
	must(p.t, err)
	p.Directory = d
}

// count returns how many statements f takes.
func (p *place) count(f func()) int64 {
	before := p.statements.Load()
	f()
	return p.statements.Load() - before
}

func anyone(string) bool { return true }

func (p *place) person(name string) identity.Person {
	p.t.Helper()
	email := name + "@example.com"
	who, err := p.Recognise(p.t.Context(), identity.Claim{Issuer: "mail", Subject: email, Email: email, Verified: true, Name: name}, anyone)
	must(p.t, err)
	return who
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if fault.KindOf(err) != kind {
		t.Fatalf("error %v, want one of kind %q", err, kind)
	}
}

// race lets 200 try for the same thing, round by round, and wants one winner in each.
func race(t *testing.T, prepare func(round int) (try func() bool)) {
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		try := prepare(round)
		var won atomic.Int64
		var group sync.WaitGroup
		start := make(chan struct{})
		for range 200 {
			group.Go(func() {
				<-start
				if try() {
					won.Add(1)
				}
			})
		}
		close(start)
		group.Wait()
		if won.Load() != 1 {
			t.Fatalf("round %d: %d winners", round, won.Load())
		}
	}
}

// A key that others could read is refused, and so is one that is none.
func TestKeyFileIsPrivate(t *testing.T) {
	p := open(t)
	path := filepath.Join(p.dir, identity.KeyFile)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("made with mode %v", info.Mode())
	}
	again := func() error {
		_, err := identity.Open(t.Context(), identity.Config{DB: p.db, Key: path, Clock: time.Now})
		return err
	}
	must(t, os.Chmod(path, 0o640))
	wantKind(t, again(), fault.Forbidden)
	must(t, os.Chmod(path, 0o600))
	must(t, again())
	must(t, os.WriteFile(path, []byte("short"), 0o600))
	wantKind(t, again(), fault.Invalid)
}

// A ticket is good for its kind, until its end, on the node that made it, and
// not with a single letter changed; also after a restart.
func TestTickets(t *testing.T) {
	p := open(t)
	type attempt struct{ To string }
	text, err := p.Seal("attempt", p.now.Add(time.Minute), attempt{"/notes"})
	must(t, err)
	p.reopen()
	var got attempt
	must(t, p.Unseal("attempt", text, &got))
	if got.To != "/notes" {
		t.Errorf("%+v", got)
	}
	if strings.Contains(text, "notes") {
		t.Error("it can be read")
	}
	wantKind(t, p.Unseal("code", text, &got), fault.Invalid)
	wantKind(t, open(t).Unseal("attempt", text, &got), fault.Invalid)
	for i := range text {
		other := byte('A')
		if text[i] == 'A' {
			other = 'B'
		}
		wantKind(t, p.Unseal("attempt", text[:i]+string(other)+text[i+1:], &got), fault.Invalid)
	}
	wantKind(t, p.Unseal("attempt", text[:9]+"\n"+text[9:], &got), fault.Invalid)
	p.now = p.now.Add(time.Minute)
	wantKind(t, p.Unseal("attempt", text, &got), fault.Invalid)
}

// What was spent stays spent: after a restart, and when it is over and forgotten.
func TestSpentOnce(t *testing.T) {
	p := open(t)
	until := p.now.Add(time.Minute)
	spend := func() bool {
		first, err := p.Spend(t.Context(), "state", until)
		must(t, err)
		return first
	}
	if !spend() || spend() {
		t.Error("not exactly once")
	}
	p.reopen()
	if spend() {
		t.Error("again after a restart")
	}
	p.now = until
	must(t, p.Flush(t.Context()))
	if spend() {
		t.Error("again after its end")
	}
}

func TestSpendHasOneWinner(t *testing.T) {
	p := open(t)
	race(t, func(round int) func() bool {
		id := strings.Repeat("x", round+1)
		return func() bool {
			first, err := p.Spend(t.Context(), id, p.now.Add(time.Minute))
			return first && err == nil
		}
	})
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"Ana@Example.COM": "ana@example.com", "a+b@x.y": "a+b@x.y", "asha@localhost": "asha@localhost",
		"": "", "ana": "", "@x.y": "", "ana@": "", "ana@x": "", "a@b@x.y": "", "a b@x.y": "", "a\n@x.y": "", "ana@x.y.": "", "ana@.x.y": "", "аna@x.y": "",
		"ana@" + strings.Repeat("x", 250) + ".y": "", "<ana@x.y>": "", "a@x..y": "",
	} {
		if got, ok := identity.Address(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
}

func FuzzTokens(f *testing.F) {
	p := open(f)
	who := p.person("ana")
	token, _, err := p.Begin(f.Context(), identity.New{Person: who.ID, Audience: "x.example"})
	must(f, err)
	ticket, err := p.Seal("k", p.now.Add(time.Hour), "v")
	must(f, err)
	f.Add(token)
	f.Add(ticket)
	f.Add(token + "=")
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := p.Session(text, "x.example", p.now); ok != (text == token) {
			t.Errorf("token %q: %v", text, ok)
		}
		var v string
		if err := p.Unseal("k", text, &v); (err == nil) != (text == ticket) {
			t.Errorf("ticket %q: %v", text, err)
		}
	})
}
