package edge

import (
	"sync"
	"time"

	"github.com/fazt-sh/fazt/spec"
)

// Staged is a finished snapshot that nobody sees yet. Publish or Discard ends
// it; what comes after the first of them has no effect.
type Staged struct {
	server *Server
	snap   *snapshot
	unhold func() // lets go of the store's blobs
	once   sync.Once
}

// Objects is what will be served: the desired objects with every Blob filled,
// apps with a fault as they are now, or left out.
func (st *Staged) Objects() []spec.Object {
	return append([]spec.Object(nil), st.snap.objects...)
}

// Faults are the apps that stay behind, sorted by address.
func (st *Staged) Faults() []Fault { return append([]Fault(nil), st.snap.faults...) }

// Publish makes the snapshot current. It cannot fail: everything that can has
// happened in Stage.
func (st *Staged) Publish(generation uint64) {
	st.once.Do(func() {
		st.snap.generation, st.snap.published = generation, true
		st.server.obey(st.snap)
		st.snap.begin(time.Now())
		old := st.server.install(st.snap)
		st.server.announce()
		close(old.retired)
		old.release()
		st.unhold()
		st.server.pack()
	})
}

// obey makes what outlives snapshots follow the next one. Tokens that were taken
// and connections that are open stay so.
func (s *Server) obey(n *snapshot) {
	s.guard.Set(n.caps())
	for _, site := range n.sites {
		site.limits.Set(site.policy)
	}
	if s.config.Mail != nil {
		s.config.Mail.Use(n.mail)
	}
	if s.config.Certs != nil {
		s.config.Certs.Want(n.certificates())
	}
}

// announce tells Run that another snapshot is current.
func (s *Server) announce() {
	select {
	case s.changed <- struct{}{}:
	default: // Run has not looked since the last one
	}
}

// timers are those of the current snapshot.
func (s *Server) timers() timers { return s.current.Load().limits.timers }

// Discard lets go of a snapshot that will not be published. Bytes it brought
// into the store stay there until the store is swept.
func (st *Staged) Discard() {
	st.once.Do(func() {
		st.snap.release()
		st.unhold()
	})
}
