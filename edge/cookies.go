package edge

import (
	"bytes"
	"net/http"
	"strings"
)

// Any app of a node can give a browser cookies for the whole domain, and more of them
// than any host takes. Whoever meets that is offered to have them taken away: nobody
// else could tell that a visitor is shut out, or why.

// clearPath is where that is asked for, on every host.
const clearPath = prefixFazt + "cookies"

// tooManyCookies counts what a browser sends.
func tooManyCookies(h http.Header) bool {
	n := 0
	for _, line := range h["Cookie"] {
		n += 1 + strings.Count(line, ";")
	}
	return n > cookies
}

// cleared takes all cookies of the site away from a browser that has too many, which
// has no use of them anyway. It reports whether that was asked for.
func cleared(x *exchange, r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != clearPath {
		return false
	}
	h := x.Header()
	h.Set("Clear-Site-Data", `"cookies"`)
	h.Set("Cache-Control", "no-store")
	h.Set("Location", "/")
	x.WriteHeader(http.StatusSeeOther)
	return true
}

// offerClearing puts that into the page of the refusal, whose policy has no forms.
func offerClearing(h http.Header, page []byte) []byte {
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "form-action 'none'", "form-action 'self'", 1))
	return bytes.Replace(page, []byte("</main>"), []byte(`<p>Some page of this site has set more cookies than there may be.</p>
<form method="post" action="`+clearPath+`"><button>Clear the cookies of this site</button></form>
</main>`), 1)
}
