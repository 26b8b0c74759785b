package identity_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/clock"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// jumps are what happens to wall clocks, and whether those who are signed in may
// notice.
var jumps = map[string]struct {
	by      time.Duration
	noticed bool
}{
	"a second on":    {time.Second, false},
	"an hour on":     {time.Hour, false},
	"an hour back":   {-time.Hour, false},
	"ten years on":   {10 * 365 * 24 * time.Hour, true},
	"back to 1970":   {-30 * 365 * 24 * time.Hour, true}, // a bubble begins in 2000
	"two days back":  {-48 * time.Hour, true},
	"three hours on": {3 * time.Hour, false},
}

// watched is a place whose time is that of a machine, which somebody may set.
type watched struct {
	*place
	off   time.Duration // of the wall clock
	clock *clock.Clock
}

func watch(t *testing.T) *watched {
	w := &watched{place: open(t)}
	w.boot()
	return w
}

// boot is a new process. It knows when the last one knew the time.
func (w *watched) boot() {
	w.t.Helper()
	var last time.Time
	if w.clock != nil {
		last = w.clock.Sure()
	}
	w.clock = clock.New(last, func() time.Time { return time.Now().Add(w.off) })
	d, err := identity.Open(w.t.Context(), identity.Config{DB: w.db, Key: filepath.Join(w.dir, identity.KeyFile), Clock: w.clock.Now, Sure: w.clock.Sure})
	must(w.t, err)
	w.Directory = d
}

// pass lets time go by as a node does, and looks on each minute.
func (w *watched) pass(span time.Duration, each func()) {
	w.t.Helper()
	for end := time.Now().Add(span); time.Now().Before(end); {
		time.Sleep(time.Minute)
		must(w.t, w.Flush(w.t.Context()))
		if each != nil {
			each()
		}
	}
}

// kept is one of each thing that has an end.
type kept struct {
	session, token, invite, ticket, code string

	browser, person string
	device          identity.Device
}

// make makes one of each, which last for life; what is between the steps of a sign-in has minutes.
func (w *watched) make(name string, life time.Duration) kept {
	w.t.Helper()
	ctx, k := w.t.Context(), kept{browser: name}
	k.person = w.person(name).ID
	var err error
	k.session, _ = w.begin(identity.New{Person: k.person, Audience: host, Absolute: life})
	k.token, _, err = w.CreateToken(ctx, identity.NewToken{Person: k.person, Name: "ci", Scopes: []string{"deploy"}, Lifetime: life})
	must(w.t, err)
	k.invite, _, err = w.Invite(ctx, identity.NewInvite{Uses: 10_000, Lifetime: life})
	must(w.t, err)
	k.ticket, err = w.Seal("k", w.clock.Now().Add(10*time.Minute), "v")
	must(w.t, err)
	mailed, err := w.MailCode(ctx, name+"@example.com", name)
	must(w.t, err)
	k.code = mailed.Code
	k.device, err = w.StartDevice(ctx, "laptop", "192.0.2.7", []string{"deploy"})
	must(w.t, err)
	return k
}

// good are the names of those that work. It uses none up.
func (w *watched) good(k kept) (names []string) {
	now := w.clock.Now()
	if _, ok := w.Session(k.session, host, now); ok {
		names = append(names, "session")
	}
	if _, ok := w.Token(k.token, "192.0.2.7", now); ok {
		names = append(names, "token")
	}
	if w.come(fmt.Sprint("guest of ", k.browser, time.Now().UnixNano()), k.invite, false) == nil {
		names = append(names, "invitation")
	}
	return names
}

// short are those that last for minutes whatever is asked. It uses them up.
func (w *watched) short(k kept) (names []string) {
	if v := ""; w.Unseal("k", k.ticket, &v) == nil {
		names = append(names, "ticket")
	}
	if _, err := w.RedeemCode(w.t.Context(), k.browser, k.code); err == nil {
		names = append(names, "code of a mail")
	}
	if w.AnswerDevice(w.t.Context(), k.device.Code, k.person, true) == nil {
		names = append(names, "code of a device")
	}
	if token, err := w.PollDevice(w.t.Context(), k.device.Secret); err == nil && token != "" {
		names = append(names, "secret of a device")
	}
	return names
}

// The wall clock of a node that runs is set, and put right after some hours. What is
// over stays over; what was made under a clock gone wrong is over when that is put
// right; and who is signed in notices nothing of a step of hours.
func TestClockIsSet(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector, and nothing of it races: make test runs it")
	}
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t)
				old := w.make("old", 72*time.Hour)
				time.Sleep(71 * time.Hour)
				late, here := w.make("late", 2*time.Hour+30*time.Minute), w.make("here", 7*24*time.Hour)
				w.pass(time.Hour, nil)
				look := func(when string, over, here kept) {
					t.Helper()
					if names := w.good(over); names != nil {
						t.Fatalf("%s, these are good again: %v", when, names)
					}
					if names := w.good(here); len(names) != 3 && !jump.noticed {
						t.Fatalf("%s, these alone are good: %v", when, names)
					}
				}
				look("at first", old, late)
				w.off = jump.by
				w.pass(90*time.Minute, func() { look("before it is confirmed", old, here) })
				fresh := w.make("fresh", 7*24*time.Hour) // of somebody who signs in while the step is not confirmed
				w.pass(2*clock.Confirm-91*time.Minute, func() { look("before it is confirmed", late, fresh) })
				if names := w.good(here); len(names) != 3 {
					t.Errorf("a step that nobody believed yet is noticed: %v", names)
				}
				w.pass(2*time.Hour, func() {
					look("confirmed", late, here)
					look("confirmed", old, fresh)
				})
				made := w.make("made", 7*24*time.Hour)
				w.off = 0
				w.pass(3*time.Hour, func() { look("put right", late, here) })
				if names := append(w.good(made), w.short(made)...); jump.by > 24*time.Hour && names != nil {
					t.Errorf("made ten years ahead, and good today: %v", names)
				}
			})
		})
	}
}

// The wall clock is wrong when a node starts, and put right soon, as by a server of
// time: nothing is lost, nothing that was made meanwhile outlives it by years, and
// what was spent stays spent.
func TestClockIsWrongAtTheStart(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector, and nothing of it races: make test runs it")
	}
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t)
				over, here := w.make("over", time.Hour), w.make("here", 7*24*time.Hour)
				w.pass(61*time.Minute, nil)
				spent := w.clock.Now().Add(10 * time.Minute)
				if first, err := w.Spend(t.Context(), "state", spent); err != nil || !first {
					t.Fatal(first, err)
				}
				w.off = jump.by
				w.boot()
				made := w.make("made", 7*24*time.Hour)
				w.pass(3*time.Minute, func() {
					if names := w.good(over); names != nil {
						t.Fatalf("good again: %v", names)
					}
				})
				w.off = 0
				for _, how := range []string{"put right", "and started again"} {
					time.Sleep(time.Second)
					if names := w.good(here); len(names) != 3 {
						t.Errorf("%s, these alone are good: %v", how, names)
					}
					if names := w.good(over); names != nil {
						t.Errorf("%s, these are good again: %v", how, names)
					}
					if names := w.good(made); jump.by > 24*time.Hour && names != nil {
						t.Errorf("%s, made ten years ahead and good today: %v", how, names)
					}
					if first, err := w.Spend(t.Context(), "state", spent); err != nil || first {
						t.Errorf("%s, it can be spent again: %v %v", how, first, err)
					}
					w.boot()
				}
				if names := w.short(made); jump.by > 24*time.Hour && names != nil {
					t.Errorf("made ten years ahead and good today: %v", names)
				}
			})
		})
	}
}

// Who was locked out while the clock was years ahead is not locked out for years, and
// is not let off by a step either.
func TestLockAndClock(t *testing.T) {
	p := open(t)
	right := p.now
	for range 6 {
		p.now = right.Add(10 * 365 * 24 * time.Hour)
		p.Attempt(t.Context(), "ana", "")
	}
	p.now = right
	retry, err := p.Attempt(t.Context(), "ana", "")
	wantKind(t, err, fault.Exhausted)
	if retry > 15*time.Minute {
		t.Errorf("locked for %s", retry)
	}
	p.now = right.Add(14 * time.Minute)
	_, err = p.Attempt(t.Context(), "ana", "")
	wantKind(t, err, fault.Exhausted)
	p.now = right.Add(15 * time.Minute)
	_, err = p.Attempt(t.Context(), "ana", "")
	must(t, err)
}
