package edge

import (
	"context"
	"sync"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// Backend is an app's data and jobs, for commands that look at them or run one. It
// is what the release in service has, and stays open until Close.
type Backend struct {
	App   spec.App
	Name  string
	Store *storage.App // nil where the app keeps nothing
	Jobs  *queue.Store // nil where it has no queues and no schedules

	server *Server
	site   *site
	once   sync.Once
}

// Backend opens the backend of an app in service. The error's kind is NotFound if
// the app runs no code, or is not served.
func (s *Server) Backend(addr spec.Addr) (*Backend, error) {
	n := s.acquire()
	defer n.release()
	site := n.sites[addr]
	switch {
	case site == nil:
		return nil, fault.New(fault.NotFound, "%s is not in service", addr).WithHint("fazt trash list shows whether it waits there")
	case site.backend == nil:
		return nil, fault.New(fault.NotFound, "%s runs no code and keeps nothing", addr).WithHint("give it a runtime block, and kv, docs, sql, blobs or queue")
	}
	site.lease.take()
	b := site.backend
	return &Backend{App: b.app, Name: b.name, Store: b.store, Jobs: b.jobs, server: s, site: site}, nil
}

// Routes are the paths that the app's code answers, none where it has no fetch handler.
func (b *Backend) Routes() []string { return b.site.answers() }

// Close lets go of the release.
func (b *Backend) Close() { b.once.Do(b.site.lease.give) }

// Fetch calls the app's code as a visitor would, past limits and gate.
func (b *Backend) Fetch(ctx context.Context, q script.Request) (*script.Response, error) {
	return function.Ask(ctx, inner{site: b.site}, q)
}
