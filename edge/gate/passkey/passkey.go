// Package passkey makes and checks passkeys (WebAuthn level 3): keys that stay in a
// device and sign for one host. It is the door of go-webauthn. It refuses to know
// people, sessions and requests: what a browser says comes in as bytes, and what must
// be remembered goes out as bytes.
package passkey

import (
	"encoding/json"
	"errors"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Host is whom keys sign for.
type Host struct{ party *webauthn.WebAuthn }

// New returns a host by its name and the origin that browsers know it by.
func New(host, origin string) (*Host, error) {
	party, err := webauthn.New(&webauthn.Config{RPID: host, RPDisplayName: host, RPOrigins: []string{origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired}})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "passkeys of %s", host)
	}
	return &Host{party}, nil
}

// Owner is whose key it is. ID is at most 64 bytes; Keys are the Data of those that
// they have.
type Owner struct {
	ID, Name, Shown string
	Keys            [][]byte
}

// owner is an Owner as the library asks for it.
type owner struct {
	Owner
	credentials []webauthn.Credential
}

func (o owner) WebAuthnID() []byte                         { return []byte(o.ID) }
func (o owner) WebAuthnName() string                       { return o.Name }
func (o owner) WebAuthnDisplayName() string                { return o.Shown }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

func (o Owner) read() (owner, error) {
	made := owner{Owner: o}
	for _, data := range o.Keys {
		var c webauthn.Credential
		if err := json.Unmarshal(data, &c); err != nil {
			return made, fault.Wrap(fault.Internal, err, "a passkey of %s", o.ID)
		}
		made.credentials = append(made.credentials, c)
	}
	return made, nil
}

// Key is a passkey as it is kept: Data is the public half and what is known of the
// device, no secret.
type Key struct {
	ID      []byte
	Data    []byte
	Counter uint32
}

func keyOf(c *webauthn.Credential) (Key, error) {
	data, err := json.Marshal(c)
	return Key{ID: c.ID, Data: data, Counter: c.Authenticator.SignCount}, err
}

// Offer is what a browser is asked for to make a key, and what must be remembered
// until it answers.
func (h *Host) Offer(o Owner) (options, memory []byte, err error) {
	who, err := o.read()
	if err != nil {
		return nil, nil, err
	}
	made, session, err := h.party.BeginRegistration(who, webauthn.WithExclusions(webauthn.Credentials(who.credentials).CredentialDescriptors()))
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, err, "offer a passkey")
	}
	return both(made.Response, session)
}

// Take is the new key that a browser made.
func (h *Host) Take(o Owner, memory, answer []byte) (Key, error) {
	who, err := o.read()
	if err != nil {
		return Key{}, err
	}
	var session webauthn.SessionData
	if err := json.Unmarshal(memory, &session); err != nil {
		return Key{}, fault.Wrap(fault.Internal, err, "what was remembered")
	}
	said, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Key{}, refused(err)
	}
	made, err := h.party.CreateCredential(who, session, said)
	if err != nil {
		return Key{}, refused(err)
	}
	return keyOf(made)
}

// Ask is what a browser is asked for to use a key that it has.
func (h *Host) Ask() (options, memory []byte, err error) {
	made, session, err := h.party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, err, "ask for a passkey")
	}
	return both(made.Response, session)
}

// Check is the key that was used, and whose it is: find gives the owner of a key by
// its id. Data and Counter are those from now on.
func (h *Host) Check(memory, answer []byte, find func(key, person []byte) (Owner, error)) (Owner, Key, error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(memory, &session); err != nil {
		return Owner{}, Key{}, fault.Wrap(fault.Internal, err, "what was remembered")
	}
	said, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return Owner{}, Key{}, refused(err)
	}
	var whose owner
	_, used, err := h.party.ValidatePasskeyLogin(func(key, person []byte) (webauthn.User, error) {
		found, err := find(key, person)
		if err == nil {
			whose, err = found.read()
		}
		return whose, err
	}, session, said)
	switch {
	case err != nil:
		return Owner{}, Key{}, refused(err)
	case used.Authenticator.CloneWarning:
		return Owner{}, Key{}, fault.New(fault.Unauthenticated, "this passkey was used by a copy of it").WithHint("sign in another way, and take it out of your account")
	}
	made, err := keyOf(used)
	return whose.Owner, made, err
}

// both are the two halves of a question as bytes.
func both(options, session any) (o, s []byte, err error) {
	if o, err = json.Marshal(options); err == nil {
		s, err = json.Marshal(session)
	}
	return o, s, err
}

// refused is one answer to all that is wrong with what a browser said.
func refused(err error) error {
	var own *fault.Error
	if errors.As(err, &own) {
		return own
	}
	return fault.New(fault.Unauthenticated, "this passkey does not fit").WithHint("try again, or sign in another way")
}
