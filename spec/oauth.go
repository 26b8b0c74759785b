package spec

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// The providers that are known by their label.
const (
	ProviderGoogle    = "google"
	ProviderGitHub    = "github"
	ProviderMicrosoft = "microsoft"
)

// devProvider is the one that `fazt dev` has; nobody else may be called so.
const devProvider = "dev"

func oauthBlock() Block {
	text := func(name, doc string, risk Risk) Attribute {
		return Attribute{Name: name, Type: TypeString, Doc: doc, Effect: EffectHot, Risk: risk, Since: "0.5.0"}
	}
	id := text("client_id", "what the provider calls this node", RiskMedium)
	id.Required = true
	tenant := text("tenant", "microsoft: whose accounts, an id or a domain", RiskHigh)
	tenant.Default = `"common"`
	return Block{
		Name: "oauth", Labels: []string{"name"}, Since: "0.5.0",
		Doc: "Somebody who vouches for people when they sign in: `google`, `github`, `microsoft`, or any OpenID Connect provider by its issuer. " +
			"Tell the provider the address `https://CONSOLE/auth/callback/NAME`, where CONSOLE is `console` of edge.",
		Example: "oauth \"google\" {\n  client_id     = \"81234.apps.googleusercontent.com\"\n  client_secret = secret.google\n  allow_domains = [\"example.com\"]\n}",
		Attributes: []Attribute{
			id,
			{Name: "client_secret", Type: TypeSetting, Doc: "what proves that it is this node: a secret. A provider of your own may want none", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			text("issuer", "the provider's address, as in its tokens; google, github and microsoft have theirs", RiskHigh),
			tenant,
			{Name: "allow_domains", Type: TypeStrings, Default: "all", Doc: "the domains whose verified addresses may sign in by it", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "scopes", Type: TypeStrings, Doc: "what to ask for besides openid, email and profile", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			text("label", "what the button says, such as Example Ltd", RiskLow),
		},
	}
}

// oauths evaluates the oauth blocks.
func (l *load) oauths(blocks []*block) {
	l.declare("oauth", "oauth", blocks)
	for _, b := range blocks {
		if b.label() == devProvider {
			l.report.error(codeName, b.name(), `an oauth cannot be called "dev"`, "it is the provider of fazt dev, which nobody has to prove anything to; choose another name")
		}
		l.sharedThing(b, Addr("oauth."+b.label()), KindOAuth, func(d *decoded, r *reporter) any { return oauthOf(d, r) })
	}
}

func oauthOf(d *decoded, r *reporter) OAuth {
	o := OAuth{
		Provider: d.block.label(), Issuer: issuerOf(d, r), ClientID: d.string("client_id"), ClientSecret: settingOf(d, "client_secret", r),
		Tenant: tenantOf(d, r), AllowDomains: domainsOf(d, r), Scopes: scopesOf(d, r), Label: d.string("label"),
	}
	_, known := knownProviders()[o.Provider]
	switch {
	case known && d.attrs["issuer"] != nil:
		r.error(codeTogether, d.at("issuer"), fmt.Sprintf("%q has no meaning in oauth %q", "issuer", o.Provider), "its issuer is known: remove it, or give the block another name")
	case !known && d.attrs["issuer"] == nil:
		r.error(codeMissing, d.block.Place, fmt.Sprintf("oauth %q has no issuer", o.Provider), "add issuer = \"https://…\", or call it google, github or microsoft")
	}
	if known && d.attrs["client_secret"] == nil {
		r.error(codeMissing, d.block.Place, fmt.Sprintf("oauth %q has no client_secret", o.Provider), "add client_secret = secret.NAME, with what the provider gave you")
	}
	if _, given := d.values["client_id"]; given && strings.TrimSpace(o.ClientID) == "" {
		r.error(codeValue, d.at("client_id"), `"client_id" is empty`, "it is what the provider calls this node")
	}
	if len(o.Label) > maxButton || strings.ContainsFunc(o.Label, unicode.IsControl) {
		r.error(codeValue, d.at("label"), fmt.Sprintf("%s does not fit on a button", quoted(o.Label)), fmt.Sprintf("at most %d characters on one line", maxButton))
	}
	drop(&o.Label, OAuth{Provider: o.Provider}.Filled().Label)
	return o
}

// maxButton is how long the text of a button may be.
const maxButton = 60

// settingOf is a secret, or a text with a warning.
func settingOf(d *decoded, name string, r *reporter) EnvValue {
	v, _ := d.values[name].(EnvValue)
	if v.Text != "" {
		r.warn(codePlain, d.at(name), fmt.Sprintf("%q is in plain text", name), "everybody who reads the repository knows it: fazt secret set NAME, and name it here as secret.NAME")
	}
	return v
}

// issuerOf is a provider's address. It is kept to the letter, as tokens have it.
func issuerOf(d *decoded, r *reporter) string {
	text, given := d.values["issuer"].(string)
	u, err := url.Parse(text)
	if given && (err != nil || !secureURL(u) || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		r.error(codeValue, d.at("issuer"), fmt.Sprintf("%s is not an issuer", quoted(text)), `write it as "https://id.example.com", without a ? or #`)
	}
	return text
}

// secureURL tells whether what is said there stays between the two: over TLS, or
// within this machine.
func secureURL(u *url.URL) bool {
	own := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	return u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http" && own)
}

// tenantForm is what the tenants of Microsoft look like.
var tenantForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$`) })

func tenantOf(d *decoded, r *reporter) string {
	text, given := d.values["tenant"].(string)
	switch {
	case !given:
	case d.block.label() != ProviderMicrosoft:
		r.error(codeTogether, d.at("tenant"), fmt.Sprintf("%q has no meaning in oauth %q", "tenant", d.block.label()), "only microsoft has tenants")
	case !tenantForm().MatchString(text):
		r.error(codeValue, d.at("tenant"), fmt.Sprintf("%s is not a tenant", quoted(text)), `write its id, or its domain such as "example.com"`)
	}
	drop(&text, defaultTenant)
	return text
}

func domainsOf(d *decoded, r *reporter) []string {
	list, given := d.values["allow_domains"].([]string)
	if given && len(list) == 0 {
		r.error(codeValue, d.at("allow_domains"), `"allow_domains" is empty`, "nobody could sign in by it; leave it out, and all domains may")
	}
	var domains []string
	for i, text := range list {
		host, err := ParseHost(strings.TrimPrefix(text, "domain:"))
		if err != nil {
			r.error(codeHost, d.spot("allow_domains").index(i).at(), fmt.Sprintf("%s is not a domain: %s", quoted(text), sentence(err.Error())), `write it as "example.com"`)
		}
		domains = append(domains, host)
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

// scopeForm is what RFC 6749 takes for a scope.
var scopeForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,200}$`) })

func scopesOf(d *decoded, r *reporter) []string {
	list, _ := d.values["scopes"].([]string)
	var scopes []string
	for i, s := range list {
		if !scopeForm().MatchString(s) {
			r.error(codeValue, d.spot("scopes").index(i).at(), fmt.Sprintf("%s is not a scope", quoted(s)), "each is an element of the list, without a space")
		}
		if !slices.Contains([]string{"openid", "email", "profile"}, s) {
			scopes = append(scopes, s)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// defaultTenant is every account of Microsoft.
const defaultTenant = "common"

// knownProviders are the issuers and names of those known by label. GitHub vouches
// for people by its API and not by tokens; its address stands for it.
func knownProviders() map[string][2]string {
	return map[string][2]string{
		ProviderGoogle:    {"https://accounts.google.com", "Google"},
		ProviderGitHub:    {"https://github.com", "GitHub"},
		ProviderMicrosoft: {"https://login.microsoftonline.com/{tenant}/v2.0", "Microsoft"},
	}
}

// Filled is the provider with the values that hold.
func (o OAuth) Filled() OAuth {
	if o.Provider == ProviderMicrosoft {
		o.Tenant = cmp.Or(o.Tenant, defaultTenant)
	}
	known := knownProviders()[o.Provider]
	o.Issuer = cmp.Or(o.Issuer, strings.ReplaceAll(known[0], "{tenant}", o.Tenant))
	o.Label = cmp.Or(o.Label, known[1], o.Provider)
	return o
}

// Written are the arguments that are set, by the names of the language; secrets
// are EnvValues.
func (o OAuth) Written() map[string]any {
	w := written{}
	w.text("client_id", o.ClientID)
	w.setting("client_secret", o.ClientSecret)
	w.text("issuer", o.Issuer)
	w.text("tenant", o.Tenant)
	w.list("allow_domains", o.AllowDomains)
	w.list("scopes", o.Scopes)
	w.text("label", o.Label)
	return w
}

func (w written) setting(name string, v EnvValue) {
	if v != (EnvValue{}) {
		w[name] = v
	}
}
