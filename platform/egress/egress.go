// Package egress is how apps' code reaches other machines: HTTP that is refused
// unless a rule names the host. It resolves a name itself, judges every answer,
// and connects to the address it judged, so that no spelling, redirect or
// changing DNS leads into the node's own network. Bindings hold one Client for
// each app; it refuses to know apps, code and where the values of headers come
// from.
package egress

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Rule lets requests to one host, or to all names below one, pass. Of several that
// match, an exact host wins over a wildcard.
type Rule struct {
	Host    string                   // "api.example.com", or "*.example.com" for every name one level below it
	Methods []string                 // none: all but CONNECT and TRACE, which never pass
	Ports   []int                    // none: 443
	Header  map[string]func() string // set on requests to the host over TLS; the code never sees the values
}

// Limits bound what one app may do. What is zero takes its default.
type Limits struct {
	AtOnce    int           // requests whose answers are not read yet, 10; more wait within their time
	Time      time.Duration // from the call to the last byte of the answer, redirects included, 10 s
	Body      int64         // bytes of an answer's body, unpacked, 10 MiB
	Sent      int64         // bytes of a request's body, 10 MiB
	Header    int64         // bytes of an answer's header, 64 KiB
	Redirects int           // 3; see Once for none
}

// Config is what a Client works with.
type Config struct {
	Rules  []Rule
	Limits Limits
	// Own returns the addresses of the node, which are refused like private ones;
	// nil is those of the machine's interfaces. It is asked at each connection.
	Own func() []netip.Addr
	// Lookup resolves a name with a final dot; nil is the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to an address that was judged; nil is TCP. Tests put a server
	// of their own behind a public address.
	Dial  func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	Roots *x509.CertPool // nil: the system's
	// Transport answers requests that the rules let pass, instead of other machines:
	// no name is resolved then, and nothing is connected to. nil: the network.
	Transport http.RoundTripper
	Log       *slog.Logger // what was refused and why, each once; nil: nothing
}

// Client makes the requests of one app. It is safe for concurrent use. Its
// connections are its own, and outlive a request by 30 s at most.
type Client struct {
	config    Config
	rules     []Rule
	closed    []netip.Prefix
	slots     chan struct{}
	transport http.RoundTripper

	mu   sync.Mutex
	told map[string]bool
}

// idleTime is how long a connection waits for the next request to its host.
const idleTime = 30 * time.Second

// New checks the rules. The error's kind is Invalid if one of them cannot be.
func New(c Config) (*Client, error) {
	rules, err := checkRules(c.Rules)
	if err != nil {
		return nil, err
	}
	c.Limits = c.Limits.filled()
	if c.Own == nil {
		c.Own = interfaceAddrs
	}
	if c.Lookup == nil {
		c.Lookup = systemLookup
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	client := &Client{config: c, rules: rules, closed: closedPrefixes(), slots: make(chan struct{}, c.Limits.AtOnce), told: map[string]bool{}}
	if client.transport = c.Transport; client.transport != nil {
		return client, nil
	}
	client.transport = &http.Transport{
		Proxy:                  nil, // an environment must not choose where requests go
		DialContext:            client.connect,
		DialTLSContext:         client.connectTLS,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           c.Limits.AtOnce,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: c.Limits.Header,
	}
	return client, nil
}

// Close ends the connections that wait for a next request. Requests in flight
// end by themselves, within their time.
func (c *Client) Close() {
	if network, ok := c.transport.(*http.Transport); ok {
		network.CloseIdleConnections()
	}
}

func (l Limits) filled() Limits {
	fill(&l.AtOnce, 10)
	fill(&l.Time, 10*time.Second)
	fill(&l.Body, 10<<20)
	fill(&l.Sent, 10<<20)
	fill(&l.Header, 64<<10)
	fill(&l.Redirects, 3)
	return l
}

func fill[T int | int64 | time.Duration](v *T, preset T) {
	if *v <= 0 {
		*v = preset
	}
}
