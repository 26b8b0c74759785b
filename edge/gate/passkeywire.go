package gate

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"

	"github.com/fazt-sh/fazt/platform/fault"
)

// put sends a question, with what must be remembered sealed to this browser.
func (g *Gate) put(w http.ResponseWriter, options []byte, a asking) error {
	a.ID = rand.Text()
	sealed, err := g.seal(kindPasskey, journeyAge, a)
	if err != nil {
		return err
	}
	return answer(w, question{options, sealed})
}

// heard reads a reply to a question of this browser, once.
func (g *Gate) heard(r *http.Request, v Visit, person string) (said reply, memory []byte, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, passkeyBytes))
	if err == nil {
		err = json.Unmarshal(body, &said)
	}
	if err != nil {
		return said, nil, fault.New(fault.Invalid, "this is nothing that a browser says of a key")
	}
	var a asking
	if err := g.unseal(kindPasskey, said.Memory, &a); err != nil {
		return said, nil, err
	}
	if a.Person != person || !bound(r, v.Secure, a.Bind) {
		return said, nil, errJourney
	}
	return said, a.Memory, g.spend(r.Context(), a.ID, journeyAge)
}

// answer writes JSON that no cache keeps.
func answer(w http.ResponseWriter, v any) error {
	h := w.Header()
	secured(h)
	h.Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

// keyID reads the id of a key as pages have it.
func keyID(text string) ([]byte, error) {
	id, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(id) == 0 {
		return nil, fault.New(fault.Invalid, "%q is no key", text)
	}
	return id, nil
}
