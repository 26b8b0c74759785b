package mail_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/mail"
)

// server speaks as much SMTP as one message takes.
type server struct {
	net.Listener
	tls      *tls.Config
	starttls bool
	refuse   string // to RCPT; empty takes everybody
	got      chan string
}

func newServer(t *testing.T, starttls bool, refuse string) (*server, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(made)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l, starttls: starttls, refuse: refuse, got: make(chan string, 1),
		tls: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return s, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

func (s *server) talk(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	say := func(format string, args ...any) { fmt.Fprintf(c, format+"\r\n", args...) }
	say("220 test")
	var letter strings.Builder
	for secure := false; ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb := strings.ToUpper(line)
		switch {
		case strings.HasPrefix(verb, "EHLO"):
			if s.starttls && !secure {
				say("250-test")
				say("250 STARTTLS")
			} else {
				say("250-test")
				say("250 AUTH PLAIN")
			}
		case strings.HasPrefix(verb, "STARTTLS"):
			say("220 go on")
			t := tls.Server(c, s.tls)
			c, in, secure = t, bufio.NewReader(t), true
		case strings.HasPrefix(verb, "AUTH"):
			letter.WriteString("secure " + fmt.Sprint(secure) + " " + line)
			say("235 yes")
		case strings.HasPrefix(verb, "RCPT") && s.refuse != "":
			say("%s", s.refuse)
		case strings.HasPrefix(verb, "DATA"):
			say("354 go on")
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				letter.WriteString(line)
			}
			say("250 taken")
			s.got <- letter.String()
		case strings.HasPrefix(verb, "QUIT"):
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func letter() mail.Message {
	return mail.Message{To: "ana@example.com", Subject: "Your code is 123456", Text: "123456\n.\nü\n"}
}

// TestSMTP signs in behind TLS and sends what is to be read, whatever is in it.
func TestSMTP(t *testing.T) {
	s, trust := newServer(t, true, "")
	c := mail.Config{From: "Example <hello@example.com>", SMTP: "smtp://" + s.Addr().String(), User: "u", Password: func() string { return "p" }}
	if err := mail.Deliver(t.Context(), c, letter(), trust); err != nil {
		t.Fatal(err)
	}
	got := <-s.got
	for _, want := range []string{"secure true AUTH PLAIN", "Subject: Your code is 123456", "Auto-Submitted: auto-generated", "To: <ana@example.com>", "hello@example.com", "Message-ID:", "Date:"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestSMTPRefuses tells a no for good from one for now.
func TestSMTPRefuses(t *testing.T) {
	for answer, kind := range map[string]fault.Kind{"550 5.1.1 nobody": fault.Invalid, "451 4.3.0 later": fault.Unavailable} {
		s, trust := newServer(t, true, answer)
		err := mail.Deliver(t.Context(), mail.Config{From: "hello@example.com", SMTP: "smtp://" + s.Addr().String()}, letter(), trust)
		if fault.KindOf(err) != kind {
			t.Errorf("%s: %s, %v", answer, fault.KindOf(err), err)
		}
	}
}

// TestSMTPTrustsNobody sends nothing to a server whose certificate is not good, and
// nothing to one that has none unless it is this machine.
func TestSMTPTrustsNobody(t *testing.T) {
	s, _ := newServer(t, true, "")
	c := mail.Config{From: "hello@example.com", SMTP: "smtp://" + s.Addr().String(), User: "u", Password: func() string { return "p" }}
	if err := mail.Deliver(t.Context(), c, letter(), nil); err == nil {
		t.Error("a certificate of nobody was taken")
	}
	plain, _ := newServer(t, false, "")
	_, port, err := net.SplitHostPort(plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.SMTP = "smtp://127.0.0.1.nip.invalid:" + port
	if err := mail.Deliver(t.Context(), c, letter(), nil); err == nil {
		t.Error("it was sent in clear")
	}
	for _, address := range []string{"", "smtp.example.com", "http://smtp.example.com", "smtp://"} {
		c.SMTP = address
		if err := mail.Deliver(t.Context(), c, letter(), nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", address, err)
		}
	}
}
