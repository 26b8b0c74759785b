package plan

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// settled is what becomes of every object, before anything is compared: which
// ones have a new address, which stay as they are and why, which go and how.
// Diff says it change by change, Wanted as a list.
type settled struct {
	in              Input
	actual, desired []spec.Object             // by address
	to, from        map[spec.Addr]spec.Addr   // moves that happen: by the old and by the new address
	unknown         map[spec.Addr]bool        // actual ones whose new address could not be evaluated
	guarded         map[spec.Addr]bool        // actual ones that protection keeps
	blocked         map[spec.Addr][]spec.Addr // desired ones that wait, and for whom
	used            map[spec.Addr]bool        // secrets that no block declares and an app that stays needs
}

// settle decides.
func settle(in Input) *settled {
	s := &settled{
		in: in, actual: sorted(in.Actual), desired: sorted(in.Desired), to: map[spec.Addr]spec.Addr{}, from: map[spec.Addr]spec.Addr{},
		unknown: map[spec.Addr]bool{}, guarded: map[spec.Addr]bool{}, blocked: map[spec.Addr][]spec.Addr{},
	}
	s.move()
	s.guard()
	s.contest()
	s.secrets()
	return s
}

// secrets finds what the apps that stay as they are cannot do without.
func (s *settled) secrets() {
	gone := func(o spec.Object) bool { return o.Kind == spec.KindSecret && find(s.desired, o.Addr) == nil }
	if !slices.ContainsFunc(s.actual, gone) {
		return
	}
	s.used = map[spec.Addr]bool{}
	for was, want := range s.pairs() {
		if !s.remains(was, want) {
			continue
		}
		if app := program(*was); app != nil {
			for _, name := range app.Secrets() {
				s.used[spec.Addr("secret."+name)] = true
			}
		}
	}
}

// needed reports whether a secret that no block declares stays.
func (s *settled) needed(o spec.Object) bool { return o.Kind == spec.KindSecret && s.used[o.Addr] }

// pairs walks both lists once by address, an object that moves beside what it
// becomes. One of the two is nil where the other stands alone.
func (s *settled) pairs() iter.Seq2[*spec.Object, *spec.Object] {
	return func(yield func(was, want *spec.Object) bool) {
		was, want := s.actual, s.desired
		for len(was) > 0 || len(want) > 0 {
			var a, b *spec.Object
			switch {
			case len(want) == 0 || len(was) > 0 && was[0].Addr < want[0].Addr:
				a, was = &was[0], was[1:]
				if _, moves := s.to[a.Addr]; moves {
					continue // it comes with its new address
				}
			case len(was) == 0 || want[0].Addr < was[0].Addr:
				b, want = &want[0], want[1:]
				if from, moved := s.from[b.Addr]; moved {
					a = find(s.actual, from)
				}
			default:
				a, b, was, want = &was[0], &want[0], was[1:], want[1:]
			}
			if !yield(a, b) {
				return
			}
		}
	}
}

// move finds the moves that happen: the node has the old address, the revision
// asks for the new one and no longer for the old, and the new one is free.
func (s *settled) move() {
	if len(s.in.Moved) == 0 {
		return
	}
	for i := range s.actual {
		from := s.actual[i].Addr
		to := s.target(from)
		switch {
		case to == from || find(s.desired, from) != nil || find(s.actual, to) != nil || s.from[to] != "":
		case s.stalled(to):
			s.unknown[from] = true
		case find(s.desired, to) == nil:
		case s.stays(from):
			s.blocked[to] = []spec.Addr{from}
		default:
			s.to[from], s.from[to] = to, from
		}
	}
}

// target follows an address through the moves, one after the other.
func (s *settled) target(addr spec.Addr) spec.Addr {
	for range s.in.Moved {
		next := addr
		for _, m := range s.in.Moved {
			if m.From == addr {
				next = m.To
				break
			}
			if key, of := strings.CutPrefix(string(addr), string(m.From)+"["); of {
				next = m.To + spec.Addr("["+key)
			}
		}
		if next == addr {
			break
		}
		addr = next
	}
	return addr
}

// guard finds what protection keeps: what would go, and what would be made anew.
func (s *settled) guard() {
	for was, want := range s.pairs() {
		switch {
		case was == nil || was.Unmanaged || s.stays(was.Addr):
		case want == nil && s.end(*was) == Forget:
		case want != nil && was.Immutable == want.Immutable:
		case protected(*was):
			s.guarded[was.Addr] = true
		}
	}
}

// end is what becomes of an object that no block declares.
func (s *settled) end(o spec.Object) Action {
	if o.Kind != spec.KindApp {
		if o.HoldsData {
			return Park
		}
		return Delete
	}
	how := words(o).OnRemove
	for _, r := range s.in.Removed {
		if r.From == o.Addr || r.From == block(o.Addr) {
			how = r.OnRemove
		}
	}
	switch how {
	case spec.Delete:
		return Delete
	case spec.Forget:
		return Forget
	default:
		return Park
	}
}

// words reads what an app says of its own end. Most say nothing, and are not
// decoded.
func words(o spec.Object) (app struct {
	Protect  bool          `json:"protect"`
	OnRemove spec.OnRemove `json:"on_remove"`
}) {
	if bytes.Contains(o.Spec, []byte(`"protect"`)) || bytes.Contains(o.Spec, []byte(`"on_remove"`)) {
		_ = json.Unmarshal(o.Spec, &app) // what cannot be read says nothing
	}
	return app
}

// protected reports whether an object must not go.
func protected(o spec.Object) bool { return o.Kind == spec.KindApp && words(o).Protect }

// stalled reports whether an object, or its whole block, could not be evaluated.
func (s *settled) stalled(addr spec.Addr) bool {
	if len(s.in.Stalled) == 0 {
		return s.unknown[addr]
	}
	if _, is := s.in.Stalled[addr]; is {
		return true
	}
	_, is := s.in.Stalled[block(addr)]
	return is || s.unknown[addr]
}

// stays reports whether an object stays as it is whatever is asked for: it is
// stalled, or somebody holds it.
func (s *settled) stays(addr spec.Addr) bool {
	_, kept := s.in.Kept[addr]
	return kept || s.stalled(addr)
}

// waits reports whether an app that no block declares stays for now: a revision
// that could not be read in full removes nothing, as the rest of it may say why.
func (s *settled) waits(o spec.Object) bool {
	return len(s.in.Unknown) > 0 && o.Kind == spec.KindApp && !o.Unmanaged && !s.stays(o.Addr) && !s.guarded[o.Addr]
}

// remains reports whether the node goes on with what it has.
func (s *settled) remains(was, want *spec.Object) bool {
	if was == nil {
		return false
	}
	if s.stays(was.Addr) || s.guarded[was.Addr] {
		return true
	}
	if want != nil {
		return s.stays(want.Addr) || s.blocked[want.Addr] != nil
	}
	return was.Unmanaged || s.waits(*was) || s.needed(*was) || s.end(*was) == Forget
}

// contest finds the desired objects that want a host which somebody keeps: one
// host never has two apps. Keeping one back may contest another, so it looks
// until nothing moves.
func (s *settled) contest() {
	owner := map[string]spec.Addr{}
	for was, want := range s.pairs() {
		if s.remains(was, want) {
			claim(owner, *was)
		}
	}
	for moved := len(owner) > 0; moved; {
		moved = false
		for was, want := range s.pairs() {
			if want == nil || s.remains(was, want) || was == nil && (s.stays(want.Addr) || s.blocked[want.Addr] != nil) {
				continue
			}
			if by := s.owners(owner, was, *want); len(by) > 0 {
				s.blocked[want.Addr], moved = by, true
				if was != nil {
					claim(owner, *was)
				}
			}
		}
	}
}

// claim notes an object's hosts as its own.
func claim(owner map[string]spec.Addr, o spec.Object) {
	for _, host := range hosts(o) {
		owner[host] = o.Addr
	}
}

// owners lists the other objects that keep what is wanted.
func (s *settled) owners(owner map[string]spec.Addr, was *spec.Object, want spec.Object) []spec.Addr {
	var by []spec.Addr
	for _, host := range hosts(want) {
		addr, taken := owner[host]
		if taken && addr != want.Addr && (was == nil || addr != was.Addr) {
			by = append(by, addr)
		}
	}
	slices.Sort(by)
	return slices.Compact(by)
}

// wanted is the outcome: what the node has once every open change is carried
// out.
func (s *settled) wanted() []spec.Object {
	list := make([]spec.Object, 0, len(s.desired))
	for was, want := range s.pairs() {
		switch {
		case s.remains(was, want):
			o := *was
			o.Unmanaged = o.Unmanaged || want == nil && !s.stays(o.Addr) && !s.guarded[o.Addr] && !s.waits(*was) && !s.needed(*was)
			list = append(list, o)
		case want != nil && !s.stays(want.Addr) && s.blocked[want.Addr] == nil:
			list = append(list, *want)
		}
	}
	return sorted(list)
}

// Wanted returns the objects a node should have after a pass, by address:
// carrying out the open changes of Diff of the same input yields it. What is
// stalled, held, protected or waits for such stays as it is; what was forgotten
// is there unmanaged.
func Wanted(in Input) []spec.Object { return settle(in).wanted() }

// find returns an object of a sorted list, nil where it is not there.
func find(list []spec.Object, addr spec.Addr) *spec.Object {
	i, ok := slices.BinarySearchFunc(list, addr, func(o spec.Object, a spec.Addr) int { return strings.Compare(string(o.Addr), string(a)) })
	if !ok {
		return nil
	}
	return &list[i]
}
