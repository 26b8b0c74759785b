package source

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
)

const uploadPack = "git-upload-pack"

// httpRemote speaks git's smart HTTP. It has a client of its own, sends its
// credentials to the configured origin only, and follows no redirect that
// leaves it.
type httpRemote struct {
	at     address
	ref    string
	creds  Credentials
	limits Limits
	client *http.Client
}

func newHTTPRemote(at address, ref string, c Credentials, limits Limits) (*httpRemote, error) {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  60 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	if c.CAFile != "" {
		pool, err := certificates(c.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &httpRemote{at, ref, c, limits, &http.Client{Transport: transport, CheckRedirect: sameOrigin}}, nil
}

func certificates(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the file of certificate authorities cannot be read")
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, refused("the file %q holds no certificate", file)
	}
	return pool, nil
}

// sameOrigin follows a few redirects of the first request within its origin, as
// forges answer for renamed repositories.
func sameOrigin(next *http.Request, via []*http.Request) error {
	from := via[0].URL
	if from.Scheme != next.URL.Scheme || from.Host != next.URL.Host {
		return fault.New(fault.Forbidden, "the repository redirects from %s://%s to %s://%s, which is not followed",
			from.Scheme, from.Host, next.URL.Scheme, next.URL.Host).WithHint("if that is right, name the new address in --repo")
	}
	if via[0].Method != http.MethodGet || len(via) > 5 {
		return fault.New(fault.Unavailable, "the repository at %s redirects too often", from.Host)
	}
	return nil
}

func (r *httpRemote) close() { r.client.CloseIdleConnections() }

func (r *httpRemote) connect(ctx context.Context) (session, error) {
	target := r.at.String() + "/info/refs"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target+"?service="+uploadPack, nil)
	if err != nil {
		return nil, remoteFault(ctx, r.at, err)
	}
	response, err := r.do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); kind != "application/x-"+uploadPack+"-advertisement" {
		return nil, unreachable(r.at, fmt.Sprintf("it answers with %q, not as a git server", printable(kind, 60)), nil)
	}
	found, err := readAdvert(response.Body, r.ref)
	if err != nil {
		return nil, remoteFault(ctx, r.at, err)
	}
	if err := found.chosen(r.at, r.ref); err != nil {
		return nil, err
	}
	base := *response.Request.URL
	base.RawQuery = ""
	if !strings.HasSuffix(base.Path, "/info/refs") {
		return nil, unreachable(r.at, "it redirects to something that is no repository", nil)
	}
	base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/info/refs"), strings.TrimSuffix(base.RawPath, "/info/refs")
	return &httpSession{r, found, base}, nil
}

// do sends a request and classes what the server says to it.
func (r *httpRemote) do(request *http.Request) (*http.Response, error) {
	request.Header.Set("User-Agent", "git/fazt")
	if r.creds.Password != "" {
		request.SetBasicAuth(r.creds.username(), string(r.creds.Password))
	}
	response, err := r.client.Do(request)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, remoteFault(request.Context(), r.at, err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	response.Body.Close()
	return nil, r.statusFault(response.StatusCode)
}

func (r *httpRemote) statusFault(status int) error {
	text := fmt.Sprintf("%d %s", status, strings.ToLower(http.StatusText(status)))
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return unauthenticated(r.at, text, "give a user name and an access token that may read the repository")
	case http.StatusNotFound, http.StatusGone:
		return fault.New(fault.NotFound, "there is no repository at %s, or the credentials may not see it", r.at).
			WithSubject(r.at.String()).WithHint("check the address; private repositories need an access token")
	default:
		return unreachable(r.at, "it answers "+text, nil)
	}
}

// httpSession remembers what the first answer said.
type httpSession struct {
	*httpRemote
	found *advert
	base  url.URL // where the repository turned out to be
}

func (s *httpSession) head() plumbing.Hash      { return s.found.id }
func (s *httpSession) shallow() []plumbing.Hash { return s.found.shallow }
func (s *httpSession) canCut() bool             { return s.found.canCut() }
func (s *httpSession) Close() error             { return nil }

func (s *httpSession) fetch(ctx context.Context, into *store, o order) (delivery, error) {
	body, err := s.found.request(o)
	if err != nil {
		return delivery{}, err
	}
	paced, pace := newPace(ctx)
	d, err := s.post(paced, pace, body, into, o)
	return d, remoteFault(ctx, s.at, pace.end(paced, s.at, err))
}

func (s *httpSession) post(ctx context.Context, p *pace, body []byte, into *store, o order) (delivery, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base.JoinPath(uploadPack).String(), bytes.NewReader(body))
	if err != nil {
		return delivery{}, err
	}
	request.Header.Set("Content-Type", "application/x-"+uploadPack+"-request")
	request.Header.Set("Accept", "application/x-"+uploadPack+"-result")
	response, err := s.do(request)
	if err != nil {
		return delivery{}, err
	}
	defer response.Body.Close()
	return s.found.receive(ctx, p, response.Body, into, o, s.limits)
}
