package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

const requesters = 64

const put = `INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`

// each runs b.N writes from 64 requesters, each waiting for its answer.
func each(b *testing.B, write func(key int)) {
	var wg sync.WaitGroup
	b.ResetTimer()
	for r := range requesters {
		wg.Go(func() {
			for i := r; i < b.N; i += requesters {
				write(i)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}

// BenchmarkWrite64 is to be read next to BenchmarkRaw64, the same through the
// bare driver: the part of it that is reached is what the house's comforts cost.
func BenchmarkWrite64(b *testing.B) {
	d, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "data.db"), sqlite.Options{Reserved: "fazt_"})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Write(b.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID`)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	each(b, func(i int) {
		if err := d.Write(ctx, func(tx *sqlite.Tx) error {
			_, err := tx.Exec(put, i%10_000, "value")
			return err
		}); err != nil {
			b.Error(err)
		}
	})
	s := d.Stats()
	b.ReportMetric(float64(s.Writes)/float64(s.Transactions), "writes/tx")
}

// BenchmarkRaw64 is group commit by hand: one goroutine with one connection takes
// what has queued up and commits it, without savepoints.
func BenchmarkRaw64(b *testing.B) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "data.db")+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID`); err != nil {
		b.Fatal(err)
	}
	stmt, err := db.Prepare(put)
	if err != nil {
		b.Fatal(err)
	}
	type request struct {
		key  int
		done chan error
	}
	queue := make(chan request, requesters)
	transactions := 0
	go func() {
		var batch []request
		for first := range queue {
			tx, err := db.Begin()
			if err != nil {
				b.Error(err)
			}
			s := tx.Stmt(stmt)
			for batch = append(batch[:0], first); ; {
				if _, err := s.Exec(batch[len(batch)-1].key%10_000, "value"); err != nil {
					b.Error(err)
				}
				select {
				case r := <-queue:
					batch = append(batch, r)
					continue
				default:
				}
				break
			}
			transactions++
			err = tx.Commit()
			for _, r := range batch {
				r.done <- err
			}
		}
	}()
	each(b, func(i int) {
		r := request{i, make(chan error, 1)}
		queue <- r
		if err := <-r.done; err != nil {
			b.Error(err)
		}
	})
	close(queue)
	b.ReportMetric(float64(b.N)/float64(transactions), "writes/tx")
}
