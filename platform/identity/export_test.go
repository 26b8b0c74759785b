package identity

// Cached bounds what is kept in memory.
func (d *Directory) Cached(most int) { d.sessions.most = most }

// InMemory is how many sessions are.
func (d *Directory) InMemory() int { return len(d.sessions.entries) }
