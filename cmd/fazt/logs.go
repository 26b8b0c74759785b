package main

import (
	"context"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec"
)

type logsIn struct {
	App    string `arg:"" help:"name of the app" json:"app"`
	Follow bool   `help:"go on with what it says from now on" json:"follow"`
	Since  string `placeholder:"10m" help:"from this long ago, or from this time on (2026-11-22T10:00:00Z)" json:"since"`
	Level  string `default:"debug" enum:"debug,info,warn,error" help:"this level and what is more important" json:"level"`
	Last   int    `default:"100" help:"how many of the past, the newest ones" json:"last"`
}

// logView is one line of an app's log.
type logView struct{ applog.Line }

// WriteText is the line, red where something failed. Only a line of its own begins
// at the margin, so that what a visitor sent cannot pass for one.
func (v logView) WriteText(w *op.Screen) error {
	level := v.Level
	if level == "error" {
		level = w.Paint(op.Red, level)
	}
	w.Printf("%s  %-5s %s", v.Time.Format("2006-01-02 15:04:05"), level, strings.ReplaceAll(strings.TrimRight(v.Text, "\n"), "\n", "\n    "))
	if v.Request != "" {
		w.Printf("  (%s)", oneLine(v.Request))
	}
	w.Printf("\n")
	return nil
}

func logOps(n *node) []op.Op {
	row := op.Row{
		Name: "app logs", Group: groupLook, Summary: "show what an app's code said, and what it failed of", Effect: op.Read, Needs: op.Observe, Since: "0.4.0",
		Detail: "Oldest first. The word in brackets is the request's, as the answer of a failure carries it. About the last two megabytes of each app are kept.",
		Examples: []op.Example{
			{Command: "app logs notes --since 10m --level warn"},
			{Command: "@prod app logs notes --follow --json", Note: "a line for each, as it comes"},
		},
		Exits: map[int]string{6: "there is no such app"},
	}
	if n == nil {
		return []op.Op{op.NewStream[logsIn, logView](row, nil)}
	}
	return []op.Op{op.NewStream(row, n.logs)}
}

// logs shows the past of an app's log, and with Follow goes on until the caller is
// gone.
func (n *node) logs(ctx context.Context, in logsIn, emit func(logView) error) error {
	name, err := n.logName(ctx, in.App)
	if err != nil {
		return err
	}
	since, err := sinceWhen(in.Since, time.Now())
	if err != nil {
		return err
	}
	filter := applog.Filter{Since: since, Level: in.Level, Last: max(in.Last, 1)}
	lines, next, stop, err := n.ground.Logs.Follow(name, filter)
	if err != nil {
		return err
	}
	defer stop()
	for _, line := range lines {
		if emit(logView{line}) != nil {
			return nil // nobody listens any more
		}
	}
	for in.Follow {
		select {
		case <-ctx.Done():
			return nil
		case line := <-next:
			if filter.Takes(line) && emit(logView{line}) != nil {
				return nil
			}
		}
	}
	return nil
}

// logName is whose log is meant: of an app of the node, or of one that said
// something and did not come into service.
func (n *node) logName(ctx context.Context, app string) (string, error) {
	addr, err := n.addrOf(ctx, app)
	if err == nil {
		return appName(addr), nil
	}
	if said, unread := n.ground.Logs.Read(app, applog.Filter{Last: 1}); unread == nil && len(said) > 0 {
		return app, nil
	}
	return "", err
}

// appName is an app's address as it is typed: site-docs for app.site["docs"].
func appName(addr spec.Addr) string {
	_, name, _ := strings.Cut(string(addr), ".")
	return strings.NewReplacer(`["`, "-", `"]`, "").Replace(name)
}
