package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"

	driver "modernc.org/sqlite"

	"github.com/fazt-sh/fazt/platform/fault"
)

// most bounds the writes of one transaction, so that who was first does not wait
// for an endless line: 256 small ones take about as long as the commit.
const most = 256

// errAgain tells a write that its transaction was lost by a neighbour's fault.
var errAgain = errors.New("the transaction was lost to a neighbour")

// batch is one transaction and those who wrote in it.
type batch struct {
	members int
	shares  []*share      // of members whose part was done for them
	refused bool          // somebody's part failed: it commits now
	done    chan struct{} // closed when err is final
	err     error
}

// share is a write that waits to be done by who has the turn.
type share struct {
	ctx  context.Context
	fn   func(*Tx) error
	done chan struct{} // closed when the rest is final

	err      error
	panicked *Panic // fn did
	exited   bool   // fn ended its goroutine
}

// Panic is what comes out of Write when fn panicked on another goroutine.
type Panic struct {
	Value any
	Stack []byte // of fn
}

// String is the value with the stack.
func (p *Panic) String() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Write runs fn in a transaction: all that fn wrote is kept when Write returns
// nil, and nothing of it otherwise. fn's error is returned, with a kind when it
// is SQLite's.
//
// Writers wait in line, and those who wait share a transaction, each behind a
// savepoint of its own: one that fails, panics or is cancelled leaves the others
// alone, and all return when the commit with their part has. If the commit fails,
// all of them fail.
//
// fn runs on the caller's goroutine, or where others have the turn on one that does
// what waits: to hand the turn on costs as much as a small write. Whether fn panics or
// ends its goroutine, the caller does. It does not run at all if ctx ends before its
// turn. The context is asked between statements; a statement of ours that has begun is
// finished, since SQLite drops the whole transaction when it is interrupted in a
// write. Statements of guests are interrupted nevertheless. What that costs the
// neighbours is made good by running them again, each alone: so fn may run twice,
// and must not add to what it captured.
//
// Calling Write inside fn waits for itself, for ever.
func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	err := d.write(ctx, fn, false)
	if err == errAgain {
		d.repeated.Add(1)
		err = d.write(ctx, fn, true)
	}
	return err
}

// Alone is Write with a transaction that is not shared: fn runs once whatever
// others do, and ctx also ends statements under way. It is for what waits for
// somebody outside while it holds the turn, and for what is large.
func (d *DB) Alone(ctx context.Context, fn func(*Tx) error) error {
	return d.write(ctx, fn, true)
}

func (d *DB) write(ctx context.Context, fn func(*Tx) error, alone bool) error {
	if d.o.Halt != nil {
		if err := d.o.Halt(ctx); err != nil {
			return err
		}
	}
	if alone {
		if err := d.line.enter(ctx); err != nil {
			return err
		}
		return d.own(ctx, fn, true)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s := &share{ctx: ctx, fn: fn, done: make(chan struct{})}
	if d.line.join(s) {
		return d.own(ctx, fn, false)
	}
	return d.wait(s)
}

// own runs fn in the caller's own turn.
func (d *DB) own(ctx context.Context, fn func(*Tx) error, alone bool) error {
	b, err := d.turn(ctx, fn, alone)
	if err != nil {
		return err
	}
	<-b.done
	return b.err
}

// wait returns what became of a share.
func (d *DB) wait(s *share) error {
	select {
	case <-s.done:
	case <-s.ctx.Done():
		if d.line.withdraw(waiter{share: s}) {
			return s.ctx.Err()
		}
		<-s.done
	}
	switch {
	case s.panicked != nil:
		panic(s.panicked)
	case s.exited:
		runtime.Goexit()
	}
	return s.err
}

// turn runs fn in the open transaction, or in a new one, and gives the turn on,
// also when fn panics. It returns the transaction that fn is part of.
func (d *DB) turn(ctx context.Context, fn func(*Tx) error, alone bool) (*batch, error) {
	defer d.next(alone)
	return d.join(ctx, fn, alone)
}

// join makes fn a part of the open transaction, or of a new one.
func (d *DB) join(ctx context.Context, fn func(*Tx) error, alone bool) (*batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if alone && d.batch != nil {
		d.commit()
	}
	if d.batch == nil {
		if err := d.begin(ctx); err != nil {
			return nil, d.classify(err)
		}
	}
	b := d.batch
	if err := d.part(ctx, b, fn, alone); err != nil {
		b.refused = true
		return nil, err
	}
	b.members++
	return b, nil
}

// next gives the turn, and the open transaction with it, to who waits.
func (d *DB) next(alone bool) {
	if alone && d.batch != nil {
		d.commit()
	}
	if s := d.following(); s != nil {
		go d.serve(s)
	}
}

// serve does shares until nobody waits, or one who wants the turn for itself.
func (d *DB) serve(s *share) {
	for s != nil && d.do(s) {
		s = d.following()
	}
}

// following is the share to do next; if there is none, the turn is gone. A full
// transaction is committed before, one in which a part was refused as well: that may
// be of one who compared what it had read with what is there, and would read the same
// again, and be refused again, until others have made the transaction full. The last
// in line commits.
func (d *DB) following() *share {
	if b := d.batch; b != nil && (b.refused || b.members >= most) {
		d.commit()
	}
	if d.batch != nil {
		if s, gone := d.line.next(false); s != nil || gone {
			return s
		}
		// Who has just been told of the last commit gets the time to come back before
		// it finds nobody in line: on a disk that syncs in 0.1 ms, 64 busy writers make
		// transactions of 50 instead of 6.
		runtime.Gosched()
		if s, gone := d.line.next(false); s != nil || gone {
			return s
		}
		d.commit()
	}
	s, _ := d.line.next(true)
	return s
}

// do runs a share. It reports whether this goroutine goes on: where fn ends it,
// another one does.
func (d *DB) do(s *share) (goesOn bool) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil {
			s.panicked = &Panic{p, debug.Stack()}
			goesOn = true
		} else {
			s.exited = true
			go d.next(false)
		}
		close(s.done)
	}()
	b, err := d.join(s.ctx, s.fn, false)
	returned = true
	if err != nil {
		s.err = err
		close(s.done)
		return true
	}
	b.shares = append(b.shares, s)
	return true
}

func (d *DB) begin(ctx context.Context) error {
	if d.shut {
		return fault.New(fault.Unavailable, "database %q is closed", filepath.Base(d.path)).WithSubject(d.path)
	}
	if d.doubtful.Load() {
		if err := d.mend(ctx); err != nil {
			return err
		}
	}
	if err := d.w.run(ctx, `BEGIN IMMEDIATE`); err != nil {
		d.rollback() // a context that ended may hide that it did begin
		return err
	}
	d.w.lost = false
	d.batch = &batch{done: make(chan struct{})}
	return nil
}

func (d *DB) rollback() { _ = d.w.run(context.Background(), `ROLLBACK`) }

// part runs fn behind a savepoint. The first needs none: what it leaves behind
// when it fails is the whole transaction.
func (d *DB) part(ctx context.Context, b *batch, fn func(*Tx) error, alone bool) (err error) {
	if b.members > 0 {
		if err := d.w.run(context.Background(), `SAVEPOINT part`); err != nil {
			d.undo(b, err)
			return d.classify(err)
		}
	}
	f := &frame{ctx: ctx, run: context.WithoutCancel(ctx), c: d.w, trace: d.o.Trace, classify: d.classify}
	if alone {
		f.run = ctx
	}
	kept := false
	defer func() {
		if !kept { // also when fn panics
			f.end()
			d.undo(b, err)
		}
	}()
	err = f.judge(fn(&Tx{f: f}))
	f.end()
	if err == nil {
		err = d.settled(f, b.members > 0)
	}
	kept = err == nil
	return err
}

// settled checks what only a commit would check, where it would hurt everybody,
// and lets go of the savepoint.
func (d *DB) settled(f *frame, savepoint bool) error {
	unresolved := 0
	err := d.w.sql.Raw(func(dc any) (err error) {
		unresolved, _, err = dc.(driver.DBStatus).Status(driver.DBStatusDeferredFKs, false)
		return err
	})
	if err != nil {
		return d.classify(err)
	}
	if unresolved != 0 {
		return fault.New(fault.Conflict, "FOREIGN KEY constraint failed")
	}
	if err := d.measure(f.unbounded); err != nil {
		return d.classify(err)
	}
	if savepoint {
		return d.classify(d.w.run(context.Background(), `RELEASE part`))
	}
	return nil
}

// undo takes back the part that failed because of err, and with it the whole
// transaction if nothing else is in it, or if SQLite has done so already. In the
// latter case the others run again, unless the disk is to blame.
func (d *DB) undo(b *batch, err error) {
	ctx := context.Background()
	if b.members > 0 && !d.w.lost && d.w.run(ctx, `ROLLBACK TO part`) == nil && d.w.run(ctx, `RELEASE part`) == nil {
		return
	}
	if !d.w.lost {
		d.rollback()
	}
	b.err = errAgain
	if refused(err) {
		b.err = d.classify(err)
	}
	d.finish(b, err)
}

// commit ends the open transaction, for better or worse.
func (d *DB) commit() {
	b := d.batch
	d.w.armed = true
	err := d.w.run(context.Background(), `COMMIT`)
	d.w.armed = false
	if err == nil {
		d.transactions.Add(1)
		d.writes.Add(uint64(b.members))
	} else if !d.w.lost {
		d.rollback()
	}
	b.err = d.classify(err)
	d.finish(b, err)
}

func (d *DB) finish(b *batch, err error) {
	if refused(err) {
		d.doubtful.Store(true)
		_ = d.mend(context.Background()) // or before the next write
	}
	d.batch = nil
	close(b.done)
	for _, s := range b.shares {
		s.err = b.err
		close(s.done)
	}
}

// mend takes out of the log what a failed write left there. When the sync of a
// commit fails, all of the commit is in the log, if not on the disk: SQLite would
// read it back after a crash, though it was refused, and a second sync would
// tell nothing of the first one's bytes. So everything that did succeed is
// written to the file and synced there, and the log begins anew. Nothing is
// written before that works.
func (d *DB) mend(ctx context.Context) error {
	var busy, pages, moved int
	err := d.w.scan(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`, &busy, &pages, &moved)
	switch {
	case err != nil:
		return err
	case busy != 0:
		return fault.New(fault.Exhausted, "database %q is busy", filepath.Base(d.path)).WithSubject(d.path)
	}
	d.doubtful.Store(false)
	return nil
}
