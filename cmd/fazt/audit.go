package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// actionRead is what the journal calls every look at what apps keep.
const actionRead = "read"

// actDetail is what an entry says of a command beside its name and its object.
type actDetail struct {
	Command string `json:"command,omitempty"` // of a read
	Note    string `json:"note,omitempty"`    // the key, the query
	Token   string `json:"token,omitempty"`   // the name of the token they came by
}

// words are what a person wants of it, beside what it happened to.
func (d actDetail) words(target string) string {
	if d.Command != "" || d.Note != "" {
		target += ": " + d.Command + " " + d.Note
	}
	if d.Token != "" {
		target += " (by " + d.Token + ")"
	}
	return strings.TrimSpace(strings.TrimPrefix(target, ": ")) // of what was refused unread there is no target
}

// mostNote is how much of a query the journal keeps.
const mostNote = 1000

// audit records a command that changes something, or shows what an app keeps. The
// loop journals what becomes of a change.
func (n *node) audit(ctx context.Context, a op.Act) {
	e := journal.Entry{Time: time.Now(), Actor: a.Actor, Action: a.Row.Name, Target: a.Target, Outcome: "ok"}
	switch {
	case a.Err != nil:
		e.Outcome = string(fault.KindOf(a.Err))
	case a.Exit != 0:
		e.Outcome = fmt.Sprintf("exit %d", a.Exit)
	}
	var d actDetail
	switch who, err := edge.OperatorFrom(ctx); {
	case err != nil: // not from elsewhere
	case who.Program != nil: // of several jobs, which one
		a.Note = strings.TrimSpace(who.Program.Note + " " + a.Note)
	case who.Token != nil:
		d.Token = who.Token.Name
	}
	d.Note = clip(a.Note, mostNote)
	if a.Read {
		e.Action, d.Command = actionRead, a.Row.Name
	}
	ctx, back := n.ground.Lend(context.WithoutCancel(ctx))
	defer back()
	err := d.put(&e)
	if err == nil {
		err = n.ground.DB.Write(ctx, func(tx *sqlite.Tx) error {
			_, err := n.ground.Journal.Append(tx, e)
			return err
		})
	}
	n.ground.Journal.Announce()
	if err != nil {
		n.cfg.log.Error("a command was not journalled", "action", a.Row.Name, "actor", a.Actor, "error", err)
	}
}

func (d actDetail) put(e *journal.Entry) (err error) {
	if d != (actDetail{}) {
		e.Detail, err = json.Marshal(d)
	}
	return err
}

// headView is the newest entry of a journal. Whoever keeps it elsewhere can tell
// later whether it is still in there.
type headView struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// String is how a head is written down: 1234:9f86d0….
func (h headView) String() string { return strconv.FormatUint(h.Seq, 10) + ":" + h.Hash }

// WriteText prints it alone, so that it can be kept.
func (h headView) WriteText(w *op.Screen) error { return w.Printf("%s\n", h) }

func parseHead(text string) (h journal.Head, err error) {
	seq, hash, ok := strings.Cut(strings.TrimSpace(text), ":")
	h.Hash = hash
	h.Seq, err = strconv.ParseUint(seq, 10, 63)
	if sum, bad := hex.DecodeString(hash); err != nil || bad != nil || !ok || len(sum) != 32 {
		return h, fault.New(fault.Invalid, "%q is no head of a journal", clip(text, 80)).WithHint("give what `fazt audit head` printed")
	}
	return h, nil
}

type auditVerifyIn struct {
	Head []string `placeholder:"SEQ:HASH" help:"a head that was noted before; may be repeated" json:"head"`
}

type auditVerifyOut struct {
	Entries uint64   `json:"entries"`           // that are as they were written, from the first on
	Head    headView `json:"head"`              // the last of them
	Noted   int      `json:"noted"`             // heads that were compared
	Problem string   `json:"problem,omitempty"` // of the first that is not
	Bad     uint64   `json:"bad,omitempty"`     // its number
}

// Exit is 1 where the journal is not as it was written.
func (o auditVerifyOut) Exit() int {
	if o.Problem != "" {
		return 1
	}
	return 0
}

// WriteText says which entry is the first bad one, or that there is none.
func (o auditVerifyOut) WriteText(w *op.Screen) error {
	if o.Problem != "" {
		problemLine(w, o.Problem)
		return w.Printf("  before it: %s, as written\n", counted(o.Entries))
	}
	compared := "no head was given to compare: a journal that was cut short looks whole"
	if o.Noted > 0 {
		compared = plural(o.Noted, "noted head") + " found in it"
	}
	return w.Printf("%s, as written; %s\nhead %s\n", counted(o.Entries), compared, o.Head)
}

func counted(entries uint64) string {
	if entries == 1 {
		return "1 entry"
	}
	return thousands(int64(entries)) + " entries"
}

func auditOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "audit verify", Group: groupLook, Summary: "check that the journal is as it was written", Effect: op.Read, Needs: op.Observe, Since: "0.5.0",
			Detail: "Each entry has the hash of the one before. Who may write the file may write a whole new chain, or cut the end off: only a head that was kept elsewhere shows that. " +
				"`fazt audit head` prints it, `fazt status --json` has it, and the node logs it every hour.",
			Examples: []op.Example{{Command: "audit verify"}, {Command: "@prod audit verify --head 1234:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"}},
			Exits:    map[int]string{1: "an entry is not as it was written"},
		}, on(n, func(ctx context.Context, n *node, in auditVerifyIn) (auditVerifyOut, error) {
			return n.auditVerify(ctx, in)
		})),
		op.New(op.Row{
			Name: "audit head", Group: groupLook, Summary: "print the journal's newest hash, to keep elsewhere", Effect: op.Read, Needs: op.Observe, Since: "0.5.0",
			Examples: []op.Example{{Command: "@prod audit head"}},
		}, on(n, func(ctx context.Context, n *node, _ noIn) (headView, error) { return n.head(ctx) })),
	}
}

func (n *node) head(ctx context.Context) (headView, error) {
	h, err := n.ground.Journal.Head(ctx)
	return headView(h), err
}

func (n *node) auditVerify(ctx context.Context, in auditVerifyIn) (out auditVerifyOut, err error) {
	var known []journal.Head
	for _, text := range in.Head {
		h, err := parseHead(text)
		if err != nil {
			return out, err
		}
		known = append(known, h)
	}
	last, err := n.ground.Journal.Verify(ctx, known...)
	out = auditVerifyOut{Entries: last.Seq, Head: headView(last), Noted: len(known)}
	if bad := (*journal.Broken)(nil); errors.As(err, &bad) {
		out.Problem, out.Bad = bad.Error(), bad.Seq
		return out, nil
	}
	return out, err
}
