package listen

// queue holds idle connections, the one that is idle longest first. Its links
// are in the connections, so that whoever leaves from the middle costs no
// search and no allocation. The guard's lock is its lock.
//
// The guard has one for strangers and one for trusted peers, as the latter may
// have filled their half while there is room for everybody else.
type queue struct {
	first, last *conn
	n           int
}

// push appends a connection that is in no queue.
func (q *queue) push(c *conn) {
	c.resting, c.before, c.after = true, q.last, nil
	if q.last == nil {
		q.first = c
	} else {
		q.last.after = c
	}
	q.last = c
	q.n++
}

// remove takes a connection out of the queue that it is in.
func (q *queue) remove(c *conn) {
	if c.before == nil {
		q.first = c.after
	} else {
		c.before.after = c.after
	}
	if c.after == nil {
		q.last = c.before
	} else {
		c.after.before = c.before
	}
	c.resting, c.before, c.after = false, nil, nil
	q.n--
}
