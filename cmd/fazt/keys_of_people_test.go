package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/identity"
)

// tolled is a log that tells when something was written.
type tolled struct {
	lockedBuffer
	wrote chan struct{} // room for one
}

// Write keeps p and tells.
func (w *tolled) Write(p []byte) (int, error) {
	defer func() {
		select {
		case w.wrote <- struct{}{}:
		default:
		}
	}()
	return w.lockedBuffer.Write(p)
}

// What lets somebody in is written down nowhere: not in the log, the access log, the
// journal or the tables, whether it was right, wrong, or sent where it does not belong.
func TestKeysOfPeopleLeaveNoTrace(t *testing.T) {
	var log lockedBuffer
	visits := &tolled{wrote: make(chan struct{}, 1)}
	o := newOperators(t, "", func(c *nodeConfig) {
		c.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.accessLog = visits
	})
	people, ana := o.ground.People, o.person(t, holderOf(255))
	expect := func(want int, method, path, body, header string) string {
		t.Helper()
		status, answer := o.send(t, method, o.console+path, body, header)
		if status != want {
			t.Errorf("%s %s: %d %s", method, path, status, answer)
		}
		return answer
	}

	// A program is let in by a code, asks with its token, and sends that astray.
	var ask struct{ Code, Secret, Token string }
	read := func(answer string) {
		t.Helper()
		if err := json.Unmarshal([]byte(answer), &ask); err != nil {
			t.Fatal(err)
		}
	}
	read(expect(http.StatusOK, http.MethodPost, "/auth/device", `{"name":"laptop","scopes":["observe"]}`, ""))
	if err := people.AnswerDevice(t.Context(), ask.Code, ana.ID, true); err != nil {
		t.Fatal(err)
	}
	read(expect(http.StatusOK, http.MethodPost, "/auth/device/token", `{"secret":"`+ask.Secret+`"}`, ""))
	expect(http.StatusOK, http.MethodGet, "/v1/status", "", "Authorization: Bearer "+ask.Token)
	expect(http.StatusUnauthorized, http.MethodGet, "/v1/status?token="+ask.Token, "", "")
	expect(http.StatusUnauthorized, http.MethodGet, "/v1/status", "", "Authorization: Basic "+ask.Token)

	// A session at the console.
	session, _, err := people.Begin(t.Context(), identity.New{Person: ana.ID, Audience: "localhost", Factors: []string{"test"}})
	if err != nil {
		t.Fatal(err)
	}
	expect(http.StatusOK, http.MethodGet, "/", "", "Cookie: __Host-fazt="+session)
	expect(http.StatusOK, http.MethodGet, "/v1/status", "", "Cookie: __Host-fazt="+session)

	// An invitation that is followed, and what a provider and a mail send, made up.
	invite, _, err := people.Invite(t.Context(), identity.NewInvite{By: "local:0"})
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := o.send(t, http.MethodGet, o.console+"/auth/invite?t="+invite, "", "Accept: text/html"); status >= 400 {
		t.Errorf("the invitation: %d", status)
	}
	const code, state, link, digits = "c0de-Of-A-Provider", "5tate-Of-A-Journey", "l1nk-Of-A-Mail", "73184620"
	for _, path := range []string{"/auth/callback/none?code=" + code + "&state=" + state, "/auth/link?t=" + link, "/auth/done?code=" + code} {
		if status, _ := o.send(t, http.MethodGet, o.console+path, "", "Accept: text/html"); status < 400 && status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	o.send(t, http.MethodPost, o.console+"/auth/code", "a=&code="+digits, "Content-Type: application/x-www-form-urlencoded")

	if err := people.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for last := []byte(`"/auth/code"`); !bytes.Contains(visits.bytes(), last); {
		select {
		case <-visits.wrote:
		case <-time.After(20 * time.Second):
			t.Fatalf("the access log has not the last visit: %s", visits.bytes())
		}
	}
	s := newSweeper(t, map[string]string{"secret of a device": ask.Secret, "token": ask.Token, "session": session, "invitation": invite,
		"code of a provider": code, "state": state, "link of a mail": link, "code of a mail": digits})
	for _, forms := range s.forms {
		delete(forms, "part") // that is of another value
	}
	s.look("the log", log.bytes())
	s.look("the access log", visits.bytes())
	s.folder(o.ground.Dir)
	if len(log.bytes()) == 0 || s.seen < 100_000 {
		t.Errorf("only %d bytes were looked at, %d of the log", s.seen, len(log.bytes()))
	}
}
