package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/op"
)

// What strangers choose, in paths, user agents, ids, notes and commits, is one entry
// to whoever reads it on a terminal: no line of its own, no command, no other order.
func TestNobodyWritesLinesOfOthers(t *testing.T) {
	const hostile = "/a\r\n2026-11-27 10:00:00  local:0      apply     ok         \x1b[2J\x1b[8mhidden\u202egpj.exe\u0085\u2028x\x9b31m"
	detail, err := json.Marshal(map[string]string{"note": hostile, "command": "kv get"})
	if err != nil {
		t.Fatal(err)
	}
	reason, err := json.Marshal(map[string]string{"reason": hostile})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	for name, v := range map[string]op.Texter{
		"app logs": logView{applog.Line{Time: at, Level: "info", Text: hostile, Request: hostile}},
		"read":     eventView{Time: at, Actor: hostile, Action: "read", Target: hostile, Outcome: "ok", Detail: detail},
		"pause":    eventView{Time: at, Actor: "local:0", Action: "pause", Target: hostile, Outcome: "ok", Detail: reason},
		"trace": traceOut{Addr: "app.a", File: &traceLink{Path: hostile, Note: hostile}, URL: "http://a" + hostile, Location: hostile,
			Release: &deploymentView{ID: "d-1", Actor: hostile, Subject: hostile, Author: hostile}},
	} {
		for _, colour := range []string{"always", "never"} {
			var b bytes.Buffer
			if err := v.WriteText(op.NewScreen(&b, colour, func(string) string { return "" })); err != nil {
				t.Fatal(err)
			}
			for _, r := range strings.ReplaceAll(b.String(), "\n", "") {
				if unicode.IsControl(r) || r == '\u202e' || r == '\u2028' {
					t.Errorf("%s prints %q: %q", name, r, b.String())
				}
			}
			if strings.Contains(b.String(), "\n2026-11-27 10") || name != "trace" && name != "app logs" && strings.Count(b.String(), "\n") != 1 {
				t.Errorf("%s has lines of others:\n%s", name, b.String())
			}
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Warn("refused", "path", hostile, "agent", hostile)
	for _, r := range strings.TrimSuffix(log.String(), "\n") {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			t.Errorf("the node's log prints %q", r)
		}
	}
}
