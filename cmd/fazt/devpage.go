package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// troublesOf is what the pages of apps show of a pass: the findings of each app, and
// of what has none the sentence.
func troublesOf(r reconcile.Result) (list []edge.Trouble) {
	var addrs []spec.Addr
	found := map[spec.Addr]spec.Diagnostics{}
	for _, d := range r.Diagnostics.Errors() {
		if !slices.Contains(addrs, d.Address) {
			addrs = append(addrs, d.Address)
		}
		found[d.Address] = append(found[d.Address], d)
	}
	for _, addr := range addrs {
		var text strings.Builder
		found[addr].WriteText(&text, spec.TextOptions{})
		list = append(list, trouble(addr, text.String()))
	}
	if r.Problem == nil || explained(r) {
		return list
	}
	message := strings.TrimSuffix(r.Problem.Message+"\n"+r.Problem.Hint, "\n")
	for _, addr := range r.Problem.Apps {
		if found[addr] == nil {
			list = append(list, trouble(addr, message))
		}
	}
	if len(list) == 0 {
		list = append(list, trouble("", message))
	}
	return list
}

func trouble(addr spec.Addr, text string) edge.Trouble {
	t := edge.Trouble{Addr: addr, Text: text}
	if addr != "" {
		t.Name = appName(addr)
	}
	return t
}

// devLines prints what apps say as they say it; with --quiet only what failed.
func (p *program) devLines() func(string, applog.Line) {
	var mu sync.Mutex
	screen := op.NewScreen(p.stderr, "auto", p.getenv)
	return func(app string, l applog.Line) {
		if p.quiet && l.Level != "error" {
			return
		}
		text := strings.ReplaceAll(strings.TrimRight(l.Text, "\n"), "\n", "\n"+strings.Repeat(" ", len(app)+2))
		switch l.Level {
		case "error":
			text = screen.Paint(op.Red, "error ") + text
		case "warn":
			text = screen.Paint(op.Yellow, "warn ") + text
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(screen, "%s  %s\n", screen.Paint(op.Dim, app), text)
	}
}
