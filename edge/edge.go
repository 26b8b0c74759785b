// Package edge serves visitors. It answers every request from one immutable
// snapshot, built by Stage from the objects a revision asks for and swapped in
// whole by Publish. A request takes one snapshot and keeps it to its end; when
// the last request of an old snapshot is done, what it held is let go.
//
// The way of a request is accept, acquire, host, path, route, handler, render,
// record, release: ServeHTTP in serve.go reads in this order. Limits come before
// the gate, so that a flood cannot buy the work of a sign-in.
//
// cmd/fazt builds a Server, the reconcile loop drives it through Stage. The
// edge refuses to know where configuration comes from, how a plan is made and
// what a command is.
package edge

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/edge/listen"
	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/mail"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// Config is what a Server needs. Only Blobs is required.
type Config struct {
	Blobs     *blob.Store
	Log       *slog.Logger                    // nil discards
	Dev       bool                            // pages reload on publish, the bare domain lists the apps, NAME.<domain> always answers
	AccessLog io.Writer                       // one line of JSON a request; nil costs nothing
	Lost      func(blob string)               // told of bytes in service that are damaged or missing, again each time; nil tells nobody
	Certs     *cert.Manager                   // certificates of the hosts; nil serves no TLS
	Scripts   *script.Host                    // runs apps' code; nil refuses apps that have some
	Storage   *storage.Pool                   // what apps keep; nil likewise
	Secrets   *secret.Identity                // opens what is sealed to this node; nil opens nothing
	Logs      *applog.Log                     // what apps say; nil forgets it
	Said      func(app string, l applog.Line) // told of each line that an app says; nil tells nobody
	Now       func() time.Time                // for schedules and ends of grants; nil is the machine's clock
	Gate      *gate.Gate                      // signs people in; nil lets nobody pass where not everybody may
	API       http.Handler                    // answers commands at the console's host; see OperatorFrom. Nil answers none
	Mail      *mail.Outbox                    // sends what people sign in with; nil sends none
	Ways      []gate.Way                      // to sign in, besides what is declared: the development provider
	Roles     func(email string) []string     // that people have besides what is declared; likewise
	Temp      string                          // folder for what a stage needs for a moment
	Drain     time.Duration                   // how long Run waits for running requests; 0 is 15 seconds
	// Trial is for apps' own tests: Backend.Test runs them, and answers instead of
	// other hosts.
	Trial bool
	// Listen binds one address; nil is listen.Listen. Sockets handed over by a
	// parent process and tests without a network come in here.
	Listen func(network, address string) (net.Listener, error)
}

// drainDefault is how long Run waits for running requests once it must end.
const drainDefault = 15 * time.Second

// revisionNone is the Fazt-Revision of a node that has published nothing yet.
const revisionNone = "none"

// Server serves the current snapshot. Its zero value is not usable.
type Server struct {
	config   Config
	log      *slog.Logger
	current  atomic.Pointer[snapshot]
	troubles atomic.Pointer[troubles] // never nil
	cache    *static.Cache
	access   *accessLog // nil when off
	style    string     // Content-Security-Policy of the edge's own pages
	strict   []string   // hsts as the value of its header, shared by all answers
	began    time.Time

	guard       *listen.Guard
	clients     *limit.Buckets
	counts      counters
	words       sync.Map                 // of Preflight, by name
	elsewhere   elsewhere                // other hosts, in a trial
	alternative atomic.Pointer[[]string] // Alt-Svc while HTTP/3 is served
	securePort  int                      // of the first address for TLS; 0: there is none. Set by Open

	unpacked  chan struct{} // one slot: the current snapshot may lack compressed forms
	exchanges sync.Pool
	leases    atomic.Int64
	changed   chan struct{} // room for one: another snapshot is current
	closing   chan struct{} // closed when Run begins to drain
	ending    atomic.Bool   // likewise: answers are their connections' last
	shut      sync.Once

	jobsMu sync.Mutex
	jobs   map[string]*jobStore // guarded by jobsMu: by the folder of the app's data

	mu        sync.Mutex
	listeners []bound                  // guarded by mu
	live      map[*snapshot]struct{}   // guarded by mu: published and not ended
	apps      map[spec.Addr]*limit.App // guarded by mu: the running side of each app's limits
}

// New returns a server with an empty snapshot: it answers 503 until the first
// Publish.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Drain <= 0 {
		c.Drain = drainDefault
	}
	if c.Listen == nil {
		c.Listen = bind
	}
	s := &Server{config: c, log: c.Log, began: time.Now(), clients: limit.NewBuckets(), closing: make(chan struct{}),
		unpacked: make(chan struct{}, 1), changed: make(chan struct{}, 1), live: map[*snapshot]struct{}{}, jobs: map[string]*jobStore{}, apps: map[spec.Addr]*limit.App{}}
	s.troubles.Store(&troubles{changed: make(chan struct{})})
	s.cache = static.NewCache(cacheBytes)
	s.style, s.strict = pagePolicy(), []string{hsts}
	s.exchanges.New = func() any { return new(exchange) }
	if c.AccessLog != nil {
		s.access = newAccessLog(c.AccessLog)
	}
	first := newSnapshot(s.end)
	s.guard = listen.NewGuard(first.caps(), c.Log)
	s.install(first)
	return s
}

// cacheBytes bounds the memory for small hot files of all apps together.
const cacheBytes = 32 << 20

// install makes a snapshot the current one and returns the one before it.
func (s *Server) install(n *snapshot) *snapshot {
	s.mu.Lock()
	s.live[n] = struct{}{}
	s.mu.Unlock()
	return s.current.Swap(n)
}

// end returns a snapshot's leases after its last request.
func (s *Server) end(n *snapshot) {
	for _, site := range n.sites {
		site.lease.give()
	}
	s.mu.Lock()
	delete(s.live, n)
	s.mu.Unlock()
}

// acquire takes a reference on the current snapshot.
func (s *Server) acquire() *snapshot {
	for {
		if n := s.current.Load(); n.acquire() {
			return n
		}
	}
}

// Generation is the number of the published snapshot, 0 before the first.
func (s *Server) Generation() uint64 { return s.current.Load().generation }

// Revision is the revision of the published snapshot, empty before the first.
func (s *Server) Revision() string { return s.current.Load().revision }

// Ready reports whether anything was published.
func (s *Server) Ready() bool { return s.current.Load().published }

// SignIn tells the host where people sign in, empty where nobody does, and whether who
// is invited is let in.
func (s *Server) SignIn() (console string, invited bool) {
	p := s.current.Load().people.policy
	return p.Console, p.Invited
}

// Observe returns the objects being served, in the order they were asked for.
// The caller owns the slice and must not change what its objects point to.
func (s *Server) Observe(context.Context) ([]spec.Object, error) {
	n := s.acquire()
	defer n.release()
	return append([]spec.Object(nil), n.objects...), nil
}

// pagePolicy allows the edge's own pages their one style sheet and nothing else.
func pagePolicy() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
