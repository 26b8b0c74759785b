package queue_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// In a copy no job is delivered that the first one delivers, whatever state it was in,
// until somebody asks for it.
func TestBury(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, mail)
		defer r.close(t)
		r.send(t, "MAIL", "a")
		if _, err := r.Send(ctx, "MAIL", queue.Message{Body: []byte("b"), Delay: time.Hour}); err != nil {
			t.Fatal(err)
		}
		n, err := queue.Bury(ctx, r.db, "it is a copy")
		if err != nil || n != 2 {
			t.Fatalf("%d, %v", n, err)
		}
		var l log
		r.during(t, l.bodies, func() { time.Sleep(2 * time.Hour); synctest.Wait() })
		if got := l.take(); got != "" {
			t.Errorf("delivered %s", got)
		}
		jobs, err := r.Jobs(ctx, "MAIL", "dead", 0, 10)
		if err != nil || len(jobs) != 2 || jobs[0].Error != "it is a copy" {
			t.Errorf("%+v, %v", jobs, err)
		}
		if n, err := r.Retry(ctx, "MAIL"); err != nil || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
		r.during(t, l.bodies, func() { time.Sleep(time.Minute); synctest.Wait() })
		if got := l.take(); got != "a b" {
			t.Errorf("asked for, and delivered %s", got)
		}
	})
}

// An app without queues has none to bury.
func TestBuryNothing(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "data.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n, err := queue.Bury(t.Context(), db, "x"); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
