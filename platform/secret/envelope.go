package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The codes of errors, for who must tell them apart.
const (
	CodeEnvelope  = "secret_envelope"  // it is no envelope, or a damaged one
	CodeRecipient = "secret_recipient" // it is sealed to other keys
	CodeAddress   = "secret_address"   // it was sealed for another address
)

const (
	mostValue      = 32 << 10 // bytes of a value: a certificate chain with its key has 10
	mostFile       = 64 << 10 // bytes of an age file: what the language takes
	mostRecipients = 100
)

// sealed is the plaintext of an envelope. The address stands inside, as age has
// no data that is only authenticated.
type sealed struct {
	Addr  string `json:"addr"`
	Value string `json:"value"`
}

// Seal closes a value for an address, such as secret.google, so that each of the
// recipients ("age1…") can open it. The envelope is one line of base64. Errors are
// Invalid, and name no value.
func Seal(addr, value string, recipients []string) (envelope string, err error) {
	if value == "" || len(value) > mostValue || !utf8.ValidString(value) {
		return "", fault.New(fault.Invalid, "the value of %s must be text of 1 to %d bytes", addr, mostValue).WithSubject(addr).
			WithHint("encode bytes that are no text, for example with base64")
	}
	to, err := parseRecipients(recipients)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(sealed{Addr: addr, Value: value})
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return "", fault.New(fault.Invalid, "the recipients do not go together").WithSubject(addr).
			WithHint("a post-quantum recipient (age1pq1…) can stand only among its like")
	}
	if _, err := w.Write(plain); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if out.Len() > mostFile {
		return "", fault.New(fault.Invalid, "the value of %s is too large for %d recipients", addr, len(to)).WithSubject(addr)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

func parseRecipients(texts []string) ([]age.Recipient, error) {
	texts = slices.Compact(slices.Sorted(slices.Values(texts)))
	if len(texts) == 0 || len(texts) > mostRecipients {
		return nil, fault.New(fault.Invalid, "a secret is sealed to 1 to %d recipients, not %d", mostRecipients, len(texts)).
			WithHint("give the node's key to its block as recipient, or name one with --recipient age1…")
	}
	var out []age.Recipient
	for _, text := range texts {
		if err := CheckRecipient(text); err != nil {
			return nil, err
		}
		r, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, err
		}
		out = append(out, r...)
	}
	return out, nil
}

// CheckRecipient tells whether a text is the public half of a key. The error is
// Invalid; it does not repeat what might be the private half.
func CheckRecipient(text string) error {
	shown := "that"
	if strings.HasPrefix(text, "age1") && len(text) < 80 {
		shown = text
	}
	if strings.ContainsAny(text, "\r\n") || !strings.HasPrefix(text, "age1") {
		return notRecipient(shown)
	}
	if _, err := age.ParseRecipients(strings.NewReader(text)); err != nil {
		return notRecipient(shown)
	}
	return nil
}

func notRecipient(shown string) error {
	return fault.New(fault.Invalid, "%q is not a recipient", shown).WithHint("a recipient is a public key of age: age1 and 58 letters and digits. A node prints its own at its first start; people make one with fazt secret key")
}

// decode returns the age file in an envelope.
func decode(addr, envelope string) ([]byte, error) {
	if len(envelope) <= base64.StdEncoding.EncodedLen(mostFile) && !strings.ContainsAny(envelope, "\r\n") {
		if raw, err := base64.StdEncoding.Strict().DecodeString(envelope); err == nil {
			return raw, nil
		}
	}
	return nil, damaged(addr)
}

func damaged(addr string) error {
	return fault.New(fault.Invalid, "the envelope of %s is damaged", addr).WithCode(CodeEnvelope).WithSubject(addr).
		WithHint("take it back from history, or seal the value again: fazt secret set %s", strings.TrimPrefix(addr, "secret."))
}

// Recipients returns how many keys an envelope is sealed to. Which ones it does
// not tell to those without one of them.
func Recipients(addr, envelope string) (int, error) {
	raw, err := decode(addr, envelope)
	if err != nil {
		return 0, err
	}
	header, err := age.ExtractHeader(bytes.NewReader(raw))
	if err != nil {
		return 0, damaged(addr)
	}
	return strings.Count("\n"+string(header), "\n-> "), nil
}

// Unseal opens the envelope of an address. The error's kind is Forbidden if it was
// sealed to other keys, NotFound if id is nil, else Invalid; see the codes. It never
// holds a word of what is inside.
func (id *Identity) Unseal(addr, envelope string) (Value, error) {
	if id == nil {
		return Value{}, fault.New(fault.NotFound, "there is no key here that could open %s", addr).WithSubject(addr).
			WithHint("name one with --identity FILE, or make your own: fazt secret key")
	}
	raw, err := decode(addr, envelope)
	if err != nil {
		return Value{}, err
	}
	r, err := age.Decrypt(bytes.NewReader(raw), id.keys...)
	if other := (*age.NoIdentityMatchError)(nil); errors.As(err, &other) {
		return Value{}, fault.New(fault.Forbidden, "%s is not sealed to this key", addr).WithCode(CodeRecipient).WithSubject(addr).
			WithHint("somebody who can open it seals it again for %s: fazt secret rekey", id.Recipient())
	} else if err != nil {
		return Value{}, damaged(addr)
	}
	plain, err := io.ReadAll(io.LimitReader(r, mostFile))
	if err != nil {
		return Value{}, damaged(addr)
	}
	var inside sealed
	d := json.NewDecoder(bytes.NewReader(plain))
	d.DisallowUnknownFields()
	if err := d.Decode(&inside); err != nil || d.More() || inside.Value == "" {
		return Value{}, damaged(addr)
	}
	if inside.Addr != addr {
		return Value{}, fault.New(fault.Invalid, "the envelope of %s was sealed for another address", addr).WithCode(CodeAddress).WithSubject(addr).
			WithHint("an envelope cannot be moved or copied: seal the value again with fazt secret set %s", strings.TrimPrefix(addr, "secret."))
	}
	return NewValue(inside.Value), nil
}
