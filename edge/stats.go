package edge

import (
	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/edge/listen"
	"github.com/fazt-sh/fazt/spec"
)

// Stats counts what is held. A server at rest has one snapshot, no requests
// and one lease for each app it serves.
type Stats struct {
	Snapshots int   // current and retired ones that still answer
	Requests  int64 // being answered
	Leases    int64 // things snapshots hold on to
}

// Stats returns the counts of this moment.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Snapshots: len(s.live), Leases: s.leases.Load()}
	current := s.current.Load()
	for n := range s.live {
		stats.Requests += n.refs.Load()
		if n == current {
			stats.Requests-- // the publisher's own
		}
	}
	return stats
}

// Traffic is what the stack did since the process began.
type Traffic struct {
	Answers     map[string]int64 // finished requests by class: 2xx, 4xx, cut
	Bytes       int64            // of answers' bodies
	Refused     map[string]int64 // by layer: handshake, client, request, host, scheme, api, app, body, stream
	Connections listen.Stats
}

// Traffic returns the counts of this moment.
func (s *Server) Traffic() Traffic {
	return Traffic{Answers: s.counts.answersByClass(), Bytes: s.counts.bytes.Load(), Refused: s.counts.refusedByLayer(),
		Connections: s.guard.Stats()}
}

// Usage is what each app has sent in its current month.
func (s *Server) Usage() map[spec.Addr]limit.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[spec.Addr]limit.Usage, len(s.apps))
	for addr, app := range s.apps {
		all[addr] = app.Usage()
	}
	return all
}

// RestoreUsage takes up what an earlier process counted. It is called before
// anything is published.
func (s *Server) RestoreUsage(of map[spec.Addr]limit.Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for addr, usage := range of {
		app := limit.NewApp(limit.Policy{})
		app.Restore(usage)
		s.apps[addr] = app
	}
}

// appLimits is the running side of an app's limits. It outlives snapshots, so
// that a commit gives nobody a full bucket.
func (s *Server) appLimits(addr spec.Addr) *limit.App {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.apps[addr]
	if app == nil {
		app = limit.NewApp(limit.Policy{})
		s.apps[addr] = app
	}
	return app
}

// Kept is what the storage of one app has done since it was opened.
type Kept struct {
	Writes       uint64 // of bindings and jobs
	Transactions uint64 // that the writes shared
}

// Kept returns what the apps in service that keep something have done.
func (s *Server) Kept() map[spec.Addr]Kept {
	n := s.acquire()
	defer n.release()
	all := map[spec.Addr]Kept{}
	for addr, site := range n.sites {
		if site.backend != nil && site.backend.store != nil {
			done := site.backend.store.DB().Stats()
			all[addr] = Kept{Writes: done.Writes, Transactions: done.Transactions}
		}
	}
	return all
}
