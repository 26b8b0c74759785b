package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/fazt-sh/fazt/platform/fault"
)

// sendTime bounds one message, from the dial to the server's yes.
const sendTime = 30 * time.Second

// deliver speaks SMTP. An error of kind Invalid is for good: the server will not take
// this message however often it is asked.
func deliver(ctx context.Context, c Config, m Message) error {
	return deliverWith(ctx, c, m, nil)
}

func deliverWith(ctx context.Context, c Config, m Message, trust *tls.Config) error {
	client, err := c.client(trust)
	if err != nil {
		return err
	}
	made, err := compose(c, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, made); err != nil {
		if refused, ok := errors.AsType[*gomail.SendError](err); ok && !refused.IsTemp() && refused.ErrorCode() >= 500 {
			return fault.Wrap(fault.Invalid, err, "the mail server refuses it")
		}
		return fault.Wrap(fault.Unavailable, err, "the mail server")
	}
	return nil
}

// client is made for each message: they are few, and a server forgets who is silent.
func (c Config) client(trust *tls.Config) (*gomail.Client, error) {
	host, port, implicit, err := c.server()
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%q is no port", port)
	}
	options := []gomail.Option{gomail.WithPort(number), gomail.WithTimeout(10 * time.Second), gomail.WithoutNoop()}
	switch {
	case implicit:
		options = append(options, gomail.WithSSL())
	case local(host):
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if trust != nil {
		options = append(options, gomail.WithTLSConfig(trust))
	}
	if c.User != "" && c.Password != nil {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.User), gomail.WithPassword(c.Password()))
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the mail block")
	}
	return client, nil
}

// compose makes the message as it is sent.
func compose(c Config, m Message) (*gomail.Msg, error) {
	made := gomail.NewMsg()
	if err := made.From(c.From); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "from of the mail block")
	}
	if err := made.To(m.To); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the address")
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
	_, domain, _ := strings.Cut(address, "@")
	return domain
}
