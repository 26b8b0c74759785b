package reconcile

import (
	"errors"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// problem says what is wrong after the pass, if anything is.
func (p *pass) problem(o Outcome, kept map[spec.Addr]keptBack) *Problem {
	switch {
	case p.err != nil && o == Superseded:
		return nil
	case p.err != nil:
		problem := problemOf(p.err)
		problem.Diagnostics = p.diagnostics()
		return problem
	case o == Drifting:
		return &Problem{Kind: fault.Internal, Message: "what is served is not what was published: " + p.remaining.Counts.String()}
	case len(kept) == 0:
		return p.heldBack()
	}
	addrs := keysOf(kept)
	problem := &Problem{Kind: fault.Invalid, Message: p.leftBehind(addrs), Apps: addrs, Diagnostics: p.diagnostics()}
	if why := kept[addrs[0]].message(); len(addrs) == 1 && why != "" {
		problem.Message = string(addrs[0]) + ": " + why
	}
	if unhealthy(kept) {
		problem.Code, problem.Hint = fault.CodeUnhealthy, fault.HintOf(kept[addrs[0]].err)
	}
	for _, addr := range addrs {
		if k := kept[addr]; k.state == AppFailed {
			problem.Kind, problem.Hint = fault.KindOf(k.err), fault.HintOf(k.err)
			break
		}
	}
	return problem
}

// heldBack says what somebody keeps from the revision, nil where nobody does: a
// clause for each kind of hold, what to do about the first.
func (p *pass) heldBack() *Problem {
	problem := &Problem{}
	var clauses []string
	clause := func(kind fault.Kind, addrs []spec.Addr, words, hint string) {
		if len(addrs) == 0 {
			return
		}
		if len(clauses) == 0 {
			problem.Kind, problem.Hint = kind, hint
		}
		clauses = append(clauses, isAre(addrs)+" "+words)
		problem.Apps = append(problem.Apps, addrs...)
	}
	list := p.protected()
	clause(fault.Conflict, list, "protected and will not be removed",
		"take protect off in one commit, remove the block in the next; or keep it unmanaged: fazt forget "+firstName(list))
	back, words := p.kept(RolledBack)
	clause(fault.Conflict, back, words, "mend it in git, or take it again: fazt resume --app "+firstName(back))
	paused, words := p.kept(Paused)
	clause(fault.Exhausted, paused, words, "fazt resume --app "+firstName(paused))
	if len(clauses) == 0 {
		return nil
	}
	slices.Sort(problem.Apps)
	problem.Message = strings.Join(clauses, "; ")
	return problem
}

// kept lists the apps that a kind of hold keeps back, and says how: who and why
// only where that is the same for all.
func (p *pass) kept(kind HoldKind) (addrs []spec.Addr, words string) {
	for _, c := range p.plan.Changes {
		if c.Kept == nil || c.Kept.Kind != string(kind) {
			continue
		}
		addrs = append(addrs, c.Addr)
		switch text := c.Kept.String(); {
		case words == "":
			words = text
		case words != text:
			words = plan.Keep{Kind: string(kind)}.String()
		}
	}
	return addrs, words
}

// firstName is the first of a list as it is typed on the command line.
func firstName(addrs []spec.Addr) string {
	if len(addrs) == 0 {
		return ""
	}
	return nameOf(addrs[0])
}

// leftBehind says of apps that are not as the revision has them what they are
// instead.
func (p *pass) leftBehind(addrs []spec.Addr) string {
	var stay, out []spec.Addr
	for _, addr := range addrs {
		has := slices.ContainsFunc(p.actual, func(o spec.Object) bool {
			block, _, _ := strings.Cut(string(o.Addr), "[")
			return o.Addr == addr || block == string(addr)
		})
		if has {
			stay = append(stay, addr)
		} else {
			out = append(out, addr)
		}
	}
	var words []string
	switch len(stay) {
	case 0:
	case 1:
		words = append(words, string(stay[0])+" stays on its last release")
	default:
		words = append(words, joinAddrs(stay)+" stay on their last release")
	}
	switch len(out) {
	case 0:
	case 1:
		words = append(words, string(out[0])+" is left out")
	default:
		words = append(words, joinAddrs(out)+" are left out")
	}
	return strings.Join(words, ", ")
}

// diagnostics are all findings of the revision, the shared ones first, each once:
// a file that cannot be read stalls all its apps.
func (p *pass) diagnostics() spec.Diagnostics {
	if p.loaded == nil {
		return nil
	}
	list := append(spec.Diagnostics(nil), p.loaded.diagnostics...)
	add := func(found spec.Diagnostics) {
		for _, d := range found {
			if !slices.ContainsFunc(list, func(has spec.Diagnostic) bool { return sameFinding(has, d) }) {
				list = append(list, d)
			}
		}
	}
	for _, addr := range keysOf(p.loaded.stalled) {
		add(p.loaded.stalled[addr])
	}
	for _, f := range p.faults {
		add(placed(f.Err))
	}
	add(placed(p.err))
	return list
}

// placed are the findings that an error is made of, if it is made of some.
func placed(err error) (found spec.Diagnostics) {
	errors.As(err, &found)
	return found
}

// sameFinding reports whether two findings are one mistake, whosever it is.
func sameFinding(a, b spec.Diagnostic) bool {
	return a.Code == b.Code && a.Summary == b.Summary && a.Detail == b.Detail && a.Range != nil && b.Range != nil && *a.Range == *b.Range
}
