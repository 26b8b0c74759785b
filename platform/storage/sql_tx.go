package storage

import (
	"context"
	"errors"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// holdWriter is how long a transaction may be open. All other writers of the app
// wait meanwhile.
const holdWriter = 10 * time.Second

// Transaction is a transaction whose statements come one by one. It has the app's
// writer alone: nobody shares its commit, and every other write of the app waits for
// its end, so one that waits for such a write waits for itself. After ten seconds it
// is rolled back. End it with Commit or Rollback; the end of the context it was begun
// with rolls it back too. Its methods may be called from any goroutine.
type Transaction struct {
	ctx   context.Context
	calls chan call
	over  chan struct{} // closed when err is final
	err   error
}

// call is something to be done by the goroutine that has the writer.
type call struct {
	do  func(*sqlite.Tx) error
	end bool // the transaction is over, with the error of do
	err chan error
}

var (
	errHeld       = fault.New(fault.Exhausted, "the transaction was rolled back: it was open for more than %s", holdWriter).WithHint("prepare what you write before you begin")
	errRolledBack = errors.New("rolled back")
	errEnded      = fault.New(fault.Conflict, "the transaction has ended")
)

// Begin waits for the app's writer and begins a transaction. A goroutine holds it
// until its end.
func (s *SQL) Begin(ctx context.Context) (*Transaction, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t := &Transaction{ctx: ctx, calls: make(chan call), over: make(chan struct{})}
	begun := make(chan struct{})
	go func() {
		err := s.db.Alone(ctx, func(tx *sqlite.Tx) error {
			close(begun)
			defer time.AfterFunc(holdWriter, func() { cancel(errHeld) }).Stop()
			return t.serve(tx)
		})
		t.err = t.verdict(err)
		cancel(nil)
		close(t.over)
	}()
	select {
	case <-begun:
		return t, nil
	case <-t.over:
		return nil, t.err
	}
}

func (t *Transaction) serve(tx *sqlite.Tx) error {
	for {
		select {
		case <-t.ctx.Done():
			return context.Cause(t.ctx)
		case c := <-t.calls:
			err := c.do(tx)
			if c.end {
				return err
			}
			c.err <- err
		}
	}
}

// verdict says what became of it in words for who asks.
func (t *Transaction) verdict(err error) error {
	switch {
	case err == nil || errors.Is(err, errRolledBack):
		return nil
	case errors.Is(context.Cause(t.ctx), errHeld):
		return errHeld
	}
	return guestFault(t.ctx, err)
}

// All runs one statement. An error leaves the transaction as it was before the
// statement, unless the error is that it has ended.
func (t *Transaction) All(st Statement) (r Result, err error) {
	err = t.ask(func(tx *sqlite.Tx) error {
		r, err = write(tx, st, maxRows)
		return err
	})
	return r, err
}

// Batch runs statements one after the other. Those before one that fails stay.
func (t *Transaction) Batch(all []Statement) (results []Result, err error) {
	err = t.ask(func(tx *sqlite.Tx) error {
		results, err = batch(t.ctx, tx, all)
		return err
	})
	return results, err
}

// Exec runs a script of statements without arguments and returns how many there were.
func (t *Transaction) Exec(script string) (count int, err error) {
	err = t.ask(func(tx *sqlite.Tx) error {
		count, err = execScript(t.ctx, tx, script)
		return err
	})
	return count, err
}

func (t *Transaction) ask(do func(*sqlite.Tx) error) error {
	c := call{do: do, err: make(chan error, 1)}
	select {
	case t.calls <- c:
	case <-t.over:
		return t.ended()
	}
	err := <-c.err
	if err != nil && t.ctx.Err() != nil { // the statement was interrupted by the end of the transaction
		<-t.over
		return t.ended()
	}
	return guestFault(t.ctx, err)
}

func (t *Transaction) ended() error {
	if t.err != nil {
		return t.err
	}
	return errEnded
}

// Commit keeps what the statements did. It is on the disk when Commit returns nil.
func (t *Transaction) Commit() error { return t.end(nil) }

// Rollback drops what the statements did.
func (t *Transaction) Rollback() error { return t.end(errRolledBack) }

func (t *Transaction) end(verdict error) error {
	select {
	case t.calls <- call{do: func(*sqlite.Tx) error { return verdict }, end: true}:
		<-t.over
		return t.err
	case <-t.over:
		return t.ended()
	}
}
