package egress_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/egress"
)

// Whatever a URL says, only names that a rule has are ever resolved.
func FuzzURL(f *testing.F) {
	for _, s := range spellings(1) {
		f.Add(s)
	}
	f.Add("https://a.example.com/")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil {
			return
		}
		c, err := egress.New(egress.Config{Rules: []egress.Rule{{Host: "*.example.com", Ports: []int{80, 443}}}, Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			if !strings.HasSuffix(host, ".example.com.") || strings.ToLower(host) != host || strings.ContainsAny(host, "/:@%?#[]\\ ") {
				t.Errorf("%q resolves %q", text, host)
			}
			return nil, errors.New("no network here")
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), &http.Request{URL: u}); err == nil {
			t.Errorf("%q is answered", text)
		}
	})
}
