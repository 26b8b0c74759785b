package secret_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/secret"
)

func newIdentity(t testing.TB) *secret.Identity {
	t.Helper()
	id, made, err := secret.Open(filepath.Join(t.TempDir(), secret.FileName))
	if err != nil || !made {
		t.Fatal(made, err)
	}
	return id
}

func seal(t testing.TB, addr, value string, to ...*secret.Identity) string {
	t.Helper()
	var recipients []string
	for _, id := range to {
		recipients = append(recipients, id.Recipient())
	}
	envelope, err := secret.Seal(addr, value, recipients)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func wantFault(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	f, ok := err.(*fault.Error)
	if !ok || f.Kind != kind || f.Code != code {
		t.Errorf("got %v, want %s %s", err, kind, code)
	}
}

// What is sealed opens again for each recipient, for its own address, and for
// nobody and nothing else.
func TestSealOpens(t *testing.T) {
	ids := []*secret.Identity{newIdentity(t), newIdentity(t), newIdentity(t)}
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.StringN(1, 300, -1).Draw(r, "value")
		n := rapid.IntRange(1, len(ids)).Draw(r, "recipients")
		envelope := seal(t, "secret.a", value, ids[:n]...)
		if strings.ContainsAny(envelope, "\r\n\" $%") {
			r.Fatalf("not one plain line: %q", envelope)
		}
		if count, err := secret.Recipients("secret.a", envelope); err != nil || count != n {
			r.Fatalf("%d recipients, %v", count, err)
		}
		for i, id := range ids {
			got, err := id.Unseal("secret.a", envelope)
			if i < n {
				if err != nil || got.Reveal() != value {
					r.Fatalf("%v, %v", got, err)
				}
				_, err = id.Unseal("secret.b", envelope)
				wantFault(t, err, fault.Invalid, secret.CodeAddress)
			} else {
				wantFault(t, err, fault.Forbidden, secret.CodeRecipient)
			}
		}
	})
}

// Sealing twice gives two envelopes and one fingerprint, which differs by value,
// address and key.
func TestFingerprint(t *testing.T) {
	a, b := newIdentity(t), newIdentity(t)
	one, two := seal(t, "secret.a", "x", a), seal(t, "secret.a", "x", a)
	if one == two {
		t.Error("an envelope is made twice")
	}
	print := func(id *secret.Identity, addr, value string) string {
		return id.Fingerprint(addr, secret.NewValue(value))
	}
	all := []string{print(a, "secret.a", "x"), print(a, "secret.a", "y"), print(a, "secret.b", "x"), print(b, "secret.a", "x"), print(a, "secret.ax", ""), print(a, "", "secret.ax")}
	slices.Sort(all)
	if len(slices.Compact(all)) != 6 {
		t.Error(all)
	}
	v, err := a.Unseal("secret.a", two)
	if err != nil || a.Fingerprint("secret.a", v) != print(a, "secret.a", "x") {
		t.Error("the same value has another fingerprint")
	}
}

// A changed envelope is refused, whatever was changed, and an error never holds
// the value.
func TestDamage(t *testing.T) {
	id := newIdentity(t)
	envelope := seal(t, "secret.a", canary, id)
	raw, err := base64.StdEncoding.DecodeString(envelope)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := slices.Clone(raw)
		changed[i] ^= 1
		if v, err := id.Unseal("secret.a", base64.StdEncoding.EncodeToString(changed)); err == nil {
			t.Errorf("byte %d may change: %v", i, v)
		} else if strings.Contains(fmt.Sprintf("%v %#v", err, err), canary) {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "x", "====", envelope[:len(envelope)-4], envelope + "\n", envelope[:40] + "\n" + envelope[40:], " " + envelope, envelope + envelope, base64.URLEncoding.EncodeToString(append(raw, 0)), base64.StdEncoding.EncodeToString([]byte("age-encryption.org/v1\n")), strings.Repeat("A", 2<<20)} {
		_, err := id.Unseal("secret.a", text)
		wantFault(t, err, fault.Invalid, secret.CodeEnvelope)
	}
}

// What cannot be sealed is refused with the reason, and no error repeats a value
// or a private key.
func TestCannotSeal(t *testing.T) {
	id := newIdentity(t)
	private := "AGE-SECRET-KEY-1QQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQ"
	for _, recipient := range []string{"", "x", private, "age1", "age1" + canary, id.Recipient() + "x", id.Recipient() + "\n" + id.Recipient(), strings.ToUpper(id.Recipient()), "# " + canary, "ssh-ed25519 AAAA"} {
		_, err := secret.Seal("secret.a", canary, []string{id.Recipient(), recipient})
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), private) {
			t.Errorf("%q: %v", recipient, err)
		}
	}
	if _, err := secret.Seal("secret.a", canary, nil); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Error(err)
	}
	for _, value := range []string{"", "\xff" + canary, strings.Repeat(canary, 10_000)} {
		if _, err := secret.Seal("secret.a", value, []string{id.Recipient()}); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), canary) {
			t.Error(err)
		}
	}
	if v, err := id.Unseal("secret.a", seal(t, "secret.a", strings.Repeat("x", 32<<10), id)); err != nil || len(v.Reveal()) != 32<<10 {
		t.Error("the largest value does not fit its envelope", err)
	}
	if _, err := secret.Seal("secret.a", strings.Repeat("\x01", 32<<10), []string{id.Recipient()}); fault.KindOf(err) != fault.Invalid {
		t.Error("an envelope is larger than the language takes", err)
	}
	if _, err := secret.Join().Unseal("secret.a", ""); fault.KindOf(err) != fault.NotFound {
		t.Error("nobody opens something", err)
	}
	other := newIdentity(t)
	both := secret.Join(other, id)
	if v, err := both.Unseal("secret.a", seal(t, "secret.a", "x", id)); err != nil || v.Reveal() != "x" || both.Recipient() != other.Recipient() {
		t.Error("the second of two keys does not open", err)
	}
	twice := seal(t, "secret.a", "x", id, id)
	if n, err := secret.Recipients("secret.a", twice); n != 1 || err != nil {
		t.Errorf("one recipient twice counts %d, %v", n, err)
	}
}

// An identity file is made once, only for its owner, and is refused where others
// can read it or where it holds no key.
func TestIdentityFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), secret.FileName)
	if _, err := secret.Load(path); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	first, made, err := secret.Open(path)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Error(info.Mode(), err)
	}
	again, made, err := secret.Open(path)
	if err != nil || made || again.Recipient() != first.Recipient() {
		t.Error(made, err)
	}
	if _, err := again.Unseal("secret.a", seal(t, "secret.a", "x", first)); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Dir(path) + "/.*"); len(left) != 0 {
		t.Error(left)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	private := strings.TrimSpace(string(text[strings.Index(string(text), "AGE-"):]))
	if shown := fmt.Sprintf("%v %+v %#v %s %x", first, first, *first, first, first); strings.Contains(shown, private) || !strings.Contains(shown, first.Recipient()) {
		t.Error(shown)
	}
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o440: false, 0o644: true, 0o604: true, 0o660: true, 0o601: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.Load(path); (fault.KindOf(err) == fault.Forbidden) != refused {
			t.Errorf("%o: %v", mode, err)
		}
	}
	for _, bad := range []string{"", "# nothing\n", private + "x\n", "AGE-SECRET-KEY-1\n", first.Recipient() + "\n", strings.Repeat("\n", 70<<10) + private} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Chmod(path, 0o600)
		_, _, err := secret.Open(path)
		if fault.KindOf(err) != fault.Invalid || strings.Contains(fmt.Sprintf("%#v", err), private) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	envelope := seal(t, "secret.a", "x", first)
	both := filepath.Join(t.TempDir(), "both")
	if err := os.WriteFile(both, []byte("# old and new\n"+newKey(t)+private+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := secret.Load(both)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := id.Unseal("secret.a", envelope); err != nil || v.Reveal() != "x" {
		t.Error("an older key in the file does not open", err)
	}
}

func newKey(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "id")
	if _, _, err := secret.Open(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// No text that stands for an envelope takes anything down.
func FuzzUnseal(f *testing.F) {
	id := newIdentity(f)
	envelope := seal(f, "secret.a", "x", id)
	raw, err := base64.StdEncoding.DecodeString(envelope)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("age-encryption.org/v1\n-> X25519 x\n\n--- \n"))
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 62\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, text := range []string{string(data), base64.StdEncoding.EncodeToString(data)} {
			v, err := id.Unseal("secret.a", text)
			n, countErr := secret.Recipients("secret.a", text)
			if err == nil && (v.Reveal() == "" || countErr != nil || n < 1) {
				t.Errorf("%q opens, with %d recipients, %v", text, n, countErr)
			}
			if err != nil && fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
