//go:build integration

package main

import (
	"encoding/json"
	"encoding/xml"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// scannedSite is a node with the page of an app behind TLS of its own CA.
func scannedSite(t *testing.T) (p *process, port string) {
	t.Helper()
	w := newPlainWorld(t)
	w.write(map[string]string{
		"site/fazt.hcl":       "edge {\n  domain = \"localhost\"\n  tls = { mode = \"internal\" }\n}\n" + conformLimits + "app \"a\" {\n  content = \"www\"\n}\n",
		"site/www/index.html": strings.Repeat("<p>a page worth compressing\n", 200),
	})
	p = w.serveSecure("a.localhost")
	_, port, err := net.SplitHostPort(p.secureAddr())
	must(t, err)
	return p, port
}

// strong are the suites of TLS 1.2 with a key of the moment and authenticated
// encryption; those of TLS 1.3 all are such.
var strong = regexp.MustCompile(`^ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)$|^TLS_(AES_(128|256)_GCM|CHACHA20_POLY1305)_SHA(256|384)$`)

// sslReport is what is read of sslscan's report.
type sslReport struct {
	Test struct {
		Protocols []struct {
			Type    string `xml:"type,attr"`
			Version string `xml:"version,attr"`
			Enabled int    `xml:"enabled,attr"`
		} `xml:"protocol"`
		Ciphers []struct {
			Version string `xml:"sslversion,attr"`
			Suite   string `xml:"cipher,attr"`
		} `xml:"cipher"`
		Compression *struct {
			Supported int `xml:"supported,attr"`
		} `xml:"compression"`
		Renegotiation *struct{ Supported, Secure int } `xml:"renegotiation"`
		Heartbleed    []struct {
			Vulnerable int `xml:"vulnerable,attr"`
		} `xml:"heartbleed"`
	} `xml:"ssltest"`
}

// TestIntegrationConformSSLScan: nothing below TLS 1.2, and no suite without
// forward secrecy and authenticated encryption.
func TestIntegrationConformSSLScan(t *testing.T) {
	t.Parallel()
	scan := tool(t, "sslscan")
	p, port := scannedSite(t)
	out, err := exec.Command(scan, "--xml=-", "--sni-name=a.localhost", "127.0.0.1:"+port).Output()
	if err != nil {
		t.Fatalf("sslscan: %v\n%s", err, out)
	}
	var report sslReport
	must(t, xml.Unmarshal(out, &report))
	var versions, suites []string
	for _, protocol := range report.Test.Protocols {
		if protocol.Enabled == 1 {
			versions = append(versions, protocol.Type+" "+protocol.Version)
		}
	}
	for _, c := range report.Test.Ciphers {
		suites = append(suites, c.Suite)
		if !strong.MatchString(c.Suite) {
			t.Errorf("%s with %s", c.Version, c.Suite)
		}
	}
	t.Logf("%v: %v", versions, suites)
	if !slices.Equal(versions, []string{"tls 1.2", "tls 1.3"}) || len(suites) < 5 {
		t.Errorf("offered: %v with %v", versions, suites)
	}
	p.alive()
}

// finding is one line of testssl's report.
type finding struct {
	ID, Severity, Finding string
}

// pardoned are findings that are true, and why they are nothing to repair.
var pardoned = map[string]string{
	"cert_revocation": "the node's own CA answers nobody: its certificates end after 90 days, and people trust its root by hand",
	"BREACH":          "a file without a secret in it tells nothing by its size",
}

// TestIntegrationConformTestSSL: testssl.sh finds nothing that it calls worse
// than low.
func TestIntegrationConformTestSSL(t *testing.T) {
	t.Parallel()
	scan := tool(t, "testssl")
	p, port := scannedSite(t)
	args := []string{"--quiet", "--color", "0", "--warnings", "batch", "-n", "none", "--ip", "127.0.0.1",
		"--add-ca", p.state + "/cert/internal/root.crt", "--jsonfile", p.w.path("report.json")}
	every := os.Getenv("FAZT_SCANS") == "all"
	if !every { // of the suites sslscan tells
		args = append(args, "-p", "-S", "-H", "-R", "-C", "-B")
	}
	cmd := exec.Command(scan, append(args, "https://a.localhost:"+port)...)
	cmd.Dir, cmd.Env = p.w.dir, p.w.env
	out, ran := cmd.CombinedOutput() // the exit code counts findings of any kind
	text, err := os.ReadFile(p.w.path("report.json"))
	if err != nil {
		t.Fatalf("testssl: %v\n%s", ran, out)
	}
	var all []finding
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("%v\n%s\n%s", err, text, out)
	}
	judgeFindings(t, all, every)
	p.alive()
}

func judgeFindings(t *testing.T, all []finding, suites bool) {
	t.Helper()
	said := map[string]string{}
	for _, f := range all {
		said[f.ID] = f.Finding
		switch f.Severity {
		case "OK", "INFO":
		case "LOW", "WARN": // WARN is what testssl could not try
			t.Logf("%s %s: %s", f.Severity, f.ID, f.Finding)
		default:
			if why := pardoned[f.ID]; why != "" {
				t.Logf("%s %s: %s: %s", f.Severity, f.ID, f.Finding, why)
				continue
			}
			t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
		}
	}
	wanted := [][2]string{{"SSLv2", "not offered"}, {"SSLv3", "not offered"}, {"TLS1", "not offered"}, {"TLS1_1", "not offered"},
		{"TLS1_2", "offered"}, {"TLS1_3", "offered"}, {"ALPN_HTTP2", "h2"},
		{"cert_chain_of_trust", "passed"}, {"heartbleed", "not vulnerable"}, {"scanTime", ""}}
	if suites {
		wanted = append(wanted, [2]string{"cipherlist_AVERAGE", "not offered"}, [2]string{"PFS", "offered"})
	}
	for _, want := range wanted {
		if got, ok := said[want[0]]; !ok || !strings.HasPrefix(got, want[1]) {
			t.Errorf("%s: %q, want %q", want[0], got, want[1])
		}
	}
}
