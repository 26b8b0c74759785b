package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

const requesters = 64

const put = `INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`

const kvTable = `CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID`

// spread runs a benchmark on as many files as a node may have apps at work.
func spread(b *testing.B, run func(b *testing.B, files int)) {
	for _, files := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) { run(b, files) })
	}
}

// each runs b.N writes from 64 requesters, each waiting for its answer.
func each(b *testing.B, write func(requester, key int)) {
	var wg sync.WaitGroup
	b.ResetTimer()
	for r := range requesters {
		wg.Go(func() {
			for i := r; i < b.N; i += requesters {
				write(r, i)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}

// BenchmarkWrite64 is to be read next to BenchmarkRaw64, the same through the
// bare driver: the part of it that is reached is what the house's comforts cost.
func BenchmarkWrite64(b *testing.B) {
	spread(b, func(b *testing.B, files int) {
		var all []*sqlite.DB
		for i := range files {
			d, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), fmt.Sprint(i, ".db")), sqlite.Options{Reserved: "fazt_"})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			if err := d.Write(b.Context(), func(tx *sqlite.Tx) error {
				_, err := tx.Exec(kvTable)
				return err
			}); err != nil {
				b.Fatal(err)
			}
			all = append(all, d)
		}
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		each(b, func(r, i int) {
			if err := all[r%files].Write(ctx, func(tx *sqlite.Tx) error {
				_, err := tx.Exec(put, i%10_000, "value")
				return err
			}); err != nil {
				b.Error(err)
			}
		})
		writes, transactions := uint64(0), uint64(0)
		for _, d := range all {
			s := d.Stats()
			writes, transactions = writes+s.Writes, transactions+s.Transactions
		}
		b.ReportMetric(float64(writes)/float64(transactions), "writes/tx")
	})
}

// BenchmarkRaw64 is group commit by hand: for each file one goroutine with one
// connection takes what has queued up and commits it, without savepoints.
func BenchmarkRaw64(b *testing.B) {
	spread(b, func(b *testing.B, files int) {
		var all []*rawWriter
		for i := range files {
			w := openRaw(b, filepath.Join(b.TempDir(), fmt.Sprint(i, ".db")))
			defer w.db.Close()
			all = append(all, w)
			go w.run(b)
		}
		each(b, func(r, i int) {
			ask := rawRequest{i, make(chan error, 1)}
			all[r%files].queue <- ask
			if err := <-ask.done; err != nil {
				b.Error(err)
			}
		})
		transactions := 0
		for _, w := range all {
			close(w.queue)
			<-w.ended
			transactions += w.transactions
		}
		b.ReportMetric(float64(b.N)/float64(transactions), "writes/tx")
	})
}

type rawRequest struct {
	key  int
	done chan error
}

type rawWriter struct {
	db           *sql.DB
	stmt         *sql.Stmt
	queue        chan rawRequest
	ended        chan struct{}
	transactions int
}

func openRaw(b *testing.B, path string) *rawWriter {
	db, err := sql.Open("sqlite", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(kvTable); err != nil {
		b.Fatal(err)
	}
	stmt, err := db.Prepare(put)
	if err != nil {
		b.Fatal(err)
	}
	return &rawWriter{db: db, stmt: stmt, queue: make(chan rawRequest, requesters), ended: make(chan struct{})}
}

func (w *rawWriter) run(b *testing.B) {
	defer close(w.ended)
	for first := range w.queue {
		tx, err := w.db.Begin()
		if err != nil {
			b.Error(err)
			first.done <- err
			continue
		}
		batch := w.fill(b, tx.Stmt(w.stmt), first)
		w.transactions++
		err = tx.Commit()
		for _, r := range batch {
			r.done <- err
		}
	}
}

// fill writes what has queued up.
func (w *rawWriter) fill(b *testing.B, s *sql.Stmt, first rawRequest) (batch []rawRequest) {
	for next, more := first, true; more; {
		if _, err := s.Exec(next.key%10_000, "value"); err != nil {
			b.Error(err)
		}
		batch = append(batch, next)
		select {
		case next, more = <-w.queue:
		default:
			more = false
		}
	}
	return batch
}
