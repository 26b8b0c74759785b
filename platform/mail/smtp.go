package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/fazt-sh/fazt/platform/fault"
)

const (
	// dialTime bounds the way to the server.
	dialTime = 10 * time.Second
	// sendTime bounds one message, from the dial to the server's yes.
	sendTime = 30 * time.Second
)

// wire is how servers are reached. The zero value is right; tests have others.
type wire struct {
	roots *x509.CertPool // nil are the machine's
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
}

// deliver speaks SMTP. An error of kind Invalid is for good: the server will not take
// this message however often it is asked. No error names whom the message is for.
func (w wire) deliver(ctx context.Context, c Config, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	client, err := w.client(ctx, c)
	if err != nil {
		return err
	}
	made, err := compose(c, m)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, made)
	if err == nil || made.IsDelivered() { // what goes wrong behind the server's yes is no reason to send again
		return nil
	}
	return refusal(err)
}

// refusal says what the server answered, by its numbers alone: its words, and go-mail's,
// have the address in them.
func refusal(err error) error {
	said, ok := errors.AsType[*gomail.SendError](err)
	switch {
	case !ok: // it did not come as far as the message
		return fault.Wrap(fault.Unavailable, err, "the mail server")
	case said.ErrorCode() == 0:
		return fault.New(fault.Unavailable, "the mail server broke off at %s", said.Reason)
	}
	kind := fault.Unavailable
	if said.ErrorCode() >= 500 && said.Reason != gomail.ErrSMTPMailFrom { // no message goes out from an address that is refused, until somebody mends that
		kind = fault.Invalid
	}
	numbers := strings.TrimSpace(strconv.Itoa(said.ErrorCode()) + " " + said.EnhancedStatusCode())
	return fault.New(kind, "the mail server answered %s at %s", numbers, said.Reason)
}

// client is made for each message: they are few, and a server forgets who is silent.
// Its connection ends with ctx.
func (w wire) client(ctx context.Context, c Config) (*gomail.Client, error) {
	host, port, implicit, err := c.server()
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%q is no port", port)
	}
	trust := &tls.Config{ServerName: host, RootCAs: w.roots, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{gomail.WithPort(number), gomail.WithTimeout(sendTime), gomail.WithoutNoop(), gomail.WithoutRset(),
		gomail.WithTLSConfig(trust), gomail.WithTLSPolicy(gomail.TLSMandatory)}
	switch {
	case implicit:
		options = append(options, gomail.WithSSL(), gomail.WithDialContextFunc(w.connect(ctx, trust)))
	case local(host):
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic), gomail.WithDialContextFunc(w.connect(ctx, nil)))
	default:
		options = append(options, gomail.WithDialContextFunc(w.connect(ctx, nil)))
	}
	if c.User != "" && c.Password != nil {
		// Given by name, as go-mail's own choice takes a connection of ours for one in
		// clear. PLAIN and LOGIN still refuse one that is, but to this machine.
		options = append(options, gomail.WithUsername(c.User), gomail.WithPassword(c.Password()),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the mail block")
	}
	return client, nil
}

// connect returns what dials, with TLS from the start where there is a trust. The
// connection is closed when life ends: go-mail leaves it open when a server lets it in
// and then refuses it, or does not say goodbye.
func (w wire) connect(life context.Context, trust *tls.Config) gomail.DialContextFunc {
	dial := w.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(life, func() { _ = conn.Close() })
		if trust == nil {
			return conn, nil
		}
		secure := tls.Client(conn, trust)
		return secure, secure.HandshakeContext(ctx)
	}
}

// compose makes the message as it is sent.
func compose(c Config, m Message) (*gomail.Msg, error) {
	made := gomail.NewMsg()
	if err := made.From(c.From); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "from of the mail block")
	}
	if err := made.To(m.To); err != nil {
		return nil, fault.New(fault.Invalid, "the address is none")
	}
	made.Subject(m.Subject)
	made.SetDate()
	made.SetMessageID()
	made.SetUserAgent("fazt")
	made.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence is an answer to it
	made.SetBodyString(gomail.TypeTextPlain, m.Text)
	return made, nil
}

// domainOf is what a log may say of an address.
func domainOf(address string) string {
	return address[strings.LastIndexByte(address, '@')+1:]
}
