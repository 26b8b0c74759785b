package gate

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/fazt-sh/fazt/edge/gate/passkey"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// byPasskey is how somebody signed in whose device knew them: it is two factors in
// one, as the device asks for a finger, a face or a PIN first.
const byPasskey = "passkey"

// kindPasskey is what is remembered while a browser asks its device.
const kindPasskey = "passkey"

// asking is that memory, sealed.
type asking struct {
	ID     string `json:"i"` // spent once
	Person string `json:"p"` // whose new key it is; empty: a key is to be used
	Bind   string `json:"b"`
	Memory []byte `json:"m"`
}

// question and reply are what the page's script and the gate say to each other.
type question struct {
	Options json.RawMessage `json:"options"`
	Memory  string          `json:"memory"`
}

type reply struct {
	Memory  string          `json:"memory"`
	Key     json.RawMessage `json:"key"`
	Name    string          `json:"name"`
	Journey string          `json:"journey"`
}

// passkeyBytes bounds what a browser says of a key.
const passkeyBytes = 64 << 10

// passkeys answers below /auth/passkey/.
func (g *Gate) passkeys(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, step string) error {
	if !p.Passkeys {
		return errNothing
	}
	host, err := passkey.New(v.Host, v.origin(v.Host, r))
	if err != nil {
		return err
	}
	switch step {
	case "ask":
		return g.askKey(w, r, v, host)
	case "use":
		return g.useKey(p, w, r, v, host)
	case "new":
		return g.offerKey(p, w, r, v, host)
	case "add":
		return g.addPasskey(p, w, r, v, host)
	case "remove":
		return g.removeKey(p, w, r, v)
	}
	return errNothing
}

// askKey begins a sign-in by a key that the browser has.
func (g *Gate) askKey(w http.ResponseWriter, r *http.Request, v Visit, host *passkey.Host) error {
	if err := g.attempt(r, "", v); err != nil {
		return err
	}
	options, memory, err := host.Ask()
	if err != nil {
		return err
	}
	return g.put(w, options, asking{Bind: binding(w, r, v.Secure), Memory: memory})
}

// useKey signs in by it.
func (g *Gate) useKey(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, host *passkey.Host) error {
	said, memory, err := g.heard(r, v, "")
	if err != nil {
		return err
	}
	people := g.config.People
	owner, key, err := host.Check(memory, said.Key, func(id, _ []byte) (passkey.Owner, error) {
		found, err := people.Passkey(r.Context(), id)
		return passkey.Owner{ID: found.Person, Name: found.Person, Keys: [][]byte{found.Data}}, err
	})
	if err == nil {
		err = people.UsePasskey(r.Context(), key.ID, key.Counter, key.Data)
	}
	var person identity.Person
	if err == nil {
		person, err = people.Person(r.Context(), owner.ID)
	}
	if err == nil && person.Disabled {
		err = fault.New(fault.Forbidden, "this account is disabled")
	}
	g.config.Note(r.Context(), Event{Actor: actorOf(person), Action: "sign in", Target: byPasskey, Outcome: outcome(err), Address: v.address()})
	if err != nil {
		return err
	}
	s, err := g.enter(p, w, r, v, byPasskey, person)
	if err != nil {
		return err
	}
	to, err := g.next(p, r, v, said.Journey, s)
	if err != nil {
		return err
	}
	return answer(w, map[string]string{"to": to})
}

// offerKey begins the making of a key for somebody who is signed in.
func (g *Gate) offerKey(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, host *passkey.Host) error {
	s := g.whole(p, r, v, consoleCookie)
	if s == nil {
		return errUnknown
	}
	owner, err := g.owner(r, s)
	if err != nil {
		return err
	}
	options, memory, err := host.Offer(owner)
	if err != nil {
		return err
	}
	return g.put(w, options, asking{Person: s.Person.ID, Bind: binding(w, r, v.Secure), Memory: memory})
}

// addPasskey keeps the key that was made.
func (g *Gate) addPasskey(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, host *passkey.Host) error {
	s := g.whole(p, r, v, consoleCookie)
	if s == nil {
		return errUnknown
	}
	said, memory, err := g.heard(r, v, s.Person.ID)
	if err != nil {
		return err
	}
	owner, err := g.owner(r, s)
	if err != nil {
		return err
	}
	key, err := host.Take(owner, memory, said.Key)
	if err != nil {
		return err
	}
	name := strings.TrimSpace(said.Name)
	if name == "" || len(name) > 60 || strings.ContainsFunc(name, unfit) {
		name = browserOf(agent(r))
	}
	if err := g.config.People.AddPasskey(r.Context(), identity.Passkey{ID: key.ID, Person: s.Person.ID, Name: name, Data: key.Data, Counter: key.Counter}); err != nil {
		return err
	}
	g.config.Note(r.Context(), Event{Actor: actorOf(*s.Person), Action: "passkey added", Target: name, Outcome: "ok", Address: v.address()})
	return answer(w, map[string]string{"to": "/"})
}

// removeKey takes one of the person's own away.
func (g *Gate) removeKey(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	s := g.whole(p, r, v, consoleCookie)
	if s == nil {
		return errUnknown
	}
	id, err := keyID(r.PostFormValue("id"))
	if err != nil {
		return err
	}
	if err := g.config.People.RemovePasskey(r.Context(), s.Person.ID, id); err != nil {
		return err
	}
	g.config.Note(r.Context(), Event{Actor: actorOf(*s.Person), Action: "passkey removed", Outcome: "ok", Address: v.address()})
	redirect(w, "/")
	return nil
}

// owner is somebody with the keys that they have.
func (g *Gate) owner(r *http.Request, s *identity.Session) (passkey.Owner, error) {
	list, err := g.config.People.Passkeys(r.Context(), s.Person.ID)
	o := passkey.Owner{ID: s.Person.ID, Name: s.Person.Email, Shown: s.Person.Name}
	if o.Name == "" {
		o.Name = s.Person.ID
	}
	if o.Shown == "" {
		o.Shown = o.Name
	}
	for _, key := range list {
		o.Keys = append(o.Keys, key.Data)
	}
	return o, err
}
