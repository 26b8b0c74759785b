package gate

import (
	"net/http"
	"strings"
	"time"
)

// cookieName is one of the gate's cookies. All begin with one prefix, by which the
// edge keeps them from apps' code, and belong to one host: a browser takes a
// __Host- cookie only over TLS, without a domain and for the whole host. At a
// developer's machine they have names of their own, so that none of them is worth
// anything elsewhere.
type cookieName int

// The cookies: a session of the console, one of an app, and what binds a journey
// to the browser that began it.
const (
	consoleCookie cookieName = iota
	appCookie
	journeyCookie
)

func (n cookieName) in(secure bool) string {
	names := [...]string{"fazt-dev", "fazt-dev-app", "fazt-dev-go"}
	if secure {
		names = [...]string{"__Host-fazt", "__Host-fazt-app", "__Host-fazt-go"}
	}
	return names[n]
}

// cookie is the value of a cookie, empty where there is none. A browser sends no
// two of a __Host- name, so two are somebody's trick and count as none.
func cookie(r *http.Request, name string) (value string, twice bool) {
	found := false
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, v, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || key != name {
				continue
			}
			if found {
				return "", true
			}
			value, found = v, true
		}
	}
	return value, false
}

// untwice takes a cookie away that came twice. What a page of another host has planted
// beside it may stay, and is worth nothing; whoever signs in again has one.
func untwice(w http.ResponseWriter, r *http.Request, secure bool, name cookieName) {
	if _, twice := cookie(r, name.in(secure)); twice {
		setCookie(w, secure, name, "", 0)
	}
}

// setCookie gives a browser a cookie until it ends; a zero age takes it away.
func setCookie(w http.ResponseWriter, secure bool, name cookieName, value string, age time.Duration) {
	c := &http.Cookie{Name: name.in(secure), Value: value, Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(age / time.Second)}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
