package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// pinForm is a pin: the SHA-256 of the key of a certificate, which outlives the
// certificate where it is made anew with the same key.
var pinForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// pinOf is the pin of a certificate.
func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func checkPin(pin string) error {
	if pin == "" || pinForm.MatchString(pin) {
		return nil
	}
	return fault.New(fault.Invalid, "%q is no pin", pin).WithHint("it is sha256: and 64 hexadecimal digits, as `fazt cert list` prints it on the node")
}

// vouched checks what a server shows for its host, where the certificate with the pin
// is the only one that is trusted.
func vouched(pin string, chain []*x509.Certificate, host string) error {
	if host == "" || len(chain) == 0 {
		return fault.New(fault.Invalid, "there is no host to check a certificate for")
	}
	options := x509.VerifyOptions{DNSName: host, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	found := false
	for _, c := range chain {
		if pinOf(c) == pin {
			options.Roots.AddCert(c)
			found = true
		} else {
			options.Intermediates.AddCert(c)
		}
	}
	if !found {
		return fault.New(fault.Conflict, "the certificate of %s does not lead to the pinned key", host).
			WithHint("nothing was sent. If the node has a new CA, compare the pin of `fazt cert list` there; else somebody stands between")
	}
	if _, err := chain[0].Verify(options); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the certificate of %s", host)
	}
	return nil
}

// transport reaches a peer: with a pin by that alone, else by whom this machine
// trusts.
func (p peer) transport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = dialNamed
	u, err := url.Parse(p.URL)
	switch {
	case err != nil || u.Scheme != "https":
		return t
	case p.Pin == "":
		return wary{t, u.Hostname()}
	}
	t.TLSClientConfig = &tls.Config{
		InsecureSkipVerify: true, // what follows is stricter
		VerifyConnection:   func(s tls.ConnectionState) error { return vouched(p.Pin, s.PeerCertificates, u.Hostname()) },
	}
	return t
}

// dialNamed connects to a name. Those below localhost are this machine's (RFC 6761,
// 6.3), also where no resolver knows them.
func dialNamed(ctx context.Context, network, addr string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(host, ".localhost") {
		addr = net.JoinHostPort("localhost", port)
	}
	dialer := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return dialer.DialContext(ctx, network, addr)
}

// wary is a transport that says of a certificate which nobody vouches for how it
// could be trusted.
type wary struct {
	http.RoundTripper
	host string
}

// RoundTrip implements http.RoundTripper.
func (w wary) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	var unproved *tls.CertificateVerificationError
	if errors.As(err, &unproved) {
		err = w.stranger(unproved)
	}
	return resp, err
}

// stranger names the pin that would do: of the node's CA where the node shows it, as
// that stays when its certificates are renewed.
func (w wary) stranger(e *tls.CertificateVerificationError) error {
	for i := len(e.UnverifiedCertificates) - 1; i >= 0; i-- {
		if pin := pinOf(e.UnverifiedCertificates[i]); vouched(pin, e.UnverifiedCertificates, w.host) == nil {
			return fault.New(fault.Conflict, "the certificate of %s leads to nobody whom this machine trusts", w.host).
				WithHint("its pin is %s: compare it with what `fazt cert list` prints on the node, and add --pin with it if they are the same", pin)
		}
	}
	return fault.Wrap(fault.Unavailable, e.Err, "the certificate of %s", w.host)
}
