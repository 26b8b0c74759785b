package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// Input is what a plan is made of. The lists may come in any order; addresses
// are unique in each.
type Input struct {
	Actual      []spec.Object                  // what the node has, as observed
	Desired     []spec.Object                  // what the revision asks for, contents read
	Stalled     map[spec.Addr]spec.Diagnostics // what could not be evaluated: it keeps what it has
	Unknown     []spec.Addr                    // those of Stalled that the revision does not say anything of: nothing is removed meanwhile
	Kept        map[spec.Addr]Keep             // apps that stay as they are although the revision asks for something else
	Moved       []spec.Moved                   // new addresses of what the node has
	Removed     []spec.Removed                 // what becomes of apps whose blocks are gone
	Parked      []spec.Object                  // what the node has in its trash
	Elsewhere   []spec.Addr                    // apps that other nodes take
	AllowPrune  int                            // removes of apps that are allowed; 0: the budget
	AllowHosts  int                            // first certificates that are allowed; 0: the usual number
	AllowAccess bool                           // that people gain access is meant
	Revision    string
	Node        string
	Engine      string
	Generation  uint64 // of Actual
}

// Diff returns the difference between what a node has and what it should have.
// Carrying out the open changes of the plan yields Wanted of the same input.
func Diff(in Input) Plan {
	d := differ{settle(in)}
	wanted := d.wanted()
	p := Plan{
		FormatVersion: FormatVersion,
		Revision:      in.Revision,
		Base:          Base{Generation: in.Generation, Digest: digest(d.actual)},
		Node:          in.Node,
		Engine:        in.Engine,
		Changes:       d.changes(),
		Stalled:       stalledList(in.Stalled, d.actual),
	}
	resemble(p.Changes, d.actual, d.desired)
	warn(p.Changes, d.actual)
	d.warnLeft(p.Changes)
	for _, c := range p.Changes {
		p.Counts.count(c)
	}
	p.Counts.Stalled = len(p.Stalled)
	p.Counts.Unchanged, p.Counts.Unmanaged = d.quiet(wanted)
	hosts := newHosts(d.actual, wanted)
	p.Counts.NewHosts = len(hosts)
	p.Access = d.shifts(wanted)
	if p.Refused = d.refusal(p.Changes); p.Refused == nil {
		p.Refused = d.hostsRefusal(hosts)
	}
	if p.Refused == nil {
		p.Refused = d.accessRefusal(p.Access)
	}
	p.ID = p.identify()
	return p
}

// Same reports whether two objects of one address are the same release: equal
// specs, equal files and equal sources. Places, revisions and stored digests do not count.
func Same(a, b spec.Object) bool {
	return a.Digest == b.Digest && a.Immutable == b.Immutable && sameContents(a, b)
}

// differ says change by change what was settled.
type differ struct{ *settled }

// changes lists what differs, by address.
func (d *differ) changes() []Change {
	changes := []Change{}
	for was, want := range d.pairs() {
		if c, differs := d.compare(was, want); differs {
			changes = append(changes, d.mark(c))
		}
	}
	return changes
}

// compare plans one object; false where nothing is to be said of it.
func (d *differ) compare(was, want *spec.Object) (Change, bool) {
	switch {
	case want == nil:
		return d.remove(*was), !was.Unmanaged && !d.stalled(was.Addr) && !d.needed(*was)
	case was == nil:
		return d.create(*want), !d.leftOut(want.Addr)
	default:
		return d.change(*was, *want)
	}
}

// warnLeft tells of a move that does not happen, as what was to move lies in the trash.
func (d *differ) warnLeft(changes []Change) {
	for i := range changes {
		c := &changes[i]
		if c.Action != Create {
			continue
		}
		for _, o := range d.in.Parked {
			if o.Addr != c.Addr && d.target(o.Addr) == c.Addr {
				c.warn(spec.RiskHigh, "%s is in the trash and moves from there with nothing: `fazt trash restore %s` first", o.Addr, o.Name)
			}
		}
	}
}

// create plans an object that the node does not have, or only in its trash.
func (d *differ) create(o spec.Object) Change {
	c := Change{Addr: o.Addr, Kind: o.Kind, Action: Create, Reason: NewBlock, Range: place(o, nil)}
	if i := slices.IndexFunc(d.in.Parked, func(p spec.Object) bool { return p.Addr == o.Addr }); i >= 0 {
		c.Action, c.Reason = Adopt, Restored
		c.Fields = fields(effective(d.in.Parked[i]), effective(o))
		c.contents(d.in.Parked[i], o)
		c.compareBindings(d.in.Parked[i], o)
		return c
	}
	c.Fields = fields(nil, attributes(o))
	c.contents(spec.Object{}, o)
	c.compareBindings(spec.Object{}, o)
	return c
}

// remove plans the end of an object that is not wanted any more.
func (d *differ) remove(o spec.Object) Change {
	c := Change{Addr: o.Addr, Kind: o.Kind, Action: d.end(o), Reason: d.goneBecause(o.Addr), Fields: []Field{}}
	if c.Action == Forget {
		return c // nothing of it changes
	}
	c.Fields = fields(attributes(o), nil)
	c.contents(o, spec.Object{})
	c.compareBindings(o, spec.Object{})
	return c
}

// change plans an object that is on both sides; false where nothing differs.
func (d *differ) change(was, want spec.Object) (Change, bool) {
	if d.stalled(want.Addr) && want.Content == nil {
		want.Content = was.Content // unread, not empty
	}
	moves, adopted := was.Addr != want.Addr, was.Unmanaged && !want.Unmanaged
	swaps := want.Data != "" && want.Data != was.Data // what a revision asks for has none
	if Same(was, want) && !moves && !adopted && !swaps {
		return Change{}, false
	}
	c := Change{Addr: want.Addr, Kind: want.Kind, Action: Update, Reason: AttrChanged, Fields: []Field{}}
	if was.Digest != want.Digest {
		c.Fields = fields(effective(was), effective(want))
	}
	c.contents(was, want)
	c.compareBindings(was, want)
	c.Range = c.place(want)
	switch {
	case moves:
		c.Action, c.Reason, c.From = Move, Renamed, was.Addr
	case adopted:
		c.Action, c.Reason = Adopt, Adopted
	case was.Immutable != want.Immutable:
		c.Action, c.Reason = Replace, ImmutableAttr
	case swaps:
		c.Reason = DataRestored
	case was.Digest == want.Digest:
		c.Reason = ContentChanged
	}
	return c, true
}

// contents says what differs in an app's files and sources.
func (c *Change) contents(was, want spec.Object) {
	c.Files = compareFiles(manifest(was), manifest(want))
	c.Sources = compareFiles(sources(was), sources(want))
}

// mark says why a change is not carried out, if it is not.
func (d *differ) mark(c Change) Change {
	from := c.Addr
	if c.From != "" {
		from = c.From
	}
	c.BlockedBy = d.blocked[c.Addr]
	c.Protected = d.guarded[from]
	c.Blocked = len(c.BlockedBy) > 0 || c.Protected
	c.Held = d.stalled(c.Addr)
	if was := find(d.actual, c.Addr); was != nil && find(d.desired, c.Addr) == nil && c.From == "" && !c.Protected && d.waits(*was) {
		c.Waits = d.in.Unknown
	}
	if k, kept := d.in.Kept[c.Addr]; kept && !c.Held {
		c.Held, c.Kept, c.Blocked, c.BlockedBy, c.Protected, c.Waits = true, &k, false, nil, false, nil
	}
	c.Held = c.Held || len(c.Waits) > 0
	return c
}

// leftOut reports whether the object is stalled and the node has nothing of
// what stalled: the list of the stalled tells all of it.
func (d *differ) leftOut(addr spec.Addr) bool {
	for _, by := range []spec.Addr{addr, block(addr)} {
		if _, is := d.in.Stalled[by]; is {
			return !has(d.actual, by)
		}
	}
	return false
}

// has reports whether an object, or an instance of a block, is among sorted
// objects.
func has(objects []spec.Object, addr spec.Addr) bool {
	for _, from := range []string{string(addr), string(addr) + "["} {
		i, exact := slices.BinarySearchFunc(objects, from, func(o spec.Object, s string) int {
			return strings.Compare(string(o.Addr), s)
		})
		if exact || i < len(objects) && block(objects[i].Addr) == addr {
			return true
		}
	}
	return false
}

// goneBecause tells a removed block from a key that left for_each and from an
// app that moved to another node.
func (d *differ) goneBecause(addr spec.Addr) Reason {
	if slices.Contains(d.in.Elsewhere, addr) {
		return NodeNoLongerSelected
	}
	of := block(addr)
	if of == addr {
		return RemovedFromConfig
	}
	sibling := func(other spec.Addr) bool { return other != addr && block(other) == of }
	if slices.ContainsFunc(d.in.Elsewhere, sibling) || d.desires(of) {
		return EachKeyGone
	}
	return RemovedFromConfig
}

// desires reports whether an instance of a for_each block is desired.
func (d *differ) desires(of spec.Addr) bool {
	prefix := string(of) + "["
	i, _ := slices.BinarySearchFunc(d.desired, prefix, func(o spec.Object, p string) int {
		return strings.Compare(string(o.Addr), p)
	})
	return i < len(d.desired) && strings.HasPrefix(string(d.desired[i].Addr), prefix)
}

// place returns where to look in the configuration: the first changed argument
// that is written there, be it in a block inside, or the block.
func place(o spec.Object, changed []Field) *spec.Range {
	at := o.Range
	for _, part := range []func(path string) string{argument, attribute} {
		i := slices.IndexFunc(changed, func(f Field) bool { _, is := o.At[part(f.Path)]; return is })
		if i >= 0 {
			at = o.At[part(changed[i].Path)]
			break
		}
	}
	if at.Filename == "" {
		return nil
	}
	return &at
}

// place returns where to look for a change: its first argument, or its first
// binding where no argument of the app itself changed.
func (c *Change) place(o spec.Object) *spec.Range {
	if len(c.Fields) == 0 {
		for _, b := range c.Bindings {
			part := strings.TrimPrefix(string(b.Addr), string(c.Addr)+"."+b.Kind)
			label := strings.Trim(strings.TrimPrefix(part, "."), `[]"`)
			if at, written := o.At[b.Kind+`["`+label+`"]`]; written {
				return &at
			}
		}
	}
	return place(o, c.Fields)
}

// stalledList orders the stalled objects by address.
func stalledList(stalled map[spec.Addr]spec.Diagnostics, actual []spec.Object) []Stalled {
	list := make([]Stalled, 0, len(stalled))
	for _, addr := range slices.Sorted(maps.Keys(stalled)) {
		list = append(list, Stalled{Addr: addr, New: !has(actual, addr), Diagnostics: stalled[addr]})
	}
	return list
}

// quiet counts the objects that are as they should be, held ones included, and
// those that no block declares.
func (d *differ) quiet(wanted []spec.Object) (unchanged, unmanaged int) {
	actual := d.actual
	for _, o := range wanted {
		for len(actual) > 0 && actual[0].Addr < o.Addr {
			actual = actual[1:]
		}
		switch there := len(actual) > 0 && actual[0].Addr == o.Addr; {
		case !there:
		case o.Unmanaged && actual[0].Unmanaged:
			unmanaged++
		case o.Unmanaged == actual[0].Unmanaged && Same(actual[0], o):
			unchanged++
		}
	}
	return unchanged, unmanaged
}
