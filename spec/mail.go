package spec

import (
	"cmp"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
)

// DefaultMailDaily is how many messages a node sends in a day where nobody says.
const DefaultMailDaily = 500

func mailBlock() Block {
	return Block{
		Name: "mail", Since: "0.5.0", Once: true,
		Doc:     "How the node sends mail: links and codes to sign in with, and what is asked of it later. There is at most one.",
		Example: "mail {\n  from     = \"Example <hello@example.com>\"\n  smtp     = \"smtps://smtp.example.com\"\n  user     = \"hello@example.com\"\n  password = secret.smtp\n}",
		Attributes: []Attribute{
			{Name: "from", Type: TypeString, Required: true, Doc: "who it is from: an address, with a name before it or without", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "smtp", Type: TypeString, Required: true, Doc: "the server: `smtps://HOST` (port 465), or `smtp://HOST` (587), which must offer STARTTLS", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "user", Type: TypeString, Doc: "whom the server knows the node as", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "password", Type: TypeSetting, Doc: "and what proves it: a secret", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "daily", Type: TypeNumber, Default: strconv.Itoa(DefaultMailDaily), Min: "1", Max: "1000000", Doc: "messages that are sent in a day at most", Effect: EffectHot, Risk: RiskLow, Since: "0.5.0"},
		},
	}
}

// mailThing evaluates the mail block, if there is one.
func (l *load) mailThing(b *block) {
	if b == nil {
		return
	}
	l.sharedThing(b, "mail", KindMail, func(d *decoded, r *reporter) any {
		m := Mail{From: senderOf(d, r), SMTP: smtpOf(d, r), User: d.string("user"), Password: settingOf(d, "password", r), Daily: int(d.number("daily"))}
		switch {
		case d.attrs["password"] != nil && d.attrs["user"] == nil:
			r.error(codeTogether, d.at("password"), `"password" has no meaning without "user"`, "add user: whom the server knows the node as")
		case d.attrs["user"] != nil && d.attrs["password"] == nil:
			r.error(codeTogether, d.at("user"), `"user" has no meaning without "password"`, "add password = secret.NAME")
		}
		drop(&m.Daily, DefaultMailDaily)
		return m
	})
}

// senderOf is the address that mail is from, with its name.
func senderOf(d *decoded, r *reporter) string {
	text, given := d.values["from"].(string)
	if !given {
		return ""
	}
	a, err := mail.ParseAddress(text)
	if err == nil {
		if email, ok := parseEmail(a.Address); ok {
			a.Address = email
			if a.Name == "" {
				return email
			}
			return a.String()
		}
	}
	r.error(codeValue, d.at("from"), fmt.Sprintf("%s is not a sender", quoted(text)), `write it as "hello@example.com" or "Example <hello@example.com>"`)
	return ""
}

// smtpOf is the server as SCHEME://HOST:PORT.
func smtpOf(d *decoded, r *reporter) string {
	text, given := d.values["smtp"].(string)
	if !given {
		return ""
	}
	server, ok := mailServer(text)
	if !ok {
		r.error(codeValue, d.at("smtp"), fmt.Sprintf("%s is not the address of a mail server", quoted(text)), `write it as "smtps://smtp.example.com" or "smtp://smtp.example.com:587"`)
	}
	return server
}

func mailServer(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	port, usual := u.Port(), map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
	n, err := strconv.ParseUint(cmp.Or(port, usual), 10, 16)
	if err != nil || n == 0 {
		return "", false
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return fmt.Sprintf("%s://%s", u.Scheme, netip.AddrPortFrom(a, uint16(n))), true
	}
	host, err := ParseHost(u.Hostname())
	return fmt.Sprintf("%s://%s:%d", u.Scheme, host, n), err == nil
}

// Filled is how mail is sent with the values that hold.
func (m Mail) Filled() Mail {
	m.Daily = cmp.Or(m.Daily, DefaultMailDaily)
	return m
}

// Written are the arguments that are set, as in OAuth.
func (m Mail) Written() map[string]any {
	w := written{}
	w.text("from", m.From)
	w.text("smtp", m.SMTP)
	w.text("user", m.User)
	w.setting("password", m.Password)
	w.number("daily", m.Daily)
	return w
}
