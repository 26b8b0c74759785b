//go:build integration

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pebble is a CA that nobody here wrote, with its name server: it validates at
// the ports of a node and refuses as many nonces as it is told.
type pebble struct {
	t     *testing.T
	dir   string // the directory's URL
	root  string // file with what its own TLS is signed by
	roots string // URL of what it signs with
	stop  func()
}

// startPebble builds and runs both programs. nonces is how many of a hundred it
// refuses.
func (w *world) startPebble(httpPort, tlsPort string, nonces int) *pebble {
	w.t.Helper()
	module := w.output("go", "list", "-m", "-f", "{{.Dir}}", "github.com/letsencrypt/pebble/v2")
	certs := filepath.Join(module, "test", "certs")
	ca, names := w.path("pebble"), w.path("challtestsrv")
	w.output("go", "build", "-o", ca, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	w.output("go", "build", "-o", names, "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv")
	listen, manage, dns, dnsManage := freePort(w.t), freePort(w.t), freePort(w.t), freePort(w.t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage,
		"certificate": filepath.Join(certs, "localhost", "cert.pem"), "privateKey": filepath.Join(certs, "localhost", "key.pem"),
		"httpPort": number32(httpPort), "tlsPort": number32(tlsPort), "retryAfter": map[string]int{"authz": 1, "order": 1},
	}})
	must(w.t, err)
	w.write(map[string]string{"pebble.json": string(config)})
	w.background(exec.Command(names, "-dnsserver", dns, "-management", dnsManage, "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""))
	cmd := exec.Command(ca, "-config", w.path("pebble.json"), "-dnsserver", dns)
	cmd.Env = append(w.env, fmt.Sprintf("PEBBLE_WFE_NONCEREJECT=%d", nonces), "PEBBLE_VA_NOSLEEP=1")
	_, port, _ := net.SplitHostPort(listen)
	_, managePort, _ := net.SplitHostPort(manage)
	return &pebble{t: w.t, dir: "https://localhost:" + port + "/dir", root: filepath.Join(certs, "pebble.minica.pem"),
		roots: "https://localhost:" + managePort + "/roots/0", stop: w.background(cmd)}
}

// background runs a program until the test ends or stop is called.
func (w *world) background(cmd *exec.Cmd) (stop func()) {
	w.t.Helper()
	must(w.t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() { _ = cmd.Process.Kill(); <-ended }
	w.t.Cleanup(stop)
	return stop
}

// output runs a program of the toolchain in the project and returns its words.
func (w *world) output(name string, args ...string) string {
	w.t.Helper()
	out, err := exec.Command(name, args...).Output()
	must(w.t, err)
	return strings.TrimSpace(string(out))
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func number32(addr string) int {
	_, port, _ := net.SplitHostPort(addr)
	var n int
	_, _ = fmt.Sscan(port, &n)
	return n
}

// trust is what the CA signs with, once it answers.
func (p *pebble) trust() *x509.CertPool {
	p.t.Helper()
	pem, err := os.ReadFile(p.root)
	must(p.t, err)
	own := x509.NewCertPool()
	own.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own}, DialContext: (&net.Dialer{}).DialContext}}
	pool := x509.NewCertPool()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		resp, err := client.Get(p.roots)
		if err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			pool.AppendCertsFromPEM(body)
			return pool
		}
		if time.Now().After(end) {
			p.t.Fatalf("the CA does not answer: %v", err)
		}
	}
}

// certified connects to a node as a browser would that trusts the CA.
func certified(addr, host string, trust *x509.CertPool) error {
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: host, RootCAs: trust})
	if err != nil {
		return err
	}
	return conn.Close()
}

// TestIntegrationACME: a host in a commit gets its certificate, from a CA that
// refuses half of the nonces; a name that no app has gets none; with the CA gone
// and the node started anew, the certificate is still served.
func TestIntegrationACME(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	plain, secure := freePort(t), freePort(t)
	ca := w.startPebble(plain, secure, 50)
	trust := ca.trust()
	w.write(map[string]string{
		"site/fazt.hcl": fmt.Sprintf("edge {\n  tls = { mode = \"acme\", email = \"ops@example.test\", ca = %q, ca_root = \"ca\" }\n}\n"+
			"app \"www\" {\n  content = \"www\"\n  hosts   = [\"www.example.test\"]\n}\n", ca.dir),
		"site/www/index.html": "certified",
	})
	serve := func() *process {
		return w.serveAs("state", exec.Command(w.bin, "serve", "--state", w.path("state"), "--listen", plain, "--listen-tls", secure, "--credential", "ca="+ca.root))
	}
	p := serve()
	w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
	p.await("certificate issued", "www.example.test")
	must(t, certified(secure, "www.example.test", trust))
	w.want(0, "www.example.test", "cert", "list", "--state", p.state)
	if err := certified(secure, "other.example.test", trust); err == nil {
		t.Error("a name that no app has got a certificate")
	}
	if n := len(p.logged("certificate issued")); n != 1 {
		t.Errorf("%d certificates were made for one host\n%s", n, p.log())
	}
	ca.stop()
	p.stop()
	p = serve()
	must(t, certified(secure, "www.example.test", trust))
	p.stop()
}
