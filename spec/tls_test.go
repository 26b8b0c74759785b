package spec_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// The canonical form of TLS is the one word it always was while it is off.
func TestTLSComesBackAsWritten(t *testing.T) {
	for _, c := range []struct {
		tls  spec.TLS
		want string
		on   bool
	}{
		{spec.TLS{}, `"off"`, false},
		{spec.TLS{Mode: spec.TLSInternal}, `{"mode":"internal"}`, true},
		{spec.TLS{Mode: spec.TLSFiles, Files: []spec.TLSFile{{Cert: "a", Key: "b"}}}, `{"mode":"files","files":[{"cert":"a","key":"b"}]}`, true},
		{
			spec.TLS{Mode: spec.TLSACME, Email: "ops@example.com", DNS: &spec.DNS{Provider: "cloudflare", Credential: "x"}},
			`{"mode":"acme","email":"ops@example.com","dns":{"provider":"cloudflare","credential":"x"}}`, true,
		},
	} {
		text, err := json.Marshal(spec.Edge{TLS: c.tls})
		if err != nil || string(text) != `{"tls":`+c.want+`}` {
			t.Errorf("got %s (%v), want %s", text, err, c.want)
		}
		var back spec.Edge
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back.TLS, c.tls) || back.TLS.On() != c.on {
			t.Errorf("%s is read as %+v (%v)", text, back.TLS, err)
		}
	}
}

// Addresses of name servers and of people, as they are written and not.
func TestAddressesOfTLS(t *testing.T) {
	load := func(email, server string) spec.Output {
		return spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": fmt.Sprintf(
			"edge {\n  tls = {\n    mode = \"acme\"\n    email = %q\n    dns = { provider = \"rfc2136\", credential = \"c\", key_name = \"k\", server = %q }\n  }\n}\n", email, server)})})
	}
	for server, want := range map[string]string{
		"ns1.example.com": "ns1.example.com:53", "NS1.example.com:5353": "ns1.example.com:5353", "192.0.2.1": "192.0.2.1:53",
		"2001:db8::1": "[2001:db8::1]:53", "[2001:db8::1]:54": "[2001:db8::1]:54", "ns1": "ns1:53",
	} {
		out := load("ops@example.com", server)
		var e spec.Edge
		if out.Spec == nil || json.Unmarshal(out.Spec.Objects[0].Spec, &e) != nil || e.TLS.DNS.Server != want {
			t.Errorf("server %q is read as %+v: %v", server, e.TLS.DNS, out.Diagnostics)
		}
	}
	for _, server := range []string{"ns1:", "ns1:0", "ns1:65536", ":53", "a b", "192.0.2.1:0", "ns1:53:53", "[::1]"} {
		if out := load("ops@example.com", server); out.Spec != nil {
			t.Errorf("server %q is accepted", server)
		}
	}
	for _, email := range []string{"@example.com", "ops", "ops@", "a b@example.com", "Ops <ops@example.com>", "ops@@example.com", "öps@example.com"} {
		if out := load(email, "ns1"); out.Spec != nil {
			t.Errorf("email %q is accepted", email)
		}
	}
}
