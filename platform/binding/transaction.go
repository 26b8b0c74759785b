package binding

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

// transactions are those that an invocation has open, by a name that nobody can
// guess. What is not ended by the code ends with the invocation's context, or when
// it has kept the app's other writes waiting for too long.
type transactions struct {
	mu   sync.Mutex
	open map[string]*storage.Transaction // guarded by mu
}

var errOver = fault.New(fault.Conflict, "the transaction has ended").WithHint("await all that is done in it")

// begin opens a transaction. It waits for those that are before it.
func (all *transactions) begin(ctx context.Context, s *storage.SQL) (string, error) {
	tx, err := s.Begin(ctx)
	if err != nil {
		return "", err
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.open == nil {
		all.open = map[string]*storage.Transaction{}
	}
	id := rand.Text()
	all.open[id] = tx
	return id, nil
}

func (all *transactions) find(id string) (*storage.Transaction, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if tx := all.open[id]; tx != nil {
		return tx, nil
	}
	return nil, errOver
}

// end keeps or undoes what a transaction did.
func (all *transactions) end(id string, keep bool) error {
	tx, err := all.find(id)
	if err != nil {
		return err
	}
	all.mu.Lock()
	delete(all.open, id)
	all.mu.Unlock()
	if keep {
		return tx.Commit()
	}
	return tx.Rollback()
}
