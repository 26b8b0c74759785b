package spec

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// letsEncrypt is the ACME directory that is asked where none is named.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// tsigAlgorithm is the algorithm of a key where none is named.
const tsigAlgorithm = "hmac-sha256"

// dnsPort is where name servers listen.
const dnsPort = 53

// tlsRow is the row of how connections are encrypted.
func tlsRow() Attribute {
	return Attribute{
		Name: "tls", Type: TypeObject, Default: `{ mode = "off" }`, Doc: "how visitors' connections are encrypted", Effect: EffectHot, Risk: RiskHigh, Since: "0.1.0",
		Example: "tls = {\n  mode  = \"acme\"\n  email = \"ops@example.com\"\n  dns   = { provider = \"cloudflare\", credential = \"dns-token\" }\n}",
		Attributes: []Attribute{
			{Name: "mode", Type: TypeString, Required: true, Allowed: []string{TLSACME, TLSInternal, TLSFiles, TLSOff}, Effect: EffectHot, Risk: RiskHigh, Since: "0.1.0",
				Doc: "acme: certificates of a public CA, got and renewed by the node; internal: of the node's own CA; files: of credentials; off: plain HTTP, behind a proxy that encrypts"},
			{Name: "email", Type: TypeString, Doc: "acme: whom the CA writes to", Effect: EffectHot, Risk: RiskLow, Since: "0.3.0"},
			{Name: "ca", Type: TypeString, Default: `"` + letsEncrypt + `"`, Doc: "acme: URL of the CA's directory", Effect: EffectHot, Risk: RiskMedium, Since: "0.3.0"},
			{Name: "ca_root", Type: TypeCredential, Doc: "acme: a PEM file with the certificates to trust when the CA is asked", Effect: EffectHot, Risk: RiskMedium, Since: "0.3.0"},
			dnsRow(),
			{Name: "files", Type: TypeObjects, Doc: "files: the certificates; each serves the names that it is for", Effect: EffectHot, Risk: RiskMedium, Since: "0.3.0",
				Example: `tls = { mode = "files", files = [{ cert = "www-cert", key = "www-key" }] }`,
				Attributes: []Attribute{
					{Name: "cert", Type: TypeCredential, Required: true, Doc: "the certificate and its chain, PEM", Since: "0.3.0"},
					{Name: "key", Type: TypeCredential, Required: true, Doc: "its private key, PEM", Since: "0.3.0"},
				}},
		},
	}
}

func dnsRow() Attribute {
	return Attribute{
		Name: "dns", Type: TypeObject, Doc: "acme: answer challenges by records, as certificates of wildcards need", Effect: EffectHot, Risk: RiskMedium, Since: "0.3.0",
		Example: "tls = {\n  mode = \"acme\"\n  dns = {\n    provider   = \"rfc2136\"\n    server     = \"ns1.example.com:53\"\n    key_name   = \"fazt\"\n    credential = \"dns-key\"\n  }\n}",
		Attributes: []Attribute{
			{Name: "provider", Type: TypeString, Required: true, Allowed: []string{"cloudflare", "rfc2136"}, Doc: "who has the zone", Since: "0.3.0"},
			{Name: "credential", Type: TypeCredential, Required: true, Doc: "cloudflare: an API token that may edit the zone; rfc2136: the secret of the key, base64", Since: "0.3.0"},
			{Name: "server", Type: TypeString, Doc: "rfc2136: the server that takes updates, HOST or HOST:PORT", Since: "0.3.0"},
			{Name: "zone", Type: TypeString, Doc: "the zone, where it cannot be found by asking", Since: "0.3.0"},
			{Name: "key_name", Type: TypeString, Doc: "rfc2136: the name of the key", Since: "0.3.0"},
			{Name: "algorithm", Type: TypeString, Default: `"` + tsigAlgorithm + `"`, Allowed: []string{"hmac-sha1", "hmac-sha224", tsigAlgorithm, "hmac-sha384", "hmac-sha512"}, Doc: "rfc2136: the algorithm of the key", Since: "0.3.0"},
		},
	}
}

// keysOf are the keys of tls that a mode has a use for.
func keysOf(mode string) []string {
	switch mode {
	case TLSACME:
		return []string{"mode", "email", "ca", "ca_root", "dns"}
	case TLSFiles:
		return []string{"mode", "files"}
	default:
		return []string{"mode"}
	}
}

// tlsOf is edge.tls in canonical form.
func tlsOf(d *decoded, r *reporter) TLS {
	o, ok := d.values["tls"].(object)
	if !ok {
		return TLS{}
	}
	t := TLS{Mode: o.string("mode"), Email: o.string("email"), CA: caOf(o, r), CARoot: o.string("ca_root"), DNS: dnsOf(o, r), Files: tlsFiles(o)}
	fits := onlyKeys(o, keysOf(t.Mode), "mode", t.Mode, r)
	switch {
	case t.Mode == TLSOff:
		t.Mode = ""
	case t.Mode == TLSFiles && len(t.Files) == 0:
		r.error(codeMissing, o.place.at(), `"tls" with the mode "files" has no "files"`, `add files = [{ cert = "NAME", key = "NAME" }], with names given to the node by --credential NAME=PATH`)
	case t.Mode == TLSACME && t.Email == "" && fits:
		r.warn(codeNoEmail, o.place.at(), `"tls" has no "email"`, `add email = "ops@example.com": the CA has nobody to write to when something is wrong with a certificate`)
	}
	if t.Email != "" && !isEmail(t.Email) {
		r.error(codeValue, o.place.key("email").at(), fmt.Sprintf("%s is not an e-mail address", quoted(t.Email)), `write it as "ops@example.com"`)
	}
	return t
}

// onlyKeys reports the keys of an object that the value of one of them has no
// use for.
func onlyKeys(o object, useful []string, key, value string, r *reporter) bool {
	fits := true
	for _, k := range sortedKeys(o.values) {
		if !slices.Contains(useful, k) {
			fits = false
			r.error(codeTogether, o.place.keyAt(k), fmt.Sprintf("%q has no meaning with %s = %q", o.place.name+"."+k, key, value), "remove it, or choose another "+key)
		}
	}
	return fits
}

// caOf is the CA's directory, empty where it is the usual one.
func caOf(o object, r *reporter) string {
	text := o.string("ca")
	u, err := url.Parse(text)
	if text != "" && (err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "") {
		r.error(codeValue, o.place.key("ca").at(), fmt.Sprintf("%s is not the URL of an ACME directory", quoted(text)), `write it as "https://acme.example.com/directory"`)
	}
	if text == letsEncrypt {
		return ""
	}
	return text
}

// dnsOf is tls.dns in canonical form, nil where it is not there.
func dnsOf(tls object, r *reporter) *DNS {
	o, ok := tls.values["dns"].(object)
	if !ok {
		return nil
	}
	d := DNS{
		Provider: o.string("provider"), Credential: o.string("credential"), Server: o.string("server"), Zone: o.string("zone"),
		KeyName: o.string("key_name"), Algorithm: o.string("algorithm"),
	}
	drop(&d.Algorithm, tsigAlgorithm)
	if d.Provider == "rfc2136" {
		needs(o, r, "server", "key_name")
		d.Server = serverOf(o, r)
	} else {
		onlyKeys(o, []string{"provider", "credential", "zone"}, "provider", d.Provider, r)
	}
	if zone, err := ParseHost(strings.TrimSuffix(d.Zone, ".")); d.Zone != "" && err != nil {
		r.error(codeHost, o.place.key("zone").at(), sentence(err.Error()), `write it as "example.com"`)
	} else if d.Zone != "" {
		d.Zone = zone
	}
	return &d
}

// needs reports keys that are not there and that the others ask for.
func needs(o object, r *reporter, keys ...string) {
	dns := dnsRow()
	for _, key := range keys {
		if row, _ := attribute(dns.Attributes, key); o.string(key) == "" {
			r.error(codeMissing, o.place.at(), fmt.Sprintf("%q has no %q", o.place.name, key), "add "+key+": "+row.Doc)
		}
	}
}

// serverOf is the server of a zone as HOST:PORT.
func serverOf(o object, r *reporter) string {
	text := o.string("server")
	server, ok := serverAddr(text)
	if text != "" && !ok {
		r.error(codeValue, o.place.key("server").at(), fmt.Sprintf("%s is not the address of a server", quoted(text)), `write it as "ns1.example.com" or "192.0.2.1:53"`)
	}
	return server
}

// serverAddr reads HOST, ADDRESS, HOST:PORT or ADDRESS:PORT; without a port it
// is that of DNS.
func serverAddr(text string) (string, bool) {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.String(), a.Port() > 0
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, dnsPort).String(), true
	}
	name, port, given := strings.Cut(text, ":")
	host, err := ParseHost(name)
	if !given {
		port = strconv.Itoa(dnsPort)
	}
	n, wrong := strconv.ParseUint(port, 10, 16)
	return fmt.Sprintf("%s:%d", host, n), err == nil && wrong == nil && n > 0
}

func tlsFiles(tls object) []TLSFile {
	list, _ := tls.values["files"].([]object)
	var files []TLSFile
	for _, o := range list {
		files = append(files, TLSFile{Cert: o.string("cert"), Key: o.string("key")})
	}
	return files
}

// isEmail tells whether a text is one plain address and nothing else.
func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	odd := func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"(),:;<>@[\]`, c) }
	if at < 1 || strings.IndexFunc(s[:at], odd) >= 0 {
		return false
	}
	_, err := ParseHost(s[at+1:])
	return err == nil
}

// On tells whether connections are encrypted.
func (t TLS) On() bool { return t.Mode != "" && t.Mode != TLSOff }

// MarshalJSON writes "off", or the settings as an object.
func (t TLS) MarshalJSON() ([]byte, error) {
	if !t.On() {
		return json.Marshal(TLSOff)
	}
	type plain TLS
	return json.Marshal(plain(t))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *TLS) UnmarshalJSON(text []byte) error {
	var mode string
	if json.Unmarshal(text, &mode) == nil {
		*t = TLS{Mode: mode}
		drop(&t.Mode, TLSOff)
		return nil
	}
	type plain TLS
	return json.Unmarshal(text, (*plain)(t))
}
