package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// benchLimits keeps every layer of the stack at work and lets the load through:
// a few addresses ask for what tens of thousands of visitors would.
const benchLimits = "limits {\n  connections_per_ip = 5000\n  requests_per_ip    = { rate = 1000000, burst = 1000000 }\n}\n"

// fullStack measures the small file with everything on that ships: caps,
// buckets, counters, and the access log besides.
func (b *bench) fullStack(site, state string) error {
	starts := map[string]func() (*server, error){
		"bare": func() (*server, error) { return b.startBare(site) },
		"fazt": func() (*server, error) {
			return b.startFazt(state, "--access-log", filepath.Join(b.dir, "access.log"))
		},
	}
	ratios, perCPU, err := b.compare(starts, func(s *server) (result, error) { return load(s, "/1k.bin", b.conns, b.span) })
	if err != nil {
		return err
	}
	b.report("static_1k_full_stack_vs_bare", median(ratios), ">= 0.80", fmt.Sprintf("with the access log; per server CPU %.2f", median(perCPU)))
	return nil
}

// secure measures TLS 1.3 with ECDSA P-256: handshakes without resumption, and
// requests on connections that are kept.
func (b *bench) secure(site, state string) error {
	starts := map[string]func() (*server, error){
		"bare": func() (*server, error) { return b.startBareTLS(site) },
		"fazt": func() (*server, error) { return b.startFaztTLS(state) },
	}
	_, perCPU, err := b.compare(starts, func(s *server) (result, error) { return handshakes(s, b.conns/4, b.span) })
	if err != nil {
		return err
	}
	b.report("tls_handshake_per_cpu_vs_bare", median(perCPU), ">= 0.95", "TLS 1.3, ECDSA P-256, no resumption")
	ratios, perCPU, err := b.compare(starts, func(s *server) (result, error) { return load(s, "/1k.bin", b.conns, b.span) })
	if err != nil {
		return err
	}
	b.report("tls_keepalive_vs_bare", median(ratios), ">= 0.85", fmt.Sprintf("per server CPU %.2f", median(perCPU)))
	return nil
}

// compare loads bare and fazt in turn, a fresh process each round.
func (b *bench) compare(starts map[string]func() (*server, error), run func(*server) (result, error)) (ratios, perCPU []float64, err error) {
	for range b.rounds {
		last := map[string]result{}
		for _, who := range []string{"bare", "fazt"} {
			s, err := starts[who]()
			if err != nil {
				return nil, nil, err
			}
			if _, err = s.first("/1k.bin"); err != nil {
				return nil, nil, err
			}
			r, err := run(s)
			s.stop()
			if err == nil && r.notOK > 0 {
				err = fmt.Errorf("%d answers were not 200", r.notOK)
			}
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", who, err)
			}
			last[who] = r
		}
		ratios = append(ratios, last["fazt"].perSecond/last["bare"].perSecond)
		perCPU = append(perCPU, last["fazt"].perCPU/last["bare"].perCPU)
	}
	return ratios, perCPU, nil
}

// startBareTLS is the reference behind TLS.
func (b *bench) startBareTLS(site string) (*server, error) {
	s, err := b.startBare(site, "tls")
	if err == nil {
		s.secure = true
	}
	return s, err
}

// startFaztTLS runs a node whose configuration has tls on; the plain address is
// only there to be told apart.
func (b *bench) startFaztTLS(state string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	s, err := launch(exec.Command(b.fazt, "serve", "--state", state, "--listen-tls", addr, "-q"), addr, "bench.localhost")
	if err == nil {
		s.secure = true
	}
	return s, err
}

// dial connects to a server the way it speaks, from an address of ours.
func (s *server) dial(from string) (net.Conn, error) {
	dialer := &net.Dialer{}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	if !s.secure {
		return dialer.Dial("tcp", s.addr)
	}
	return tls.DialWithDialer(dialer, "tcp", s.addr, &tls.Config{ServerName: s.host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519}})
}

// handshakes opens and closes connections for span, each with a request so that
// the server has finished its part.
func handshakes(s *server, conns int, span time.Duration) (result, error) {
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	until, started := time.Now().Add(span), time.Now()
	counts, failed := make([]int, conns), make([]error, conns)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			for time.Now().Before(until) && failed[i] == nil {
				if failed[i] = oneVisit(s, fmt.Sprintf("127.0.2.%d", 1+i)); failed[i] == nil {
					counts[i]++
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(started)
	after, err := s.cpu()
	if err = errors.Join(append(failed, err)...); err != nil {
		return result{}, err
	}
	r := result{}
	for _, n := range counts {
		r.requests += n
	}
	r.perSecond = float64(r.requests) / took.Seconds()
	r.perCPU = float64(r.requests) / max((after-before).Seconds(), 0.01)
	return r, nil
}

func oneVisit(s *server, from string) error {
	conn, err := s.dial(from)
	if err != nil {
		return err
	}
	defer conn.Close()
	status, _, err := exchange(conn, bufio.NewReader(conn), s.request("/1k.bin"))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

// bareTLS serves the reference behind a certificate of its own.
func bareTLS(addr string, h http.Handler) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"bench.localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	s := &http.Server{Addr: addr, Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}}
	return s.ListenAndServeTLS("", "")
}

// limiterCost runs the limiter's own benchmark.
func (b *bench) limiterCost() error {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkTakeHit$", "-benchmem", "-count", "5", "./edge/limit")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	var costs, allocs []float64
	for _, m := range regexp.MustCompile(`([\d.]+) ns/op.*?(\d+) allocs/op`).FindAllStringSubmatch(string(out), -1) {
		cost, _ := strconv.ParseFloat(m[1], 64)
		n, _ := strconv.ParseFloat(m[2], 64)
		costs, allocs = append(costs, cost), append(allocs, n)
	}
	if len(costs) == 0 {
		return fmt.Errorf("no figures in %s", out)
	}
	b.report("limiter_ns", median(costs), "<= 300", "one token of a client that is known")
	b.report("limiter_allocs", median(allocs), "<= 0", "")
	return nil
}
