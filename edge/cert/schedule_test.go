package cert_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/mholt/acmez/v3/acme"
	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge/cert"
)

const month = 30 * 24 * time.Hour

func names(n int, of string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(of, i)
	}
	return list
}

// A commit with hundreds of hosts is ordered at the pace of the budget, and
// every host gets there.
func TestNewNamesQueue(t *testing.T) {
	dir := t.TempDir() + "/cert"
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t, 3*month)
		m, stop := quietNode(t, dir, f)
		defer stop()
		m.Want(cert.Policy{Mode: cert.ACME, Hosts: names(60, "h%02d.example.com")})
		synctest.Wait()
		waiting, last := 0, time.Time{}
		for _, s := range m.List() {
			if s.State == cert.Waiting {
				waiting++
			}
			if s.Next.After(last) {
				last = s.Next
			}
		}
		if waiting != 55 || time.Until(last) > 3*month {
			t.Errorf("%d of 60 wait after the first five, until %s", waiting, last)
		}
		time.Sleep(time.Hour)
		orders := f.all()
		if len(orders) != 60 {
			t.Fatalf("%d orders for 60 hosts", len(orders))
		}
		for _, wrong := range hasty(orders) {
			t.Error(wrong)
		}
		for _, s := range m.List() {
			if s.State != cert.OK {
				t.Errorf("%s is %s: %s", s.Host, s.State, s.Error)
			}
		}
	})
}

// hasty names the minutes that have more orders than the budget.
func hasty(orders []order) (wrong []string) {
	for i := cert.PerMinute; i < len(orders); i++ {
		if gap := orders[i].at.Sub(orders[i-cert.PerMinute].at); gap < time.Minute {
			wrong = append(wrong, fmt.Sprintf("%d orders within %s", cert.PerMinute+1, gap))
		}
	}
	return wrong
}

// What runs is renewed before new hosts get their first certificate, though they
// came before, and not all at once.
func TestRenewalsGoFirst(t *testing.T) {
	dir := t.TempDir() + "/cert"
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t, 30*time.Minute)
		m, stop := quietNode(t, dir, f)
		old := names(12, "old%02d.example.com")
		m.Want(cert.Policy{Mode: cert.ACME, Hosts: old})
		time.Sleep(19 * time.Minute)
		stop()
		f.change(func() { f.life, f.takes, f.orders = month, time.Minute, nil })
		time.Sleep(5 * time.Minute)

		m, stop = quietNode(t, dir, f)
		defer stop()
		m.Want(cert.Policy{Mode: cert.ACME, Hosts: append(names(200, "new%03d.example.com"), old...)})
		time.Sleep(5 * time.Minute)
		var renewed int
		var last, fresh time.Time // of the renewals, and the first of a new host
		for _, o := range f.all() {
			switch old := strings.HasPrefix(o.name, "old"); {
			case old:
				renewed, last = renewed+1, o.at
			case fresh.IsZero():
				fresh = o.at
			}
		}
		if renewed != len(old) || fresh.IsZero() || fresh.Before(last) {
			t.Errorf("%d renewals until %s, a new host at %s", renewed, last, fresh)
		}
		if f.peak != cert.AtOnce {
			t.Errorf("%d orders at once", f.peak)
		}
	})
}

// Certificates are renewed with a third of their life left, whatever that is,
// and none is served past its end.
func TestRenewal(t *testing.T) {
	for _, life := range []time.Duration{2 * time.Minute, 6 * 24 * time.Hour} {
		dir := t.TempDir() + "/cert"
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t, life)
			m, stop := quietNode(t, dir, f)
			defer stop()
			m.Want(cert.Policy{Mode: cert.ACME, Hosts: []string{"a.example.com"}})
			for range 40 {
				time.Sleep(life / 4)
				pair, err := m.Lookup(t.Context(), "a.example.com")
				if err != nil || time.Now().After(pair.Leaf.NotAfter) {
					t.Fatalf("life %s: expired or gone: %v", life, err)
				}
			}
			if n := len(f.all()); n < 14 || n > 16 {
				t.Errorf("life %s: %d orders in ten lives", life, n)
			}
		})
	}
}

// A CA that refuses is not hammered, and never asked twice at once for a name.
func TestFailuresBackOff(t *testing.T) {
	refusals := map[string]struct {
		err          error
		hour, day    int // at most
		atLeastInDay int
	}{
		"refused": {acme.Problem{Type: acme.ProblemTypeUnauthorized, Status: 403, Detail: "wrong key authorization"}, 5, 16, 8},
		"broken":  {errors.New("connection reset"), 8, 18, 10},
		"limited": {acme.Problem{Type: acme.ProblemTypeRateLimited, Status: 429, Detail: "too many certificates, retry after 2000-01-01 05:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/"}, 1, 24, 6},
	}
	for name, tt := range refusals {
		dir := t.TempDir() + "/cert"
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t, 3*month)
			f.answer = func(order) error { return tt.err }
			m, stop := quietNode(t, dir, f)
			defer stop()
			m.Want(cert.Policy{Mode: cert.ACME, Hosts: []string{"a.example.com"}})
			time.Sleep(time.Hour - time.Second)
			if n := len(f.all()); n > tt.hour {
				t.Errorf("%s: %d orders in the first hour", name, n)
			}
			s := m.List()[0]
			if s.State != cert.Failing || s.Error == "" || !s.Next.After(time.Now()) {
				t.Errorf("%s: %+v", name, s)
			}
			time.Sleep(23 * time.Hour)
			if n := len(f.all()); n > tt.day || n < tt.atLeastInDay {
				t.Errorf("%s: %d orders in a day", name, n)
			}
			f.change(func() { f.answer = nil })
			time.Sleep(25 * time.Hour)
			if s := m.List()[0]; s.State != cert.OK {
				t.Errorf("%s: not healed: %+v", name, s)
			}
			if f.most > 1 {
				t.Errorf("%s: %d orders at once for one name", name, f.most)
			}
		})
	}
}

// Where the clock of the machine is wrong, a fresh certificate seems to be due.
// That is no reason for a storm.
func TestClockAhead(t *testing.T) {
	dir := t.TempDir() + "/cert"
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t, 3*month)
		f.late = func(now time.Time) time.Time { return now.AddDate(-10, 0, 0) }
		m, stop := quietNode(t, dir, f)
		defer stop()
		m.Want(cert.Policy{Mode: cert.ACME, Hosts: []string{"a.example.com"}})
		time.Sleep(24 * time.Hour)
		if n := len(f.all()); n > 16 {
			t.Errorf("%d orders in a day", n)
		}
		if s := m.List()[0]; s.State != cert.Failing || !strings.Contains(s.Error, "clock") {
			t.Errorf("%+v", s)
		}
		if pair, err := m.Lookup(t.Context(), "a.example.com"); err != nil || pair == nil {
			t.Errorf("a client whose clock is right could have been served: %v", err)
		}
	})
}

// What a CA sends may be no certificate. The good one stays in use, also for the
// next process.
func TestGarbage(t *testing.T) {
	dir := t.TempDir() + "/cert"
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t, month)
		m, stop := quietNode(t, dir, f)
		policy := cert.Policy{Mode: cert.ACME, Hosts: []string{"a.example.com"}}
		m.Want(policy)
		synctest.Wait()
		good := m.List()[0].Serial
		f.change(func() { f.garbage = true })
		time.Sleep(25 * 24 * time.Hour)
		if s := m.List()[0]; s.State != cert.Failing || s.Serial != good || !strings.Contains(s.Error, "no certificate") {
			t.Errorf("%+v", s)
		}
		stop()
		m, stop = quietNode(t, dir, f)
		defer stop()
		m.Want(policy)
		if pair, err := m.Lookup(t.Context(), "a.example.com"); err != nil || pair == nil {
			t.Errorf("the good one is gone: %v", err)
		}
	})
}

// A host that leaves and comes back while a CA is slow to let go of its order
// has no second one at once.
func TestOneOrderAtOnce(t *testing.T) {
	dir := t.TempDir() + "/cert"
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t, month)
		f.takes, f.stubborn = time.Minute, true
		m, stop := quietNode(t, dir, f)
		defer stop()
		policy := cert.Policy{Mode: cert.ACME, Hosts: []string{"a.example.com"}}
		for range 3 {
			m.Want(policy)
			time.Sleep(10 * time.Second)
			m.Want(cert.Policy{Mode: cert.ACME})
		}
		m.Want(policy)
		time.Sleep(10 * time.Minute)
		if s := m.List()[0]; s.State != cert.OK || f.most != 1 {
			t.Errorf("%d orders at once: %+v", f.most, s)
		}
	})
}

// However hosts come and go, the budget holds, no name has two orders at once,
// nothing is ordered that is not wanted, and in the end all that is wanted is
// there.
func TestWantLaw(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 8), 0, 9), 1, 4).Draw(t, "steps")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 200), len(steps), len(steps)).Draw(t, "seconds")
		takes := rapid.IntRange(0, 40).Draw(t, "takes")
		stubborn := rapid.Bool().Draw(t, "stubborn")
		var wrong []string
		synctest.Test(outer, func(bubble *testing.T) {
			f := newFakeCA(bubble, month)
			f.takes, f.stubborn = time.Duration(takes)*time.Second, stubborn
			m, stop := quietNode(bubble, bubble.TempDir()+"/cert", f)
			defer stop()
			wanted := map[string]bool{}
			for i, step := range steps {
				var hosts []string
				for _, n := range step {
					hosts = append(hosts, fmt.Sprintf("h%d.example.com", n))
					wanted[hosts[len(hosts)-1]] = true
				}
				m.Want(cert.Policy{Mode: cert.ACME, Hosts: hosts})
				time.Sleep(time.Duration(pauses[i]) * time.Second)
			}
			time.Sleep(20 * time.Minute)
			orders := f.all()
			wrong = append(wrong, hasty(orders)...)
			for _, o := range orders {
				if !wanted[o.name] {
					wrong = append(wrong, o.name+" was ordered and never wanted")
				}
			}
			if f.most > 1 {
				wrong = append(wrong, "two orders at once for one name")
			}
			for _, s := range m.List() {
				if s.State != cert.OK {
					wrong = append(wrong, fmt.Sprintf("%+v", s))
				}
			}
		})
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add("a\r\nb\x1b[31m\u202ec")
	f.Add(strings.Repeat("ä", 1000))
	f.Fuzz(func(t *testing.T, text string) {
		for _, err := range []error{errors.New(text), acme.Problem{Type: text, Detail: text}} {
			line := cert.Line(err)
			if n := len([]rune(line)); n > cert.LineMax+1 {
				t.Errorf("%d characters", n)
			}
			for _, r := range line {
				if !unicode.IsPrint(r) {
					t.Errorf("%q holds %U", line, r)
				}
			}
		}
	})
}

// Whatever a CA says about its limits, a host waits for some time, and not for
// ever.
func FuzzRetryAfter(f *testing.F) {
	f.Add("too many certificates, retry after 2026-01-02 15:04:05 UTC: see the docs", 1)
	f.Add("retry after 9999-99-99 99:99:99 UTC", 40)
	f.Fuzz(func(t *testing.T, detail string, failures int) {
		if failures < 1 {
			return
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		wait := cert.Backoff(failures, acme.Problem{Type: acme.ProblemTypeRateLimited, Detail: detail}, now)
		if wait < time.Minute || wait > 24*time.Hour {
			t.Errorf("%s", wait)
		}
	})
}
