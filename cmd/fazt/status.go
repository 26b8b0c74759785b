package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

type statusOut struct {
	*reconcile.Status
	Version string        `json:"version"`
	Up      time.Duration `json:"up_ns"`
	Serving int           `json:"serving"`
	Listen  []string      `json:"listen"`

	History string `json:"history,omitempty"` // of the followed repository: fast-forward, follow

	Mirror *source.Stats  `json:"mirror,omitempty"` // of the followed repository
	Disk   *platform.Disk `json:"disk,omitempty"`   // only when it is nearly full
	Aside  []string       `json:"aside,omitempty"`  // damaged records that lie beside the new one

	Certificates []certView    `json:"certificates,omitempty"`
	Backups      *backupStatus `json:"backups,omitempty"` // where apps keep data
	Traffic      trafficView   `json:"traffic"`
	Journal      headView      `json:"journal"` // its head, to be kept elsewhere
}

// WriteText is the page an operator reads first: where from, how far, what is
// wrong, what to do.
func (o statusOut) WriteText(w *op.Screen) error {
	row := func(name, format string, args ...any) {
		w.Printf("%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	name := o.Node
	if name == "" {
		name = "no name yet"
	}
	row("node", "%s, fazt %s, up %s", name, o.Version, span(o.Up))
	row("phase", "%s for %s", redPhase(w, o.Phase), span(time.Since(o.Since)))
	if o.Source != "" {
		row("source", "%s", o.Source)
	}
	if o.History == historyFollow {
		row("history", "follow: a rewritten one is taken")
	}
	switch {
	case o.Generation == 0:
		row("serving", "nothing is published yet")
	case o.Desired != "" && o.Desired == o.Applied && o.Applied != o.Published && o.Problem == nil:
		row("serving", "%s (generation %d), where %s changes nothing", short(o.Published), o.Generation, short(o.Desired))
	case o.Desired != "" && o.Desired != o.Published:
		row("serving", "%s (generation %d), while %s is wanted", short(o.Published), o.Generation, short(o.Desired))
	default:
		row("serving", "%s (generation %d)", short(o.Published), o.Generation)
	}
	row("apps", "%s", o.appWords(w))
	row("listen", "%s", strings.Join(o.Listen, ", "))
	if len(o.Certificates) > 0 {
		row("certs", "%s", certWords(o.Certificates))
	}
	if o.Backups != nil {
		row("backups", "%s", o.Backups)
	}
	o.Traffic.write(row)
	if o.Subject != "" {
		row("commit", "%q by %s, %s", o.Subject, nameOf(o.Author), ago(o.Committed))
	}
	if o.Mirror != nil {
		o.writeMirror(row)
	}
	if o.Disk != nil {
		row("disk", "nearly full: %s of %s free, fewer releases are kept", size(int64(o.Disk.Free)), size(int64(o.Disk.Total)))
	}
	if !o.Next.IsZero() {
		row("next", "in %s", span(time.Until(o.Next)))
	}
	o.writeHolds(w)
	o.writeDamage(w)
	o.writeProblems(w)
	if o.Backups != nil {
		for _, p := range o.Backups.Problems {
			w.Printf("\n")
			problemLine(w, "no newer backup of "+p)
		}
	}
	return nil
}

// writeMirror says what following costs: on the disk, and at the last fetch. A
// repository on this machine is copied, which needs no memory to speak of.
func (o statusOut) writeMirror(row func(name, format string, args ...any)) {
	row("mirror", "%s, %s", plural(o.Mirror.Packs, "pack"), size(o.Mirror.Bytes))
	last := o.Mirror.Last
	if last.Objects == 0 {
		return
	}
	text := plural(last.Objects, "object") + ", " + size(last.Bytes)
	if last.Memory > 0 {
		text += fmt.Sprintf(", at most %s of memory (limit %s)", size(last.Memory), size(o.Mirror.MemoryLimit))
	}
	row("fetched", "%s", text)
}

// writeHolds says on every status what somebody holds back, and since when.
func (o statusOut) writeHolds(w *op.Screen) {
	for i, h := range o.Holds {
		if i == 0 {
			w.Printf("\n")
		}
		text := h.String() + ", " + ago(h.Since)
		if !h.Until.IsZero() {
			text += ", until " + h.Until.Format(time.RFC3339)
		}
		problemLine(w, text)
		if h.Reason != "" {
			w.Printf("  %q by %s\n", h.Reason, h.Actor)
		} else {
			w.Printf("  by %s\n", h.Actor)
		}
	}
}

func (o statusOut) appWords(w *op.Screen) string {
	counts := map[string]int{}
	for _, a := range o.Apps {
		counts[string(a.State)]++
	}
	words := []string{fmt.Sprintf("%d serving", o.Serving)}
	for _, s := range []string{"stalled", "failed", "rolled_back", "held", "unmanaged", "unavailable", "disabled"} {
		if counts[s] > 0 {
			words = append(words, fmt.Sprintf("%d ", counts[s])+strings.ReplaceAll(redState(w, s), "_", " "))
		}
	}
	return strings.Join(words, ", ")
}

// writeProblems says each thing once: what is wrong with the node, then the
// apps that are not as they should be.
func (o statusOut) writeProblems(w *op.Screen) {
	var apps []reconcile.AppStatus
	for _, a := range o.Apps {
		if a.State == reconcile.AppStalled || a.State == reconcile.AppFailed || a.State == reconcile.AppHeld {
			apps = append(apps, a)
		}
	}
	var shown spec.Diagnostics
	if p := o.Problem; p != nil {
		shown = p.Diagnostics
		head := p.Message
		for i, a := range apps {
			if head == string(a.Addr)+": "+a.Message { // the problem is this app
				head = o.appProblem(a, shown)
				apps = append(apps[:i:i], apps[i+1:]...)
				break
			}
		}
		if len(shown) == 0 {
			head = withCode(head, p.Code)
		}
		w.Printf("\n")
		problemLine(w, head)
		if p.Hint != "" {
			w.Printf("  hint: %s\n", p.Hint)
		}
		shown.WriteText(w, spec.TextOptions{Color: w.Color})
	}
	for _, a := range apps {
		if len(shown) > 0 {
			w.Printf("\n")
			problemLine(w, o.appProblem(a, shown))
			continue
		}
		w.Printf("\n")
		problemLine(w, o.appProblem(a, a.Diagnostics))
		a.Diagnostics.WriteText(w, spec.TextOptions{Color: w.Color})
	}
}

// appProblem is where an app is instead, and why unless a finding tells it.
func (o statusOut) appProblem(a reconcile.AppStatus, shown spec.Diagnostics) string {
	text := string(a.Addr) + " stays on " + short(a.Revision)
	if a.Revision == "" {
		text = string(a.Addr) + " was never released"
	}
	if a.Revision == "" && slices.Contains(o.Lost, a.Addr) {
		text = string(a.Addr) + " cannot be loaded"
	}
	told := slices.ContainsFunc(shown, func(d spec.Diagnostic) bool { return d.Summary == a.Message })
	if a.Message == "" || told {
		return text
	}
	return text + ": " + a.Message
}

func orNothing(revision string) string {
	if revision == "" {
		return "nothing: it was never released"
	}
	return revision
}

type syncIn struct {
	Once bool   `help:"take one revision although the node is paused" json:"once"`
	Wait bool   `help:"wait until the commit is live or refused" json:"wait"`
	Rev  string `placeholder:"REV" help:"the commit to wait for; the newest by default" json:"rev"`

	Timeout time.Duration `default:"5m" help:"with --wait: give up after this long" json:"timeout"`
}

// commitID is how a commit is named, or what a folder that is followed was.
var commitID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(dir:)?[0-9a-fA-F]{7,40}$`) })

// exitRolledBack says that what was waited for is not what is served: it was
// rolled back, or did not come so far as it was not healthy.
const exitRolledBack = 9

type syncOut struct {
	Outcome     string           `json:"outcome"` // of reconcile.Outcome
	Revision    string           `json:"revision,omitempty"`
	Generation  uint64           `json:"generation,omitempty"`
	Code        string           `json:"code,omitempty"` // of the message
	Message     string           `json:"message,omitempty"`
	Hint        string           `json:"hint,omitempty"`
	Diagnostics spec.Diagnostics `json:"diagnostics,omitempty"`
	kind        fault.Kind
}

// Exit tells the fate of that commit.
func (o syncOut) Exit() int {
	switch reconcile.Outcome(o.Outcome) {
	case reconcile.Taken, reconcile.Applied, reconcile.Unchanged, reconcile.Superseded:
		return 0
	case reconcile.Reverted:
		return exitRolledBack
	}
	if o.Code == fault.CodeUnhealthy {
		return exitRolledBack
	}
	return max(o.kind.Exit(), 1)
}

// WriteText says what became of the commit.
func (o syncOut) WriteText(w *op.Screen) error {
	o.Diagnostics.WriteText(w, spec.TextOptions{Color: w.Color})
	switch o.Outcome {
	case "taken":
		w.Printf("the node looks\n")
	case "applied":
		w.Printf("%s is live (generation %d)\n", short(o.Revision), o.Generation)
	case "superseded":
		w.Printf("%s was superseded by a newer commit (generation %d)\n", short(o.Revision), o.Generation)
	case "unchanged":
		w.Printf("%s is live already (generation %d)\n", short(o.Revision), o.Generation)
	default:
		for _, word := range []string{short(o.Revision), w.Paint(op.Red, strings.ReplaceAll(o.Outcome, "_", " "))} {
			if word != "" {
				w.Printf("%s: ", word)
			}
		}
		w.Printf("%s\n", withCode(o.Message, o.Code))
	}
	if o.Hint != "" {
		w.Printf("hint: %s\n", o.Hint)
	}
	return nil
}

// withCode is a message with the code that can be explained.
func withCode(message, code string) string {
	if code == "" {
		return message
	}
	return message + " (" + code + ")"
}

func statusOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "status", Group: groupLook, Summary: "show what a node serves and what is wrong", Effect: op.Read, Needs: op.Observe, Since: "0.1.0",
			Examples: []op.Example{{Command: "status"}, {Command: "@prod status --json"}},
		}, on(n, func(ctx context.Context, n *node, _ noIn) (statusOut, error) { return n.status(ctx) })),
		op.New(op.Row{
			Name: "sync", Group: groupChange, Summary: "have a node look at its repository now", Effect: op.Change, Needs: op.Deploy, Since: "0.1.0",
			Detail:   "Returns when the node has taken the hint. With --wait it tells the fate of that commit, never of an earlier one.",
			Examples: []op.Example{{Command: "sync"}, {Command: "@prod sync --wait --rev 3f9c2e1"}},
			Exits: map[int]string{
				1: "with --wait: the commit failed", 3: "with --wait: the commit is invalid", 5: "with --wait: a guard refused it",
				6: "with --wait: the repository has no such commit", 7: "with --wait: not decided in time", 8: "with --wait: the node is paused", 9: "with --wait: an app of it is rolled back, or was not healthy and stays on its last release",
			},
		}, on(n, func(ctx context.Context, n *node, in syncIn) (syncOut, error) { return n.sync(ctx, in) })),
	}
}

func (n *node) status(ctx context.Context) (statusOut, error) {
	apps, err := n.apps(ctx)
	out := statusOut{Status: n.safe.status(n.loop.Status()), Version: version, Up: time.Since(n.started), Serving: len(apps), History: n.cfg.history}
	for _, a := range n.edge.Addrs() {
		out.Listen = append(out.Listen, a.String())
	}
	if git, follows := n.cfg.source.(*source.Git); follows {
		stats := git.Stats()
		out.Mirror = &stats
	}
	out.Certificates, out.Traffic = n.certificates(), n.traffic()
	if disk, err := n.ground.Disk(); err == nil && disk.Low() {
		out.Disk = &disk
	}
	out.Aside = n.ground.Aside()
	backups, failed := n.backupsNow(ctx)
	out.Backups = backups
	head, unread := n.head(ctx)
	out.Journal = head
	return out, errors.Join(err, failed, unread)
}

func (n *node) sync(ctx context.Context, in syncIn) (syncOut, error) {
	if n.cfg.source == nil {
		return syncOut{}, fault.New(fault.Conflict, "this node follows no repository").
			WithHint("give it a configuration with `fazt apply DIR`, or start it with --repo")
	}
	if err := n.safe.refuse(); err != nil {
		return syncOut{}, err
	}
	if in.Rev != "" && !commitID().MatchString(in.Rev) {
		return syncOut{}, fault.New(fault.Invalid, "%q is no revision", in.Rev).WithHint("give seven or more digits of a commit id")
	}
	if in.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, in.Timeout)
		defer cancel()
	}
	r, err := n.loop.Sync(ctx, reconcile.SyncRequest{Wait: in.Wait || in.Once, Once: in.Once, Revision: strings.ToLower(in.Rev), Actor: op.ActorFrom(ctx)})
	if err != nil {
		return syncOut{}, err
	}
	out := syncOut{Outcome: string(r.Outcome), Revision: r.Revision, Generation: r.Generation, Diagnostics: r.Diagnostics}
	if r.Problem != nil {
		out.Code, out.Message, out.Hint, out.kind = r.Problem.Code, r.Problem.Message, r.Problem.Hint, r.Problem.Kind
	}
	return out, nil
}
