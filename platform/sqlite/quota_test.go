package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

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
	// The house's bookkeeping goes on.
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		tx.Unbounded()
		return insert(tx, large+"!")
	}); err != nil {
		t.Error(err)
	}
	// One statement that would fill any disk stops as well.
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`INSERT INTO note (word) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT hex(randomblob(500000)) FROM n`)
		return err
	}); err == nil {
		t.Error("an endless statement ended")
	}
}
