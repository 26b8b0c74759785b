package cert_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
)

// patience is how long a test waits for what must come. It asserts no speed.
const patience = 60 * time.Second

// node is a manager at work, with the two listeners that a CA comes to.
type node struct {
	*cert.Manager
	addr        string // of the TLS listener
	http, https int    // ports
	credentials map[string]string
	stop        func()
}

// newNode starts a node on 127.0.0.1. change may alter its configuration before
// it is opened.
func newNode(t *testing.T, dir string, change func(*cert.Config)) *node {
	t.Helper()
	plain, secure := listen(t), listen(t)
	n := &node{addr: secure.Addr().String(), http: port(plain), https: port(secure), credentials: map[string]string{}}
	config := cert.Config{Dir: dir, HTTPPort: n.http, TLSPort: n.https, Credential: func(name string) (string, bool) {
		path, ok := n.credentials[name]
		return path, ok
	}}
	if change != nil {
		change(&config)
	}
	n.Manager = cert.New(config)
	if err := n.Open(); err != nil {
		t.Fatal(err)
	}
	n.run(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !n.Challenge(w, r) {
			w.WriteHeader(http.StatusTeapot) // an app with a catch-all route
		}
	})
	serve(t, plain, handler)
	serve(t, tls.NewListener(secure, n.TLS()), handler)
	return n
}

func (n *node) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, n.Close()); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	t.Cleanup(n.stop)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func serve(t *testing.T, l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ErrorLog: quiet()}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
}

// credential writes a file and names it.
func (n *node) credential(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	n.credentials[name] = path
}

// await waits until the hosts are as is wants them.
func await(t *testing.T, m *cert.Manager, what string, is func(map[string]cert.Status) bool) map[string]cert.Status {
	t.Helper()
	deadline := time.After(patience)
	for {
		changed := m.Changed()
		hosts := map[string]cert.Status{}
		for _, s := range m.List() {
			hosts[s.Host] = s
		}
		if is(hosts) {
			return hosts
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s: never: %+v", what, hosts)
		}
	}
}

// awaitState waits until every one of the hosts is in a state.
func awaitState(t *testing.T, m *cert.Manager, state cert.State, names ...string) map[string]cert.Status {
	t.Helper()
	return await(t, m, string(state), func(hosts map[string]cert.Status) bool {
		for _, n := range names {
			if hosts[n].State != state {
				return false
			}
		}
		return true
	})
}

// dial shakes hands for a name and returns the server's certificate.
func (n *node) dial(name string, roots *x509.CertPool) (*x509.Certificate, error) {
	chain, err := n.chain(name, roots)
	if err != nil {
		return nil, err
	}
	return chain[0], nil
}

// chain is all that is sent for a name.
func (n *node) chain(name string, roots *x509.CertPool) ([]*x509.Certificate, error) {
	dialer := &net.Dialer{Timeout: patience}
	conn, err := tls.DialWithDialer(dialer, "tcp", n.addr, &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates, nil
}
