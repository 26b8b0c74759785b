package gate

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// tokenRow is a token as the account lists it.
type tokenRow struct{ ID, Name, Scopes, Used, From, Ends string }

// tokensOf are a person's tokens that still work.
func (g *Gate) tokensOf(r *http.Request, s *identity.Session) (rows []tokenRow, err error) {
	list, err := g.config.People.Tokens(r.Context(), s.Person.ID)
	for _, t := range list {
		if !g.config.Now().Before(t.Ends) {
			continue
		}
		row := tokenRow{ID: t.ID, Name: t.Name, Scopes: strings.Join(t.Scopes, ", "), From: t.From, Ends: t.Ends.UTC().Format(time.DateOnly)}
		if !t.Used.IsZero() {
			row.Used = t.Used.UTC().Format(time.DateTime + " UTC")
		}
		rows = append(rows, row)
	}
	return rows, err
}

// revokeToken ends one of the person's own tokens.
func (g *Gate) revokeToken(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	s := g.whole(p, r, v, consoleCookie)
	if s == nil {
		return errUnknown
	}
	list, err := g.config.People.Tokens(r.Context(), s.Person.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(t identity.Token) bool { return t.ID == r.PostFormValue("id") })
	if i < 0 {
		return fault.New(fault.NotFound, "there is no such token of yours")
	}
	err = g.config.People.RevokeToken(r.Context(), list[i].ID)
	g.config.Note(r.Context(), Event{Actor: actorOf(*s.Person), Action: "token revoke", Target: list[i].Name, Outcome: outcome(err), Address: v.address()})
	if err != nil {
		return err
	}
	redirect(w, "/")
	return nil
}
