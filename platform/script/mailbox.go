package script

import "sync"

// mailbox is what one machine has yet to do. Writers never wait: how much there
// can be is bounded where it comes from.
type mailbox struct {
	mu     sync.Mutex
	come   *sync.Cond
	queue  []message
	closed bool
}

func newMailbox() *mailbox {
	b := new(mailbox)
	b.come = sync.NewCond(&b.mu)
	return b
}

func (b *mailbox) push(m message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.queue = append(b.queue, m)
		b.come.Signal()
	}
}

// wait returns all there is, at least one, or nil when the box was closed and is
// empty. into is a batch that was returned before, to be used again.
func (b *mailbox) wait(into []message) []message {
	clear(into)
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 && !b.closed {
		b.come.Wait()
	}
	if len(b.queue) == 0 {
		return nil
	}
	batch := b.queue
	b.queue = into[:0]
	return batch
}

func (b *mailbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.come.Signal()
}

// rest returns what nobody will wait for any more.
func (b *mailbox) rest() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := b.queue
	b.queue = nil
	return rest
}
