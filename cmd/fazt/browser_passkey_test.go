//go:build browser

package main

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
)

// TestBrowserPasskey makes a key in a device of chromium's own and signs in by it, up
// to the page that was asked for. A device that does not know its person, or signs
// badly, signs nobody in.
func TestBrowserPasskey(t *testing.T) {
	browser := startChromium(t)
	_, port := newSiteDesk(t).dev()
	p := newTab(t, browser)
	tell(p, webauthn.Enable, webauthn.EnableParams{})
	device := tell(p, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true,
		IsUserVerified: true, AutomaticPresenceSimulation: true}}).AuthenticatorID
	console := "http://fazt.localhost" + port
	desk := "http://guestbook.localhost" + port + "/desk/?a=1#b"

	// Somebody signs in another way first, and adds a key.
	p.visit(desk)
	p.await(`location.pathname === "/auth/login" && location.hostname === "fazt.localhost"`)
	eval[any](p, `document.querySelector('a[href*="/auth/start/dev"]').click()`)
	p.await(`document.querySelector('button[value="bo"]') !== null`)
	eval[any](p, `document.querySelector('button[value="bo"]').click()`)
	p.await(`location.href === "` + desk + `"`)
	p.visit(console + "/")
	p.await(`document.querySelector("#passkey")?.checkVisibility() === true`)
	eval[any](p, `document.querySelector("#passkey").click()`)
	p.await(`[...document.querySelectorAll("strong")].some((e) => e.textContent === "This device")`)

	// Then the key is enough.
	signOut := func() {
		p.visit(console + "/")
		eval[any](p, `document.querySelector('form[action="/auth/logout"] button').click()`)
		p.await(`document.querySelector('[data-step="use"]')?.checkVisibility() === true`)
	}
	signOut()
	p.visit(desk)
	p.await(`document.querySelector('[data-step="use"]')?.checkVisibility() === true`)
	eval[any](p, `document.querySelector("#passkey").click()`)
	p.await(`location.href === "` + desk + `"`)
	p.await(`document.querySelector("#who")?.textContent.startsWith("Bo")`)

	yes, no := true, false
	for _, c := range []struct {
		name string
		bits webauthn.SetResponseOverrideBitsParams
	}{
		{"a bad signature", webauthn.SetResponseOverrideBitsParams{AuthenticatorID: device, IsBogusSignature: &yes}},
		{"a device that knows nobody", webauthn.SetResponseOverrideBitsParams{AuthenticatorID: device, IsBogusSignature: &no, IsBadUV: &yes}},
	} {
		signOut()
		tell(p, webauthn.SetResponseOverrideBits, c.bits)
		eval[any](p, `document.querySelector("#passkey").click()`)
		p.await(`document.querySelector("#passkey-status").textContent !== ""`)
		if said := eval[string](p, `document.querySelector("#passkey-status").textContent`); !strings.Contains(said, "does not fit") {
			t.Errorf("%s: %q", c.name, said)
		}
		tell(p, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: device, IsBogusSignature: &no, IsBadUV: &no})
		p.visit(desk)
		p.await(`document.querySelector('[data-step="use"]')?.checkVisibility() === true`)
		eval[any](p, `document.querySelector("#passkey").click()`)
		p.await(`location.href === "` + desk + `"`)
	}
}
