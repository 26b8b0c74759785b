package mail_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/mail"
)

// server speaks as much SMTP as one message takes.
type server struct {
	net.Listener
	tls      *tls.Config
	roots    *x509.CertPool
	implicit bool // TLS from the start
	starttls bool
	auth     string // what it offers behind TLS, or without it where it has no STARTTLS

	mu      sync.Mutex
	answers map[string][]string // by verb, "." is the end of DATA: the next ones that are not yes; "" hangs up
	said    []string            // lines of clients, texts of messages left out
	texts   []string            // of messages that were taken
}

func newServer(t *testing.T, s *server) *server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"smtp.example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = x509.NewCertPool()
	s.roots.AddCert(made)
	s.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if s.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	go func() {
		for {
			c, err := s.Accept()
			if err != nil {
				return
			}
			go s.talk(c)
		}
	}()
	return s
}

// answer is what the server says to a verb that would have a yes.
func (s *server) answer(verb, yes string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next := s.answers[verb]; len(next) > 0 {
		s.answers[verb] = next[1:]
		return next[0]
	}
	return yes
}

func (s *server) note(list *[]string, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, line)
}

func (s *server) heard(verb string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.said, func(line string) bool { return strings.HasPrefix(line, verb) })
}

func (s *server) letters() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.texts)
}

func (s *server) talk(c net.Conn) {
	defer func() { _ = c.Close() }()
	secure := s.implicit
	if s.implicit {
		c = tls.Server(c, s.tls)
	}
	in := bufio.NewReader(c)
	if !say(c, s.answer("HELLO", "220 test")) {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		s.note(&s.said, line)
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		answer := s.answer(verb, s.yes(verb, secure))
		if !say(c, answer) || verb == "QUIT" {
			return
		}
		switch {
		case verb == "STARTTLS":
			c, secure = tls.Server(c, s.tls), true
			in = bufio.NewReader(c)
		case verb == "DATA" && strings.HasPrefix(answer, "354"):
			text, err := textproto.NewReader(in).ReadDotBytes()
			if err != nil {
				return
			}
			answer := s.answer(".", "250 taken")
			if strings.HasPrefix(answer, "250") {
				s.note(&s.texts, string(text))
			}
			if !say(c, answer) {
				return
			}
		}
	}
}

func say(c net.Conn, answer string) bool {
	if answer == "" {
		return false
	}
	_, err := fmt.Fprintf(c, "%s\r\n", answer)
	return err == nil
}

// yes is the usual answer to a verb.
func (s *server) yes(verb string, secure bool) string {
	switch {
	case verb == "EHLO" && s.starttls && !secure:
		return "250-test\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS"
	case verb == "EHLO":
		return strings.TrimSpace("250-test\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH " + s.auth)
	case verb == "STARTTLS":
		return "220 go on"
	case verb == "AUTH":
		return "235 yes"
	case verb == "DATA":
		return "354 go on"
	case verb == "QUIT":
		return "221 bye"
	}
	return "250 ok"
}

// deliver sends a message as Run does, with a server at whatever address.
func (s *server) deliver(t *testing.T, c mail.Config) error {
	t.Helper()
	return s.deliverer()(t.Context(), c, letter())
}

func (s *server) deliverer() func(context.Context, mail.Config, mail.Message) error {
	return mail.Deliverer(s.roots, func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Addr().String())
	})
}

func letter() mail.Message {
	return mail.Message{To: "ana@example.com", Subject: "Your code is 123456", Text: "123456\n.\nü\n"}
}

// signedIn is a configuration with a password.
func signedIn(address string) mail.Config {
	return mail.Config{From: "Example <hello@example.com>", SMTP: address, User: "u", Password: func() string { return "p" }}
}

// TestSMTP signs in behind TLS and sends what is to be read, whatever is in it.
func TestSMTP(t *testing.T) {
	for name, s := range map[string]*server{
		"smtp://smtp.example.com:587":  {starttls: true, auth: "PLAIN"},
		"smtp://smtp.example.com":      {starttls: true, auth: "GSSAPI LOGIN PLAIN"},
		"smtps://smtp.example.com:465": {implicit: true, auth: "PLAIN"},
		"smtp://127.0.0.1:25":          {auth: "PLAIN"}, // in clear, to this machine
	} {
		t.Run(name, func(t *testing.T) {
			newServer(t, s)
			if err := s.deliver(t, signedIn(name)); err != nil {
				t.Fatal(err)
			}
			got := s.letters()
			if len(got) != 1 || !s.heard("AUTH PLAIN") {
				t.Fatalf("%d messages, %q", len(got), s.said)
			}
			for _, want := range []string{"Subject: Your code is 123456", "Auto-Submitted: auto-generated", "To: <ana@example.com>", "hello@example.com", "Message-ID:", "Date:", "text/plain; charset=UTF-8"} {
				if !strings.Contains(got[0], want) {
					t.Errorf("no %q in\n%s", want, got[0])
				}
			}
		})
	}
}

// TestSMTPRefuses tells a no for good from one for now, and says neither to whom nor
// what the server quotes.
func TestSMTPRefuses(t *testing.T) {
	for _, c := range []struct {
		verb, answer string
		kind         fault.Kind
		says         string
	}{
		{"RCPT", "550 5.1.1 <ana@example.com>: nobody", fault.Invalid, "550 5.1.1"},
		{"MAIL", "553 not you", fault.Unavailable, "553"}, // the mistake is in the mail block, and may be mended in time
		{".", "554 5.7.1 spam for ana@example.com", fault.Invalid, "554 5.7.1"},
		{"RCPT", "451 4.3.0 ana is greylisted", fault.Unavailable, "451 4.3.0"},
		{"DATA", "421 4.3.2 closing", fault.Unavailable, "421"},
		{".", "", fault.Unavailable, "broke off"},
		{"HELLO", "554 go away", fault.Unavailable, "554"},
		{"AUTH", "535 5.7.8 no", fault.Unavailable, "535"},
	} {
		s := newServer(t, &server{starttls: true, auth: "PLAIN", answers: map[string][]string{c.verb: {c.answer}}})
		err := s.deliver(t, signedIn("smtp://smtp.example.com"))
		if fault.KindOf(err) != c.kind || !strings.Contains(fault.Message(err), c.says) || strings.Contains(fault.Message(err), "ana") {
			t.Errorf("%s %s: %s, %v", c.verb, c.answer, fault.KindOf(err), err)
		}
		if got := s.letters(); len(got) != 0 {
			t.Errorf("%s %s: it was taken", c.verb, c.answer)
		}
	}
}

// TestSMTPTaken holds that nothing behind the server's yes has a message sent again.
func TestSMTPTaken(t *testing.T) {
	for _, answers := range []map[string][]string{{"QUIT": {""}}, {"QUIT": {"500 what"}}, {"RSET": {"502 no"}}, {"RSET": {""}}} {
		s := newServer(t, &server{starttls: true, answers: answers})
		if err := s.deliver(t, mail.Config{From: "hello@example.com", SMTP: "smtp://smtp.example.com"}); err != nil || len(s.letters()) != 1 {
			t.Errorf("%v: %d taken, %v", answers, len(s.letters()), err)
		}
	}
}

// TestSMTPTrustsNobody says nothing of a message, and no password, to a server that
// cannot prove who it is.
func TestSMTPTrustsNobody(t *testing.T) {
	for _, c := range []struct {
		address string
		server  *server
		roots   bool
	}{
		{"smtp://smtp.example.com", &server{auth: "PLAIN"}, true},                   // no STARTTLS
		{"smtp://smtp.example.com", &server{starttls: true, auth: "PLAIN"}, false},  // nobody's certificate
		{"smtp://mail.example.org", &server{starttls: true, auth: "PLAIN"}, true},   // somebody else's
		{"smtps://smtp.example.com", &server{implicit: true, auth: "PLAIN"}, false}, // nobody's
		{"smtps://mail.example.org", &server{implicit: true, auth: "PLAIN"}, true},  // somebody else's
	} {
		s := newServer(t, c.server)
		if !c.roots {
			s.roots = x509.NewCertPool()
		}
		for _, user := range []string{"u", ""} { // whoever signs in has one more reason to stop
			config := signedIn(c.address)
			config.User = user
			err := s.deliver(t, config)
			if fault.KindOf(err) != fault.Unavailable || s.heard("AUTH") || s.heard("MAIL") {
				t.Errorf("%s, user %q: %v", c.address, user, err)
			}
		}
	}
	for _, address := range []string{"", "smtp.example.com", "http://smtp.example.com", "smtp://", "smtp://smtp.example.com:x"} {
		if err := mail.Deliverer(nil, nil)(t.Context(), signedIn(address), letter()); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestSMTPHangsUp closes the connection of a server that let it in and then refused.
func TestSMTPHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it ends a test whose server waits for ever
		client, end := net.Pipe()
		closed := make(chan error, 1)
		go func() {
			_, _ = fmt.Fprint(end, "220 test\r\n")
			in := bufio.NewReader(end)
			_, _ = in.ReadString('\n')
			_, _ = fmt.Fprint(end, "250 no STARTTLS here\r\n")
			_, err := in.ReadString('\n')
			closed <- err
		}()
		deliver := mail.Deliverer(nil, func(context.Context, string, string) (net.Conn, error) { return client, nil })
		if err := deliver(t.Context(), signedIn("smtp://smtp.example.com"), letter()); err == nil {
			t.Error("it was sent")
		}
		if err := <-closed; err == nil {
			t.Error("the connection is open")
		}
	})
}
