package gate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Kinds of what is sealed. One kind is never read as another.
const (
	kindJourney = "journey" // from an app's host to the console
	kindState   = "state"   // to a provider and back
	kindCode    = "code"    // from the console to an app's host
)

// How long the steps may take.
const (
	journeyAge = 10 * time.Minute
	codeAge    = time.Minute
)

// journey is what the console must know of where somebody came from.
type journey struct {
	Host string `json:"h"` // of the app; empty: the console itself
	To   string `json:"t"` // a Target
	Bind string `json:"b"` // the browser, as the app's host knows it

	Invite string `json:"i,omitempty"` // an invitation that the browser came by
}

// transfer is a code that an app's host changes for a session of its own.
type transfer struct {
	ID      string `json:"i"` // spent once
	Host    string `json:"h"`
	To      string `json:"t"`
	Bind    string `json:"b"`
	Session string `json:"s"` // of the console
	Person  string `json:"p"`
}

var (
	errJourney = fault.New(fault.Invalid, "this sign-in took too long, was finished already, or began in another browser").
			WithHint("go back to the page you wanted to see, and sign in there")
	errOrigin = fault.New(fault.Forbidden, "this request came from another site")
)

// binding is the name by which a browser is bound to a journey, given to it where
// it has none yet.
func binding(w http.ResponseWriter, r *http.Request, secure bool) string {
	value, _ := cookie(r, journeyCookie.in(secure))
	if len(value) < 26 {
		value = rand.Text()
		setCookie(w, secure, journeyCookie, value, journeyAge)
	}
	return digest(value)
}

// bound tells whether a browser is the one that a journey was bound to.
func bound(r *http.Request, secure bool, bind string) bool {
	value, _ := cookie(r, journeyCookie.in(secure))
	return value != "" && subtle.ConstantTimeCompare([]byte(digest(value)), []byte(bind)) == 1
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// spend takes what is good for one time. Whoever comes second is told that the
// journey is over.
func (g *Gate) spend(ctx context.Context, id string, age time.Duration) error {
	first, err := g.config.People.Spend(ctx, id, g.config.Now().Add(age))
	if err == nil && !first {
		err = errJourney
	}
	return err
}

// seal closes something that a browser carries for us.
func (g *Gate) seal(kind string, age time.Duration, v any) (string, error) {
	return g.config.People.Seal(kind, g.config.Now().Add(age), v)
}

// unseal opens it again. What is wrong with it is nobody's business.
func (g *Gate) unseal(kind, text string, v any) error {
	if err := g.config.People.Unseal(kind, text, v); err != nil {
		return errJourney
	}
	return nil
}
