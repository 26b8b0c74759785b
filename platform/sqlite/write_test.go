package sqlite_test

import (
	"context"
	"database/sql"
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

// What fills the file over its bound is refused; what makes room is not, nor a
// neighbour.
func TestMaxBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	const bound = 1 << 20
	d := openAt(t, path, sqlite.Options{MaxBytes: bound})
	large := strings.Repeat("x", 100_000)
	fill := func(i int) error {
		return d.Write(t.Context(), func(tx *sqlite.Tx) error { return insert(tx, large+fmt.Sprint(i)) })
	}
	n := 0
	for ; fill(n) == nil; n++ {
	}
	if err := fill(n); fault.KindOf(err) != fault.Exhausted || fault.HintOf(err) == "" {
		t.Errorf("full: %v", err)
	}
	if n < 4 || n > 10 || count(t, d) != n {
		t.Errorf("%d large rows fit, %d are there", n, count(t, d))
	}
	told := queued(d,
		func() error { return fill(n) },
		func() error {
			return d.Write(t.Context(), func(tx *sqlite.Tx) error {
				_, err := tx.Exec(`DELETE FROM note WHERE id <= 2`)
				return err
			})
		},
		func() error { return fill(n) },
	)
	if fault.KindOf(told[0]) != fault.Exhausted || told[1] != nil || told[2] != nil {
		t.Errorf("%v", told)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 2*bound {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}

	// Under a bound that was lowered one may only delete.
	d = openAt(t, path, sqlite.Options{MaxBytes: bound / 4})
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`DELETE FROM note WHERE id = 3`)
		return err
	}); err != nil {
		t.Error(err)
	}
	if err := fill(n + 1); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("over a lowered bound: %v", err)
	}
	// One statement that would fill any disk stops as well.
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`INSERT INTO note (word) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT hex(randomblob(500000)) FROM n`)
		return err
	}); err == nil {
		t.Error("an endless statement ended")
	}
}

// More statements than are kept compiled, also while their rows are open.
func TestManyStatements(t *testing.T) {
	d := open(t)
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`SELECT 1 UNION SELECT 2 UNION SELECT 3`)
		if err != nil {
			return err
		}
		defer rows.Close()
		seen := 0
		for rows.Next() {
			seen++
			for i := range 300 {
				var n int
				if err := tx.QueryRow(fmt.Sprintf(`SELECT %d`, i)).Scan(&n); err != nil || n != i {
					return fmt.Errorf("%d, %v", n, err)
				}
			}
		}
		if seen != 3 {
			t.Errorf("%d rows", seen)
		}
		long := `SELECT 1` + strings.Repeat(` `, 10_000)
		return errors.Join(rows.Err(), tx.QueryRow(long).Scan(&seen), tx.QueryRow(long).Scan(&seen))
	}); err != nil {
		t.Fatal(err)
	}
	// A statement compiled before the table changed fits the table again.
	for i := range 2 {
		if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
			if _, err := tx.Query(`SELECT * FROM note`); err != nil {
				return err
			}
			_, err := tx.Exec(fmt.Sprintf(`ALTER TABLE note ADD COLUMN c%d TEXT`, i))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// A closed database says so, and closing waits for who writes.
func TestClose(t *testing.T) {
	d := open(t)
	add(t, d, "a")
	count(t, d)
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(*sqlite.Tx) error { return nil }
	if err := d.Write(t.Context(), nothing); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("write: %v", err)
	}
	if err := d.Read(t.Context(), nothing); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("read: %v", err)
	}
}

// The error of a query that may not run comes out of its row.
func TestRefusedRow(t *testing.T) {
	d := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Write(ctx, func(tx *sqlite.Tx) error {
		cancel()
		return tx.QueryRow(`SELECT 1`).Scan(new(int))
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
		return tx.Guest().QueryRow(`SELECT 1`).Scan(new(int))
	}); err == nil || errors.Is(err, sql.ErrNoRows) {
		t.Errorf("a guest without a prefix: %v", err)
	}
}
