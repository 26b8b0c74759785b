package gate

import (
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// Programs are let in by a code that a person types (RFC 8628): the program shows it
// and waits, a person who is signed in sees who asks for what, and answers.

const (
	devicePath = Prefix + "device"
	// deviceBytes bounds what a program says of itself.
	deviceBytes = 4 << 10
	// answerAge is how long somebody may look at the question.
	answerAge = 10 * time.Minute
)

// kindDevice is a question as it was shown to a person, whose answer comes with it.
const kindDevice = "device"

// asked is that, sealed: who comes with an answer was shown this, and guesses nothing.
type asked struct {
	Code   string `json:"c"`
	Name   string `json:"n"`
	Person string `json:"p"`
}

// startDevice gives a program a code to show and a secret to wait with.
func (g *Gate) startDevice(w http.ResponseWriter, r *http.Request, v Visit) error {
	if err := g.attempt(r, "", v); err != nil {
		return err
	}
	var ask struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}
	if err := heardJSON(r, &ask); err != nil {
		return err
	}
	if !presentable(ask.Name) {
		return fault.New(fault.Invalid, "a program needs a name that can be shown, of at most 100 bytes")
	}
	for _, s := range ask.Scopes {
		if g.config.Scopes[s] == "" {
			return fault.New(fault.Invalid, "there is no scope %q", s).WithHint("there are %s", strings.Join(slices.Sorted(maps.Keys(g.config.Scopes)), ", "))
		}
	}
	made, err := g.config.People.StartDevice(r.Context(), ask.Name, v.address(), ask.Scopes)
	if err != nil {
		return err
	}
	return answer(w, map[string]any{"code": made.Code, "secret": made.Secret, "verify_url": v.origin(v.Host, r) + devicePath,
		"expires_in": int(made.Ends.Sub(made.Started) / time.Second), "interval": int(identity.DeviceInterval / time.Second)})
}

// pollDevice gives a program its token once a person has said so. 202 is "not yet".
func (g *Gate) pollDevice(w http.ResponseWriter, r *http.Request) error {
	var ask struct {
		Secret string `json:"secret"`
	}
	if err := heardJSON(r, &ask); err != nil {
		return err
	}
	token, err := g.config.People.PollDevice(r.Context(), ask.Secret)
	switch {
	case err != nil:
		return err
	case token == "":
		secured(w.Header())
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		return json.NewEncoder(w).Encode(map[string]string{"status": "authorization_pending"})
	}
	return answer(w, map[string]string{"token": token})
}

// showDevice asks whoever is signed in about a program, or for its code. A code that
// came with the address is as good as one that was typed: the person compares it.
func (g *Gate) showDevice(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	code := r.URL.Query().Get("code")
	s := g.whole(p, r, v, consoleCookie)
	if s == nil {
		return g.signInFirst(w, code)
	}
	data := map[string]any{"Title": "Let a program in", "Person": s.Person}
	if code == "" {
		return g.page(w, r, http.StatusOK, "device", data)
	}
	if err := g.attempt(r, "device:"+s.Person.ID, v); err != nil {
		return err
	}
	ask, err := g.config.People.Device(r.Context(), code)
	if fault.KindOf(err) == fault.NotFound {
		data["Wrong"], data["Hint"] = fault.Message(err), fault.HintOf(err)
		return g.page(w, r, http.StatusNotFound, "device", data)
	}
	if err != nil {
		return err
	}
	data["Ask"], data["Since"], data["Scopes"] = ask, ask.Started.UTC().Format(time.DateTime+" UTC"), g.scopes(p, s.Person, ask.Scopes)
	if data["Memory"], err = g.seal(kindDevice, answerAge, asked{ask.Code, ask.Name, s.Person.ID}); err != nil {
		return err
	}
	return g.page(w, r, http.StatusOK, "device", data)
}

// signInFirst leads through the sign-in and back to the question.
func (g *Gate) signInFirst(w http.ResponseWriter, code string) error {
	to := devicePath
	if code != "" {
		to += "?code=" + escapeQuery(code)
	}
	if len(to) > targetBytes {
		return errNothing
	}
	sealed, err := g.seal(kindJourney, journeyAge, journey{To: to})
	if err != nil {
		return err
	}
	redirect(w, Prefix+"login?a="+sealed)
	return nil
}

// scopeRow is one scope as a page shows it.
type scopeRow struct {
	Name, Means string
	May         bool // the person, so the program
}

func (g *Gate) scopes(p *Policy, who *identity.Person, names []string) (rows []scopeRow) {
	for _, name := range names {
		rows = append(rows, scopeRow{name, g.config.Scopes[name], p.May != nil && p.May(who, name)})
	}
	slices.SortStableFunc(rows, func(a, b scopeRow) int { // what counts comes first
		switch {
		case a.May == b.May:
			return 0
		case a.May:
			return -1
		}
		return 1
	})
	return rows
}

// answerDevice takes a person's answer to the question they were shown.
func (g *Gate) answerDevice(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	s := g.whole(p, r, v, consoleCookie)
	if s == nil {
		return errUnknown
	}
	var q asked
	if err := g.config.People.Unseal(kindDevice, r.PostFormValue("memory"), &q); err != nil || q.Person != s.Person.ID {
		return fault.New(fault.Invalid, "this question was for somebody else, or is over").WithHint("open it again by the code that the program shows")
	}
	approve := r.PostFormValue("answer") == "approve"
	action, title := "device refuse", "It stays out"
	if approve {
		action, title = "device approve", "It is let in"
	}
	err := g.config.People.AnswerDevice(r.Context(), q.Code, s.Person.ID, approve)
	g.config.Note(r.Context(), Event{Actor: actorOf(*s.Person), Action: action, Target: q.Name, Outcome: outcome(err), Address: v.address()})
	if err != nil {
		return err
	}
	if err := g.forgive(r, "device:"+s.Person.ID, v, 1); err != nil {
		return err
	}
	return g.page(w, r, http.StatusOK, "answered", map[string]any{"Title": title, "Name": q.Name, "Approved": approve})
}

// presentable tells whether a name that a stranger chose can be shown to somebody who
// decides by it: it turns no text around and hides nothing.
func presentable(name string) bool {
	return strings.TrimSpace(name) != "" && len(name) <= 100 && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// heardJSON reads what a program says. A form of another site cannot say it.
func heardJSON(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fault.New(fault.Invalid, "this takes application/json alone")
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, deviceBytes)).Decode(v); err != nil {
		return fault.New(fault.Invalid, "this is no JSON that is asked for here")
	}
	return nil
}
