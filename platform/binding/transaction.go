package binding

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

var errOver = fault.New(fault.Invalid, "this transaction is over").WithHint("await what is done in it")

// transactions are those that an invocation has open, by a name that nobody can
// guess. One that the code forgets is undone by storage when its time is over.
type transactions struct {
	mu   sync.Mutex
	open map[string]*storage.Transaction // guarded by mu
}

// begin opens a transaction. It waits for those that are before it.
func (all *transactions) begin(ctx context.Context, s *storage.SQL) (string, error) {
	t, err := s.Begin(ctx)
	if err != nil {
		return "", err
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.open == nil {
		all.open = map[string]*storage.Transaction{}
	}
	id := rand.Text()
	all.open[id] = t
	return id, nil
}

func (all *transactions) find(id string) (*storage.Transaction, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if t := all.open[id]; t != nil {
		return t, nil
	}
	return nil, errOver
}

// end keeps or undoes what a transaction did.
func (all *transactions) end(id string, keep bool) error {
	t, err := all.find(id)
	if err != nil {
		return err
	}
	all.mu.Lock()
	delete(all.open, id)
	all.mu.Unlock()
	if keep {
		return t.Commit()
	}
	return t.Rollback()
}
