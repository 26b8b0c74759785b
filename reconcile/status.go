package reconcile

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// Phase is where the loop is, in one word.
type Phase string

// The phases. The first five and Staging pass by; the others last.
const (
	Idle      Phase = "idle" // nothing to follow, nothing asked for yet
	Fetching  Phase = "fetching"
	Loading   Phase = "loading"
	Planning  Phase = "planning"
	Waiting   Phase = "waiting"  // for a person, or a newer revision
	Diverged  Phase = "diverged" // the same, as history was rewritten
	Staging   Phase = "staging"
	Synced    Phase = "synced"
	Failed    Phase = "failed"  // will be tried again
	Stalled   Phase = "stalled" // needs a new revision
	Drifted   Phase = "drifted" // what is served is not what was published
	Suspended Phase = "suspended"
)

// Status is the loop's view of the node. It is immutable: each change is a new
// value.
type Status struct {
	Phase      Phase                  `json:"phase"`
	Since      time.Time              `json:"since"`
	Source     string                 `json:"source,omitempty"` // empty: no repository is followed
	Node       string                 `json:"node,omitempty"`   // known once a revision was applied, or loaded
	Desired    string                 `json:"desired,omitempty"`
	Author     string                 `json:"author,omitempty"`  // of the desired revision
	Subject    string                 `json:"subject,omitempty"` // of the desired revision
	Committed  time.Time              `json:"committed,omitzero"`
	Applied    string                 `json:"applied,omitempty"`   // the last revision that was carried out, as far as it could be
	Published  string                 `json:"published,omitempty"` // the revision of the generation: it changed something here
	Generation uint64                 `json:"generation"`
	Checked    time.Time              `json:"checked,omitzero"` // when the source last answered
	Problem    *Problem               `json:"problem,omitempty"`
	Plan       *PlanSummary           `json:"plan,omitempty"`      // of the last pass
	Remaining  *plan.Plan             `json:"remaining,omitempty"` // when waiting or drifted: what is not done
	Next       time.Time              `json:"next,omitzero"`       // the next attempt without a poke
	Attempts   int                    `json:"attempts,omitempty"`  // failed ones in a row
	Apps       []AppStatus            `json:"apps"`                // by address
	Pass       *PassTime              `json:"pass,omitempty"`      // the last pass
	Holds      []Hold                 `json:"holds,omitempty"`     // by kind and address
	Lost       []spec.Addr            `json:"lost,omitempty"`      // recorded, damaged and not back in service yet
	LostWhy    map[spec.Addr]*Problem `json:"lost_why,omitempty"`  // of what is lost, why it cannot be loaded
	Damaged    []Damage               `json:"damaged,omitempty"`   // files in service that could not be fetched again yet
}

// Problem is why the node is not where it should be.
type Problem struct {
	Kind        fault.Kind       `json:"kind"`
	Code        string           `json:"code,omitempty"`
	Message     string           `json:"message"`
	Hint        string           `json:"hint,omitempty"`
	Apps        []spec.Addr      `json:"apps,omitempty"` // those it is about; none: the node
	Diagnostics spec.Diagnostics `json:"diagnostics,omitempty"`
}

// PlanSummary is a plan without its changes.
type PlanSummary struct {
	ID     string      `json:"plan_id"`
	Counts plan.Counts `json:"counts"`
}

// AppState is how an app fares, in one word.
type AppState string

// The states of this version.
const (
	AppLive     AppState = "live"
	AppDisabled AppState = "disabled" // known, not served
	AppStalled  AppState = "stalled"  // needs a new revision; keeps its last release, if it has one
	AppFailed   AppState = "failed"   // will be tried again; keeps its last release, if it has one
	AppHeld     AppState = "held"     // waits for another app that stalled, or is paused

	AppRolledBack AppState = "rolled_back" // until another version of it is asked for
	AppUnmanaged  AppState = "unmanaged"   // in service, no block declares it

	AppUnavailable AppState = "unavailable" // no block declares it, and what the node has of it cannot be loaded
)

// AppStatus is one app.
type AppStatus struct {
	Addr        spec.Addr        `json:"addr"`
	Name        string           `json:"name"`
	State       AppState         `json:"state"`
	Revision    string           `json:"revision,omitempty"` // of the release that is served; empty: none is
	Code        string           `json:"code,omitempty"`     // of the message
	Message     string           `json:"message,omitempty"`
	Diagnostics spec.Diagnostics `json:"diagnostics,omitempty"`
}

// PassTime is how long a pass took, by step.
type PassTime struct {
	Began time.Time     `json:"began"`
	Total time.Duration `json:"total_ns"`
	Steps []Step        `json:"steps"`
}

// Step is one step of a pass.
type Step struct {
	Name     string        `json:"name"`
	Duration time.Duration `json:"duration_ns"`
}

// problemOf turns an error into what a person sees.
func problemOf(err error) *Problem {
	if err == nil {
		return nil
	}
	p := &Problem{Kind: fault.KindOf(err), Message: fault.Message(err), Hint: fault.HintOf(err)}
	for e := (*fault.Error)(nil); p.Code == "" && errors.As(err, &e); err = e.Err {
		p.Code = e.Code
		if e.Err == nil {
			break
		}
	}
	return p
}

// appStatuses lists the apps that are served or should be.
func appStatuses(served []spec.Object, p plan.Plan, kept map[spec.Addr]keptBack) []AppStatus {
	held := map[spec.Addr]string{}
	for _, c := range p.Changes {
		switch {
		case c.Kind != spec.KindApp:
		case c.Blocked:
			held[c.Addr] = "waits for " + joinAddrs(c.BlockedBy)
		case len(c.Waits) > 0:
			held[c.Addr] = "its removal waits for " + joinAddrs(c.Waits)
		}
	}
	list := make([]AppStatus, 0, len(served))
	seen := map[spec.Addr]bool{}
	add := func(a AppStatus) {
		if len(kept)+len(held) > 0 { // few nodes have reason to ask
			seen[a.Addr] = true
		}
		if why, is := keptBy(kept, a.Addr); is {
			a.State, a.Message, a.Code, a.Diagnostics = why.state, why.message(), fault.CodeOf(why.err), why.diagnostics
		} else if why, is := held[a.Addr]; is {
			a.State, a.Message = AppHeld, why
		}
		list = append(list, a)
	}
	for _, o := range served {
		if o.Kind == spec.KindApp {
			add(AppStatus{Addr: o.Addr, Name: o.Name, State: servedState(o), Revision: o.Revision})
		}
	}
	for _, missing := range [][]spec.Addr{keysOf(kept), keysOf(held)} {
		for _, addr := range missing {
			if !seen[addr] && !covers(list, addr) {
				add(AppStatus{Addr: addr, Name: nameOf(addr)})
			}
		}
	}
	slices.SortFunc(list, func(a, b AppStatus) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
	return list
}

// withHolds adds to what the apps are by themselves what somebody holds back.
// An app that stalled or failed says that.
func withHolds(apps []AppStatus, m *memory) []AppStatus {
	if !slices.ContainsFunc(m.holds, func(h Hold) bool { return h.Addr != "" }) {
		return apps
	}
	list := slices.Clone(apps)
	find := func(addr spec.Addr) *AppStatus {
		i := slices.IndexFunc(list, func(a AppStatus) bool { return a.Addr == addr })
		if i < 0 {
			list = append(list, AppStatus{Addr: addr, Name: nameOf(addr)})
			i = len(list) - 1
		}
		return &list[i]
	}
	for _, h := range m.holds { // pauses come before rollbacks, which say more
		if h.Addr == "" {
			continue
		}
		a := find(h.Addr)
		if a.State == AppStalled || a.State == AppFailed {
			continue
		}
		a.State, a.Message = AppHeld, h.words()
		if h.Kind == RolledBack {
			a.State = AppRolledBack
		}
	}
	slices.SortFunc(list, func(a, b AppStatus) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
	return list
}

// servedState tells a live app from one that is switched off.
func servedState(o spec.Object) AppState {
	switch {
	case disabled(o):
		return AppDisabled
	case o.Unmanaged:
		return AppUnmanaged
	default:
		return AppLive
	}
}

// covers reports whether an instance of a for_each block is in the list.
func covers(list []AppStatus, block spec.Addr) bool {
	return slices.ContainsFunc(list, func(a AppStatus) bool { return strings.HasPrefix(string(a.Addr), string(block)+"[") })
}

// keptBack is why an app stays on its last release.
type keptBack struct {
	state       AppState // AppStalled or AppFailed
	diagnostics spec.Diagnostics
	err         error // of staging
}

// message is the first sentence of it.
func (k keptBack) message() string {
	if k.err != nil {
		return fault.Message(k.err)
	}
	for _, d := range k.diagnostics {
		if d.Severity == spec.Error {
			return d.Summary
		}
	}
	return ""
}

// unhealthy reports whether all apps that stay on their last release do so because the
// new one did not answer well.
func unhealthy(kept map[spec.Addr]keptBack) bool {
	for _, k := range kept {
		if fault.CodeOf(k.err) != fault.CodeUnhealthy {
			return false
		}
	}
	return len(kept) > 0
}

// keptBy finds an app, or the block it is an instance of.
func keptBy(kept map[spec.Addr]keptBack, addr spec.Addr) (keptBack, bool) {
	if k, ok := kept[addr]; ok {
		return k, true
	}
	block, _, _ := strings.Cut(string(addr), "[")
	k, ok := kept[spec.Addr(block)]
	return k, ok
}

// nameOf is an address as it is typed on the command line.
func nameOf(addr spec.Addr) string {
	name := string(addr)
	if _, after, ok := strings.Cut(name, "."); ok {
		name = after
	}
	return strings.NewReplacer(`["`, "-", `"]`, "").Replace(name)
}

// joinAddrs lists addresses for a sentence, the first few of them.
func joinAddrs(addrs []spec.Addr) string {
	const few = 5
	var words []string
	for _, addr := range addrs[:min(few, len(addrs))] {
		words = append(words, string(addr))
	}
	if len(addrs) > few {
		words = append(words, "others")
	}
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
