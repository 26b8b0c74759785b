package sqlite_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Writers that decide by what they have read, and try again when it has changed,
// read what their neighbours wrote: of eight, seven are refused each time, not
// hundreds.
func TestRefusedWritersReadAgain(t *testing.T) {
	d := open(t)
	add(t, d, "0")
	changed := errors.New("it has changed")
	var refusals atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				for {
					before := count(t, d)
					err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
						var now int
						if err := tx.QueryRow(`SELECT count(*) FROM note`).Scan(&now); err != nil {
							return err
						}
						if now != before {
							return changed
						}
						_, err := tx.Exec(`INSERT INTO note (word) VALUES (?)`, now)
						return err
					})
					if err == nil {
						break
					}
					if !errors.Is(err, changed) {
						t.Error(err)
						return
					}
					refusals.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := refusals.Load(); n > 80*16 {
		t.Errorf("%d refusals for 80 writes", n)
	}
}
