package edge

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec/access"
)

const (
	prefixAPI   = "/v1/"   // where the console's host answers commands
	consoleBody = 64 << 10 // of a form at the console's host, at most
)

// Operator is who asks the node's API for something at the console's host.
type Operator struct {
	gate.Operator
	View   *access.View // what they may do, by what is served
	Client netip.Addr
	// Again finds out once more who asks, by what is known and served by then.
	Again func() (Operator, error)
}

type operatorKey struct{}

// asking is what the edge has found out of who asks.
type asking struct {
	who Operator
	err error
}

// OperatorFrom returns who sent a request that Config.API is given. The error's kind
// is Unauthenticated for somebody nobody knows, and Forbidden for a request by which
// nobody is let in.
func OperatorFrom(ctx context.Context) (Operator, error) {
	a, ok := ctx.Value(operatorKey{}).(asking)
	if !ok {
		return Operator{}, fault.New(fault.Unauthenticated, "nobody asked who this is")
	}
	return a.who, a.err
}

// api lets Config.API answer, which is told who asks before it reads anything. A
// command may take as long as it likes, so it does not keep what was in service when
// it came.
func (s *Server) api(x *exchange, r *http.Request) error {
	visit, a := x.visit(r), asking{}
	if a.who, a.err = s.operator(x.snap.people, r, visit); a.err != nil {
		s.counts.refused[layerAPI].Add(1)
	}
	a.who.Client = x.client
	a.who.Again = func() (Operator, error) { return s.operator(s.current.Load().people, r, visit) }
	x.detach()
	ctx, cancel := s.untilEnd(context.WithValue(r.Context(), operatorKey{}, a))
	defer cancel()
	x.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	s.config.API.ServeHTTP(x, r.WithContext(ctx))
	return nil
}

// operator finds out who asks, and what they may do.
func (s *Server) operator(known *people, r *http.Request, v gate.Visit) (who Operator, err error) {
	switch who.Operator, err = s.config.Gate.Operator(known.policy, r, v); {
	case err != nil:
	case who.Program != nil:
		who.View = known.rules.View(access.Who{Workload: who.Program.Name, Roles: who.Program.Roles})
	default:
		who.View = known.viewBy(who.Person, who.Token, s.config.Roles)
	}
	return who, err
}

// detach lets the snapshot of a request go before its answer is done. What the rest
// of the answer needs of it is kept.
func (x *exchange) detach() {
	own := &snapshot{limits: x.snap.limits, private: x.snap.private, ended: func(*snapshot) {}}
	own.refs.Store(1)
	x.snap.release()
	x.snap = own
}

// untilEnd is a context that ends when a third of the drain is over: who follows
// something would keep the server waiting, and have it cut what else is running.
func (s *Server) untilEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-s.closing:
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.config.Drain / 3):
			cancel()
		}
	}()
	return ctx, cancel
}
