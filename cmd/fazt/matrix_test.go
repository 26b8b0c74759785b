package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// only is a caller who has one permission.
func only(has op.Permission) func(*http.Request) (op.Caller, error) {
	return func(*http.Request) (op.Caller, error) {
		return op.Caller{Actor: "test", May: func(p op.Permission) error {
			if p != has {
				return fault.New(fault.Forbidden, "this needs the permission %s", p)
			}
			return nil
		}}, nil
	}
}

// What each permission opens, asked of the handler row by row: who holds one alone
// is refused all else. A change of rights is a change of this file.
func TestMatrix(t *testing.T) {
	r := newRig(t)
	quiet := slog.New(slog.DiscardHandler)
	doors := []http.Handler{r.controlMux(only(""), quiet)}
	names := []string{"none"}
	for _, p := range op.Permissions() {
		doors, names = append(doors, r.controlMux(only(p), quiet)), append(names, string(p))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s", "")
	for _, name := range names {
		fmt.Fprintf(&b, " %-10s", name)
	}
	b.WriteString("\n")
	for _, o := range everything() {
		if o.Row().Local {
			continue
		}
		fmt.Fprintf(&b, "%-16s", o.Row().Name)
		for _, door := range doors {
			fmt.Fprintf(&b, " %-10s", opens(t, door, o))
		}
		b.WriteString("\n")
	}
	golden(t, "matrix.txt", regexp.MustCompile(`(?m) +$`).ReplaceAllString(b.String(), ""))
}

// opens sends what no row takes: who is let in is told so, and nothing runs.
func opens(t *testing.T, door http.Handler, o op.Op) string {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, o.Path(), strings.NewReader(`{"not a field":1}`))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	door.ServeHTTP(w, req)
	switch w.Code {
	case http.StatusBadRequest:
		return "yes"
	case http.StatusForbidden:
		return "-"
	default:
		t.Errorf("%s: %d %s", o.Path(), w.Code, w.Body)
		return "?"
	}
}

// The metrics are for those who may look at the node.
func TestMetricsNeedAPermission(t *testing.T) {
	r := newRig(t)
	for has, want := range map[op.Permission]int{op.Observe: http.StatusOK, op.Deploy: http.StatusForbidden} {
		w := httptest.NewRecorder()
		r.controlMux(only(has), slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if w.Code != want {
			t.Errorf("%s: %d instead of %d", has, w.Code, want)
		}
	}
}
