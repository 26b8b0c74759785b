package cert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
)

// write puts a new certificate for names into a pair of files, as a tool does
// that renews it: a file beside, and a rename.
func write(t *testing.T, certFile, keyFile string, names ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	errIf(t, err)
	raw, err := signed(key, names, key.Public(), time.Now(), time.Now().Add(month))
	errIf(t, err)
	private, err := certmagic.PEMEncodePrivateKey(key)
	errIf(t, err)
	for path, content := range map[string][]byte{certFile: raw, keyFile: private} {
		errIf(t, os.WriteFile(path+".new", content, 0o600))
		errIf(t, os.Rename(path+".new", path))
	}
}

// Files are served for the hosts they name, and read again when they change. A
// bad one leaves the good one in use.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	crt, key := filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	write(t, crt, key, "a.test", "*.wild.test")
	synctest.Test(t, func(t *testing.T) {
		m := cert.New(cert.Config{Dir: dir + "/cert", Credential: func(name string) (string, bool) {
			return filepath.Join(dir, name), strings.HasPrefix(name, "a.")
		}})
		errIf(t, m.Open())
		n := &node{Manager: m}
		n.run(t)
		defer n.stop()
		policy := cert.Policy{Mode: cert.Files, Files: []cert.Pair{{Cert: "a.crt", Key: "a.key"}}, Hosts: []string{"a.test", "x.wild.test", "other.test"}}
		errIf(t, m.Check(policy))
		m.Want(policy)
		synctest.Wait()
		first := m.List()[0]
		if first.State != cert.FromFile || m.List()[2].State != cert.FromFile {
			t.Errorf("%+v", m.List())
		}
		if s := m.List()[1]; s.State != cert.Failing || s.Error == "" {
			t.Errorf("a host that no file names: %+v", s)
		}
		if pair, err := m.Lookup(t.Context(), "other.test"); pair != nil || err == nil {
			t.Error("it is served another's certificate")
		}

		write(t, crt, key, "a.test", "*.wild.test")
		time.Sleep(5 * time.Second)
		second := m.List()[0]
		if second.Serial == first.Serial {
			t.Error("the files were not read again")
		}

		errIf(t, os.WriteFile(crt, []byte("half a certi"), 0o600))
		time.Sleep(5 * time.Second)
		if s := m.List()[0]; s.State != cert.Failing || s.Serial != second.Serial || !strings.Contains(s.Error, "a.crt") {
			t.Errorf("%+v", s)
		}
		if pair, err := m.Lookup(t.Context(), "a.test"); pair == nil || err != nil {
			t.Errorf("the good one is no longer served: %v", err)
		}
		errIf(t, os.Remove(crt))
		time.Sleep(5 * time.Second)
		if pair, err := m.Lookup(t.Context(), "a.test"); pair == nil || err != nil {
			t.Errorf("the good one is no longer served: %v", err)
		}
		write(t, crt, key, "a.test", "other.test")
		time.Sleep(5 * time.Second)
		for _, s := range m.List() {
			if want := map[bool]cert.State{true: cert.Failing, false: cert.FromFile}[s.Host == "x.wild.test"]; s.State != want {
				t.Errorf("%+v", s)
			}
		}
		if err := m.Renew(t.Context(), "a.test"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
	})
}

// Check finds what cannot work before it is applied, and says what to do.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good.crt"), filepath.Join(dir, "good.key"), "a.test")
	write(t, filepath.Join(dir, "other.crt"), filepath.Join(dir, "other.key"), "a.test")
	for name, content := range map[string]string{"token": "t0ken\n", "empty": "", "lines": "a\nb", "tsig": tsigSecret + "\n", "big": strings.Repeat("x", 2<<20)} {
		errIf(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	m := cert.New(cert.Config{Dir: dir + "/cert", Credential: func(name string) (string, bool) {
		return filepath.Join(dir, name), name != "unknown"
	}})
	dns := func(d cert.DNS) cert.Policy {
		return cert.Policy{Mode: cert.ACME, DNS: &d, Hosts: []string{"*.example.com"}}
	}
	pair := func(c, k string) cert.Policy {
		return cert.Policy{Mode: cert.Files, Files: []cert.Pair{{Cert: c, Key: k}}}
	}
	good := []cert.Policy{
		{}, {Mode: cert.Off}, {Mode: cert.ACME, Hosts: []string{"a.example.com", "localhost"}},
		{Mode: cert.ACME, CA: "http://127.0.0.1:14000/dir", CARoot: "good.crt"},
		internal("*.test"), pair("good.crt", "good.key"),
		dns(cert.DNS{Provider: "cloudflare", Credential: "token"}),
		dns(cert.DNS{Provider: "rfc2136", Credential: "tsig", Server: "ns1.test", KeyName: "fazt"}),
		dns(cert.DNS{Provider: "rfc2136", Credential: "tsig", Server: "[::1]:53", KeyName: "fazt.", Algorithm: "HMAC-SHA512"}),
	}
	for _, p := range good {
		if err := m.Check(p); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	bad := map[string]cert.Policy{
		"manual":          {Mode: "manual"},
		`"*.example.com"`: {Mode: cert.ACME, Hosts: []string{"a.example.com", "*.example.com"}},
		"ACME directory":  {Mode: cert.ACME, CA: "http://ca.example.com/dir"},
		"no certificate":  {Mode: cert.ACME, CARoot: "token"},
		`"unknown"`:       {Mode: cert.ACME, CARoot: "unknown"},
		`"missing"`:       pair("missing", "good.key"),
		"no files":        {Mode: cert.Files},
		"make no":         pair("good.crt", "other.key"),
		"megabyte":        pair("big", "good.key"),
		"route53":         dns(cert.DNS{Provider: "route53", Credential: "token"}),
		`"empty"`:         dns(cert.DNS{Provider: "cloudflare", Credential: "empty"}),
		`"lines"`:         dns(cert.DNS{Provider: "cloudflare", Credential: "lines"}),
		`""`:              dns(cert.DNS{Provider: "cloudflare"}),
		"server and key":  dns(cert.DNS{Provider: "rfc2136", Credential: "tsig"}),
		"base64":          dns(cert.DNS{Provider: "rfc2136", Credential: "token", Server: "ns1", KeyName: "k"}),
		"md5":             dns(cert.DNS{Provider: "rfc2136", Credential: "tsig", Server: "ns1", KeyName: "k", Algorithm: "hmac-md5"}),
	}
	for says, p := range bad {
		err := m.Check(p)
		if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" && says != "megabyte" || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v (%s)", says, err, fault.HintOf(err))
		}
	}
}
