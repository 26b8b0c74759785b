package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/spec/access"
)

// visited is an app as its tests ask it: by its own routes, behind its access rules,
// for whoever the test says is signed in. It is past limits, which count strangers.
type visited struct {
	server *Server
	site   *site
}

// fieldAs says who asks, beside a request of a test.
const fieldAs = "x-fazt-as"

// Fetch implements binding.Fetcher. What the edge refuses is the answer that a
// visitor gets, too.
func (v visited) Fetch(ctx context.Context, q script.Request) (*script.Response, error) {
	known := v.server.current.Load()
	view, err := known.as(&q)
	if err != nil {
		return nil, err
	}
	if err := v.admit(known.people, view, q); err != nil {
		return refused(err), nil
	}
	answer, err := function.Ask(ctx, inner{v.site, true}, q)
	if err == nil || ctx.Err() != nil {
		return answer, err
	}
	return refused(err), nil
}

func refused(err error) *script.Response {
	return &script.Response{Status: fault.KindOf(err).Status(), Header: [][2]string{{"content-type", "text/plain; charset=utf-8"}},
		Body: io.NopCloser(strings.NewReader(fault.Message(err) + "\n"))}
}

var errStranger = fault.New(fault.Unauthenticated, "nobody is signed in, and not everybody may see this")

// admit is what pass is to visitors, but for the way to the sign-in.
func (v visited) admit(known *people, view *access.View, q script.Request) error {
	gate := known.rules.Gate(v.site.addr)
	at, err := url.Parse(q.URL)
	if err != nil || gate == nil {
		return err
	}
	path, _, err := canonicalPath(at)
	if err != nil || strings.HasPrefix(path, prefixFazt) {
		return err
	}
	switch now := time.Now(); {
	case view.Pass(gate, path, writes(q.Method), now):
		return nil
	case view == known.nobody:
		return errStranger
	}
	return errForbidden
}

// as takes out of a request who asks, makes them its person, and returns what they
// may do.
func (n *snapshot) as(q *script.Request) (*access.View, error) {
	i := slices.IndexFunc(q.Header, func(f [2]string) bool { return strings.EqualFold(f[0], fieldAs) })
	if i < 0 {
		return n.people.nobody, nil
	}
	text, err := url.PathUnescape(q.Header[i][1])
	q.Header = slices.Delete(slices.Clone(q.Header), i, i+1)
	var said struct {
		ID    string   `json:"id"`
		Email string   `json:"email"`
		Name  string   `json:"name"`
		Roles []string `json:"roles"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &said)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "who asks")
	}
	view := n.people.rules.View(access.Who{Email: said.Email, SignedIn: true, Roles: said.Roles})
	who := &identity.Person{ID: cmp.Or(said.ID, said.Email), Email: said.Email, Name: said.Name}
	q.Info.Person = &person{&identity.Session{Person: who}, view, n, time.Now()}
	return view, nil
}
