package usage_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/usage"
)

func open(t *testing.T, file string) *usage.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), file, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := usage.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A total outlives the process, and a node that starts behind does not shrink it.
func TestTotalsOnlyGrow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.db")
	first := open(t, file)
	for _, bytes := range []int64{100, 300, 200} {
		if err := first.Put(t.Context(), []usage.Row{{App: "app.a", Month: "2026-11", Bytes: bytes}, {App: "app.b", Month: "2026-10", Bytes: 7}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := open(t, file).Month(t.Context(), "2026-11")
	if want := []usage.Row{{App: "app.a", Month: "2026-11", Bytes: 300}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// More than a year is not kept.
func TestOldMonthsAreForgotten(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "node.db"))
	for year := 2025; year <= 2026; year++ {
		for month := 1; month <= 12; month++ {
			if err := s.Put(t.Context(), []usage.Row{{App: "app.a", Month: fmt.Sprintf("%d-%02d", year, month), Bytes: 1}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for month, want := range map[string]int{"2025-11": 0, "2025-12": 1, "2026-12": 1} {
		if got, err := s.Month(t.Context(), month); err != nil || len(got) != want {
			t.Errorf("%s: %v, %v", month, got, err)
		}
	}
}
