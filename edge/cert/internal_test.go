package cert_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
)

func internal(hosts ...string) cert.Policy { return cert.Policy{Mode: cert.Internal, Hosts: hosts} }

// Who trusts the node's own CA can visit every host, and still can after a
// restart.
func TestInternal(t *testing.T) {
	dir := t.TempDir() + "/cert"
	n := newNode(t, dir, nil)
	if n.CA() != nil {
		t.Error("a CA that nobody asked for")
	}
	n.Want(internal("app.localhost", "*.apps.test", "a.apps.test"))
	hosts := awaitState(t, n.Manager, cert.OK, "app.localhost", "*.apps.test", "a.apps.test")
	if hosts["a.apps.test"].Serial != hosts["*.apps.test"].Serial {
		t.Error("a host that a wildcard covers has a certificate of its own")
	}
	root := n.CA()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		t.Fatalf("no PEM: %q", root)
	}
	for _, name := range []string{"app.localhost", "a.apps.test", "b.apps.test"} {
		leaf, err := n.dial(name, pool)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if life := leaf.NotAfter.Sub(leaf.NotBefore); life < 30*24*time.Hour || life > 91*24*time.Hour {
			t.Errorf("%s is valid for %s", name, life)
		}
	}
	n.stop()
	private(t, dir)

	next := newNode(t, dir, nil)
	if !bytes.Equal(next.CA(), root) {
		t.Error("the root is another after a restart")
	}
	next.Want(internal("app.localhost"))
	if _, err := next.dial("app.localhost", pool); err != nil {
		t.Error(err)
	}
	// The root is shown too, also with what was stored: its key is what others pin.
	chain, err := next.chain("app.localhost", pool)
	if err != nil || len(chain) != 2 || !bytes.Equal(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[1].Raw}), root) {
		t.Errorf("%d certificates are shown, %v", len(chain), err)
	}
}

// private fails if anybody else may read what is under dir.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The node's CA signs anew in time, with the same root.
func TestInternalRenewal(t *testing.T) {
	dir := t.TempDir() + "/cert"
	synctest.Test(t, func(t *testing.T) {
		m, stop := quietNode(t, dir, nil)
		defer stop()
		m.Want(internal("a.test"))
		synctest.Wait()
		root, first := m.CA(), m.List()[0]
		time.Sleep(time.Until(first.Next) - time.Second)
		if s := m.List()[0]; s.Serial != first.Serial {
			t.Error("renewed too early")
		}
		time.Sleep(2 * time.Second)
		if s := m.List()[0]; s.Serial == first.Serial || s.State != cert.OK {
			t.Errorf("not renewed: %+v", s)
		}
		if !bytes.Equal(root, m.CA()) {
			t.Error("the root is another")
		}
	})
}

// A root that people trust is not replaced behind their backs.
func TestDamagedRoot(t *testing.T) {
	dir := t.TempDir() + "/cert"
	n := newNode(t, dir, nil)
	n.Want(internal("a.root.test"))
	awaitState(t, n.Manager, cert.OK, "a.root.test")
	n.stop()
	root := filepath.Join(dir, "internal", "root.crt")
	spoil(t, root)

	next := newNode(t, dir, nil)
	next.Want(internal("a.root.test", "b.root.test"))
	hosts := awaitState(t, next.Manager, cert.Failing, "b.root.test")
	if hosts["a.root.test"].State != cert.OK {
		t.Errorf("a certificate that is good is not used: %+v", hosts)
	}
	err := next.Renew(t.Context(), "b.root.test")
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.HintOf(err), "backup") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	if next.CA() != nil {
		t.Error("there is another root")
	}
	if err := os.RemoveAll(filepath.Dir(root)); err != nil {
		t.Fatal(err)
	}
	if err := next.Renew(t.Context(), "b.root.test"); err != nil || next.CA() == nil {
		t.Errorf("no new CA where the old one was removed: %v", err)
	}
}

// spoil flips bytes in the middle of a file.
func spoil(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(raw) / 3; i < len(raw)/2; i++ {
		raw[i] ^= 0x55
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whatever happens to stored files, the node serves again after an order.
func TestDamagedFiles(t *testing.T) {
	damages := map[string]func(*testing.T, string){
		"flipped": spoil,
		"empty":   func(t *testing.T, path string) { errIf(t, os.Truncate(path, 0)) },
		"gone":    func(t *testing.T, path string) { errIf(t, os.Remove(path)) },
		"a list":  func(t *testing.T, path string) { errIf(t, os.WriteFile(path, []byte("[]"), 0o600)) },
		"of other": func(t *testing.T, path string) {
			errIf(t, os.Rename(strings.ReplaceAll(path, "a.test", "b.test"), path))
		},
	}
	for _, ext := range []string{".crt", ".key", ".json"} {
		for name, damage := range damages {
			t.Run(name+ext, func(t *testing.T) {
				dir := t.TempDir() + "/cert"
				m, stop := quietNode(t, dir, nil)
				m.Want(internal("a.test", "b.test"))
				awaitState(t, m, cert.OK, "a.test", "b.test")
				stop()
				damage(t, filepath.Join(dir, "certificates", "internal", "a.test", "a.test"+ext))

				m, _ = quietNode(t, dir, nil)
				m.Want(internal("a.test"))
				awaitState(t, m, cert.OK, "a.test")
				if err := m.Renew(t.Context(), "a.test"); err != nil {
					t.Error(err)
				}
				if pair, err := m.Lookup(t.Context(), "a.test"); err != nil || pair.Leaf.VerifyHostname("a.test") != nil {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

func errIf(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An account that the disk has damaged is made anew.
func TestDamagedAccount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/cert"
	n := newNode(t, dir, nil)
	dns := newNameserver(t, "account.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 0)
	n.Want(p.policy(t, n, "a.account.test"))
	awaitState(t, n.Manager, cert.OK, "a.account.test")
	private(t, dir)
	for _, ext := range []string{"*.json", "*.key"} {
		files, err := filepath.Glob(filepath.Join(dir, "acme", "*", "users", "*", ext))
		if err != nil || len(files) != 1 {
			t.Fatalf("%v %v", files, err)
		}
		errIf(t, os.Truncate(files[0], 40))
		err = n.Renew(t.Context(), "a.account.test")
		if err != nil && strings.Contains(err.Error(), "serverInternal") { // pebble does not know yet which order a certificate came from
			err = n.Renew(t.Context(), "a.account.test")
		}
		if err != nil {
			t.Errorf("%s: %v", ext, err)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	errIf(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for _, path := range []string{filepath.Join(dir, "missing", "cert"), filepath.Join(dir, "file"), filepath.Join(dir, "file", "cert")} {
		err := cert.New(cert.Config{Dir: path}).Open()
		if fault.KindOf(err) != fault.Unavailable || fault.HintOf(err) == "" || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v (%s)", path, err, fault.HintOf(err))
		}
	}
	wide := filepath.Join(dir, "wide")
	errIf(t, os.Mkdir(wide, 0o755))
	m := cert.New(cert.Config{Dir: wide})
	errIf(t, m.Open())
	defer m.Close()
	private(t, wide)
}

// Old versions and weak suites find no common ground.
func TestTLS(t *testing.T) {
	n := newNode(t, t.TempDir()+"/cert", nil)
	n.Want(internal("a.tls.test"))
	awaitState(t, n.Manager, cert.OK, "a.tls.test")
	for name, c := range map[string]*tls.Config{
		"TLS 1.1":  {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"CBC":      {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		"no ECDHE": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
	} {
		c.ServerName, c.InsecureSkipVerify = "a.tls.test", true
		if conn, err := tls.Dial("tcp", n.addr, c); err == nil {
			conn.Close()
			t.Errorf("%s was agreed on", name)
		}
	}
	for _, c := range []*tls.Config{{MaxVersion: tls.VersionTLS12}, {NextProtos: []string{"h2"}}} {
		c.ServerName, c.InsecureSkipVerify = "a.tls.test", true
		conn, err := tls.Dial("tcp", n.addr, c)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}
