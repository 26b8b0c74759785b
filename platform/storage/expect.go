package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Expect says which apps have storage by somebody's record. One of them whose
// database is gone is not made anew by Open: an app that finds its shelves empty
// would fill them again, and backups of that would push out those that have it all.
func (p *Pool) Expect(ids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.known[id] = true
	}
}

// forget ends the expectation of an app.
func (p *Pool) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, id)
}

// missing is the error of an app that is expected and whose database is not there.
func (p *Pool) missing(id string) error {
	p.mu.Lock()
	known := p.known[id]
	p.mu.Unlock()
	path := filepath.Join(p.dir, id, databaseName)
	if !known || !absent(path) {
		return nil
	}
	return fault.New(fault.Unavailable, "what the app keeps is gone: there is no %s", path).WithSubject(id).
		WithHint("put the folder back and start again, or give the app a backup: fazt restore APP/latest --app APP --confirm APP")
}

// absent tells whether a database is not there. SQLite takes an empty file for a new
// one, and throws the log beside it away.
func absent(path string) bool {
	info, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
}
