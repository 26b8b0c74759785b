package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

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
