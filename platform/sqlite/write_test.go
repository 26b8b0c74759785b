package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// queued runs writers that all stand in line, in their order, before the first
// of them may begin, and returns what each was told.
func queued(d *sqlite.DB, writers ...func() error) []error {
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		d.Alone(context.Background(), func(*sqlite.Tx) error {
			close(held)
			<-hold
			return nil
		})
	})
	<-held
	told := make([]error, len(writers))
	for i, w := range writers {
		left, before := make(chan struct{}), d.Stats().Waiting
		wg.Go(func() {
			defer close(left)
			defer func() {
				if p := recover(); p != nil {
					told[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			told[i] = w()
		})
		for gone := false; !gone && d.Stats().Waiting == before; runtime.Gosched() {
			select {
			case <-left: // it did not stay in line
				gone = true
			default:
			}
		}
	}
	close(hold)
	wg.Wait()
	return told
}

func insert(tx *sqlite.Tx, word string) error {
	_, err := tx.Exec(`INSERT INTO note (word) VALUES (?)`, word)
	return err
}

func words(t interface{ Fatal(...any) }, d *sqlite.DB) (found []string) {
	if err := d.Read(context.Background(), func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`SELECT word FROM note ORDER BY word`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var w string
			if err := rows.Scan(&w); err != nil {
				return err
			}
			found = append(found, w)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// Writers that wait share transactions.
func TestWritersShare(t *testing.T) {
	d := open(t)
	var writers []func() error
	for i := range 64 {
		writers = append(writers, func() error {
			return d.Write(t.Context(), func(tx *sqlite.Tx) error { return insert(tx, fmt.Sprint(i)) })
		})
	}
	before := d.Stats()
	if err := errors.Join(queued(d, writers...)...); err != nil {
		t.Fatal(err)
	}
	after := d.Stats()
	if n := after.Transactions - before.Transactions; after.Writes-before.Writes != 65 || n != 2 {
		t.Errorf("%d writes in %d transactions, want one for who held the others up and one for all of them", after.Writes-before.Writes, n)
	}
	if n := count(t, d); n != 64 {
		t.Errorf("%d rows", n)
	}
}

// A panic on the goroutine of another comes out in its caller, and says where it was.
func TestPanicOfAShare(t *testing.T) {
	d := open(t)
	var told any
	queued(d, func() error {
		defer func() { told = recover() }()
		return d.Write(t.Context(), stumble)
	})
	if p, ok := told.(*sqlite.Panic); !ok || p.Value != "no" || !strings.Contains(p.String(), "stumble") {
		t.Errorf("%v", told)
	}
}

func stumble(*sqlite.Tx) error { panic("no") }

// One transaction is not endless.
func TestSharedTransactionIsBounded(t *testing.T) {
	d := open(t)
	var writers []func() error
	for range 600 {
		writers = append(writers, func() error {
			return d.Write(t.Context(), func(*sqlite.Tx) error { return nil })
		})
	}
	before := d.Stats()
	queued(d, writers...)
	if n := d.Stats().Transactions - before.Transactions; n != 1+3 {
		t.Errorf("600 writes in %d transactions", n)
	}
}

// deed is one writer of TestWritersLeaveEachOtherAlone.
type deed struct {
	Kind string
	Rows int
}

// Whatever some writers of a transaction do, the others' rows are there, whole,
// when they were told so, and nobody else's.
func TestWritersLeaveEachOtherAlone(t *testing.T) {
	path := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		deeds := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) deed {
			return deed{
				rapid.SampledFrom([]string{"write", "write", "fail", "panic", "leave", "cancel", "rollback", "alone", "orphan", "goexit", "open"}).Draw(rt, "kind"),
				rapid.IntRange(0, 3).Draw(rt, "rows"),
			}
		}), 1, 12).Draw(rt, "deeds")
		n++
		d := openAt(t, filepath.Join(path, fmt.Sprint(n)), sqlite.Options{Reserved: "fazt_"})
		defer d.Close()
		if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec(`CREATE TABLE child (parent REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var writers []func() error
		for i, what := range deeds {
			writers = append(writers, func() error { return what.do(d, i) })
		}
		var want []string
		for i, err := range queued(d, writers...) {
			good := slices.Contains([]string{"write", "alone", "open"}, deeds[i].Kind)
			if good != (err == nil) {
				rt.Fatalf("writer %d, %s, was told %v", i, deeds[i].Kind, err)
			}
			for k := 0; good && k < deeds[i].Rows; k++ {
				want = append(want, fmt.Sprintf("%d-%d", i, k))
			}
		}
		slices.Sort(want)
		if got := words(rt, d); !slices.Equal(got, want) {
			rt.Fatalf("rows %q, want %q", got, want)
		}
	})
}

func (what deed) do(d *sqlite.DB, i int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	write := d.Write
	switch what.Kind {
	case "alone":
		write = d.Alone
	case "leave":
		cancel()
	case "goexit": // as t.Fatal does
		told := errors.New("the goroutine ended")
		var wg sync.WaitGroup
		wg.Go(func() {
			told = d.Write(ctx, func(tx *sqlite.Tx) error {
				defer runtime.Goexit()
				return what.rows(tx, i)
			})
		})
		wg.Wait()
		return told
	}
	return write(ctx, func(tx *sqlite.Tx) error {
		if err := what.rows(tx, i); err != nil {
			return err
		}
		switch what.Kind {
		case "fail":
			return errors.New("no")
		case "panic", "leave":
			panic("no")
		case "cancel":
			cancel()
		case "orphan":
			_, err := tx.Exec(`INSERT INTO child VALUES (-1)`)
			return err
		case "open": // forgets to close
			_, err := tx.Query(`SELECT 1 UNION SELECT 2`)
			return err
		case "rollback":
			// Takes the transaction down, and tries to write on.
			tx.Guest().Exec(`INSERT OR ROLLBACK INTO note (id, word) VALUES (1, NULL)`)
			insert(tx, "behind a rollback")
		}
		return nil
	})
}

func (what deed) rows(tx *sqlite.Tx, i int) error {
	for k := range what.Rows {
		if err := insert(tx, fmt.Sprintf("%d-%d", i, k)); err != nil {
			return err
		}
	}
	return nil
}

// Who stops waiting does not run, and holds nobody up.
func TestWaitingEndsWithTheContext(t *testing.T) {
	d := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	told := queued(d,
		func() error { return d.Write(t.Context(), func(tx *sqlite.Tx) error { return insert(tx, "a") }) },
		func() error { return d.Write(ctx, func(tx *sqlite.Tx) error { return insert(tx, "b") }) },
		func() error {
			for cancel(); d.Stats().Waiting == 2; runtime.Gosched() {
			}
			return nil
		},
		func() error { return d.Write(t.Context(), func(tx *sqlite.Tx) error { return insert(tx, "c") }) },
	)
	if told[0] != nil || !errors.Is(told[1], context.Canceled) || told[3] != nil {
		t.Errorf("%v", told)
	}
	if got := words(t, d); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("%q", got)
	}
}

// A guest's endless statement ends with its context, and costs the neighbours
// one more run.
func TestEndlessGuest(t *testing.T) {
	d := openAt(t, filepath.Join(t.TempDir(), "data.db"), sqlite.Options{Reserved: "fazt_"})
	runs := 0
	told := queued(d,
		func() error {
			return d.Write(t.Context(), func(tx *sqlite.Tx) error {
				runs++
				return insert(tx, "a")
			})
		},
		func() error {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			return d.Write(ctx, func(tx *sqlite.Tx) error {
				time.AfterFunc(20*time.Millisecond, stop)
				_, err := tx.Guest().Exec(`INSERT INTO note (word) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'x' || i FROM n`)
				return err
			})
		},
		func() error { return d.Write(t.Context(), func(tx *sqlite.Tx) error { return insert(tx, "c") }) },
	)
	if told[0] != nil || !errors.Is(told[1], context.Canceled) || told[2] != nil {
		t.Errorf("%v", told)
	}
	if got := words(t, d); !slices.Equal(got, []string{"a", "c"}) || runs != 2 || d.Stats().Repeated != 1 {
		t.Errorf("%q after %d runs", got, runs)
	}
}

// A commit that the disk refuses fails everybody in it; nothing of it comes back
// later, and the next write works.
func TestRefusedCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	d := openAt(t, path, sqlite.Options{})
	add(t, d, "before")
	var writers []func() error
	for i := range 8 {
		writers = append(writers, func() error {
			return d.Write(t.Context(), func(tx *sqlite.Tx) error {
				if i == 7 {
					limitFiles(t, path+"-wal")
				}
				return insert(tx, strings.Repeat(fmt.Sprint(i), 10_000))
			})
		})
	}
	for i, err := range queued(d, writers...) {
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("writer %d was told %v", i, err)
		}
	}
	limitFiles(t, "")
	add(t, d, "behind")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := words(t, openAt(t, path, sqlite.Options{})); !slices.Equal(got, []string{"before", "behind"}) {
		t.Errorf("%d rows", len(got))
	}
}

// The same for a guest's statement that the disk refuses in the middle.
func TestRefusedGuest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	d := openAt(t, path, sqlite.Options{Reserved: "fazt_"})
	err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		limitFiles(t, path+"-wal")
		_, err := tx.Guest().Exec(`INSERT INTO note (word) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT hex(randomblob(10000)) FROM n`)
		return err
	})
	limitFiles(t, "")
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the guest was told %v", err)
	}
	add(t, d, "behind")
	if got := words(t, d); !slices.Equal(got, []string{"behind"}) {
		t.Errorf("%d rows", len(got))
	}
}

// limitFiles makes the kernel refuse to let files grow over the size of one.
func limitFiles(t *testing.T, path string) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if path != "" {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		limit.Cur = uint64(info.Size())
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}
