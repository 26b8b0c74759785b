package access

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/spec"
)

// Shift is somebody who may do more, or less, than before.
type Shift struct {
	Subject string `json:"subject"`         // an address, "domain:…" (somebody of it who is not named), "signed-in", "anyone", "workload:…"
	Action  string `json:"action"`          // read, write, one of the node's or an app's own; Everything of an owner
	On      string `json:"on"`              // "app.notes", "app.notes/admin/*", "node"
	Gains   bool   `json:"gains"`           // else loses
	From    string `json:"from,omitempty"`  // RFC 3339, UTC: only from then on, as a grant ends; empty: at once
	Until   string `json:"until,omitempty"` // and only until then; empty: for good
}

// dropWithin takes out what somebody gains within what they gain: the node is
// everything on it. What they lose is said to the letter, as another grant may
// leave them a part.
func (c *comparison) dropWithin() {
	wide := map[Shift]bool{}
	for _, s := range c.shifts {
		wide[s] = s.Gains && s.On == Node
	}
	c.shifts = slices.DeleteFunc(c.shifts, func(s Shift) bool {
		all := s
		all.On = Node
		return s.On != Node && wide[all]
	})
}

// Everything is the action of owners.
const Everything = "everything"

// Compare tells who gains and who loses by a change, sorted. What holds for all
// who are signed in is not said again for each of them. Apps that are only on one
// side are left out: nobody had, or has, anything to lose there.
func Compare(before, after []spec.Object) []Shift {
	c := comparison{before: Compile(before), after: Compile(after)}
	same := samePeople(before, after)
	c.leaves()
	c.instants()
	if !same {
		c.resources()
	}
	c.apps(before, after, same)
	c.dropWithin()
	slices.SortFunc(c.shifts, func(a, b Shift) int {
		return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Action, b.Action), cmp.Compare(a.From, b.From), cmp.Compare(sign(a.Gains), sign(b.Gains)))
	})
	return c.shifts
}

// sign puts losses first, where another program by the same name gains the same.
func sign(gains bool) int {
	if gains {
		return 1
	}
	return -1
}

type comparison struct {
	before, after *Rules
	people        []leaf
	times         []time.Time // the first is zero: before any grant ends
	shifts        []Shift
}

// leaf is a kind of person that rules can tell from others: views of one of
// them before and after, and the wider kinds that they belong to.
type leaf struct {
	subject string
	was, is *View
	within  []int // of people, widest first
	program bool  // a workload, which comes to no app's gate
}

func (l *leaf) view(after bool) *View {
	if after {
		return l.is
	}
	return l.was
}

// leaves finds all kinds of people that either side can tell apart, the widest
// first: anyone, those who are signed in, those of a domain, each who is named.
func (c *comparison) leaves() {
	var domains, names []string
	for _, r := range []*Rules{c.before, c.after} {
		for _, subject := range r.named() {
			if strings.HasPrefix(subject, "domain:") {
				domains = append(domains, subject)
			} else if strings.Contains(subject, "@") {
				names = append(names, subject)
			}
		}
	}
	c.add(spec.SubjectAnyone, Who{})
	c.add(spec.SubjectSignedIn, Who{SignedIn: true}, 0)
	slices.Sort(domains)
	places := map[string]int{}
	for _, d := range slices.Compact(domains) {
		places[d] = len(c.people)
		c.add(d, Who{SignedIn: true, Email: unnamed + strings.TrimPrefix(d, "domain:")}, 0, 1)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		within := []int{0, 1}
		_, domain, _ := strings.Cut(name, "@")
		if i, ok := places["domain:"+domain]; ok {
			within = append(within, i)
		}
		c.add(name, Who{SignedIn: true, Email: name}, within...)
	}
	c.programs()
}

// unnamed is an address no rule can name: a local part is never empty.
const unnamed = "@"

func (c *comparison) add(subject string, w Who, within ...int) {
	c.people = append(c.people, leaf{subject: subject, was: c.before.View(w), is: c.after.View(w), within: within})
}

// named are all subjects that the rules name.
func (r *Rules) named() []string {
	var list []string
	for _, g := range r.groups {
		list = append(list, g.members...)
	}
	for _, role := range r.roles {
		list = append(list, role.members...)
	}
	for _, g := range r.gates {
		for _, b := range g.blocks {
			list = append(list, b.Allow...)
		}
	}
	return list
}

// instants are the times at which the answers can change.
func (c *comparison) instants() {
	c.times = []time.Time{{}}
	for _, r := range []*Rules{c.before, c.after} {
		for _, role := range r.roles {
			for _, g := range role.grants {
				if !g.until.IsZero() {
					c.times = append(c.times, g.until)
				}
			}
		}
	}
	slices.SortFunc(c.times, time.Time.Compare)
	c.times = slices.CompactFunc(c.times, time.Time.Equal)
}

// resources compares what roles grant, and who owns the node.
func (c *comparison) resources() {
	c.cell(Node, Everything, func(l *leaf, after bool, _ time.Time) bool { return l.view(after).owner })
	actions, on := c.granted()
	for _, resource := range on {
		for _, action := range actions {
			if c.gated(resource) && (action == Read || action == Write) {
				continue // the gate's own comparison says it better
			}
			c.cell(resource, action, func(l *leaf, after bool, now time.Time) bool {
				return l.view(after).Can(action, strings.ReplaceAll(resource, "*", probeName), now)
			})
		}
	}
}

// gated tells whether a resource is an app with a gate on either side, or one of
// its paths.
func (c *comparison) gated(resource string) bool {
	app, _, _ := strings.Cut(resource, "/")
	return c.before.gates[spec.Addr(app)] != nil || c.after.gates[spec.Addr(app)] != nil
}

// granted are all actions and resources of grants on either side.
func (c *comparison) granted() (actions, on []string) {
	for _, r := range []*Rules{c.before, c.after} {
		for _, role := range r.roles {
			for _, g := range role.grants {
				actions, on = append(actions, g.Actions...), append(on, g.On...)
			}
		}
	}
	slices.Sort(actions)
	slices.Sort(on)
	return slices.Compact(actions), slices.Compact(on)
}

// apps compares the gates of apps that are on both sides. Where nothing about
// people changed, only those of apps that did.
func (c *comparison) apps(before, after []spec.Object, samePeople bool) {
	digests := map[spec.Addr]string{}
	for _, o := range before {
		if o.Kind == spec.KindApp {
			digests[o.Addr] = o.Digest
		}
	}
	for _, o := range after {
		digest, known := digests[o.Addr]
		was, is := c.before.gates[o.Addr], c.after.gates[o.Addr]
		if o.Kind != spec.KindApp || !known || samePeople && digest == o.Digest || was == nil && is == nil {
			continue
		}
		c.gate(string(o.Addr), was, is)
	}
}

// gate compares one app's, path by path.
func (c *comparison) gate(app string, was, is *Gate) {
	for _, path := range c.paths(app, was, is) {
		on, probe := app+path, strings.ReplaceAll(path, "*", probeName)
		if path == "/*" {
			on = app
		}
		for _, action := range []string{Read, Write} {
			c.cell(on, action, func(l *leaf, after bool, now time.Time) bool {
				g := was
				if after {
					g = is
				}
				return !l.program && l.view(after).Pass(g, probe, action == Write, now)
			})
		}
	}
}

// probeName is a file no pattern names.
const probeName = "\x00"

// paths are all patterns that either side or a grant has for an app, and the
// whole.
func (c *comparison) paths(app string, gates ...*Gate) []string {
	paths := []string{"/*"}
	for _, g := range gates {
		if g == nil {
			continue
		}
		for _, b := range g.blocks {
			paths = append(paths, cmp.Or(b.Path, "/*"))
		}
	}
	_, on := c.granted()
	for _, resource := range on {
		if of, path, ok := strings.Cut(resource, "/"); ok && of == app {
			paths = append(paths, "/"+path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// cell compares one action on one resource for everybody, through time. A
// direction that a wider kind of people has as well is not said again, nor what
// owners gain or lose: that is everything.
func (c *comparison) cell(on, action string, may func(l *leaf, after bool, now time.Time) bool) {
	moves := make([][]int, len(c.people)) // by leaf and time: 1 gains, -1 loses
	for i := range c.people {
		moves[i] = make([]int, len(c.times))
		for t, now := range c.times {
			moves[i][t] = c.move(&c.people[i], action, now, may)
		}
	}
	for i, l := range c.people {
		said := slices.Clone(moves[i])
		for t := range said {
			if slices.ContainsFunc(l.within, func(w int) bool { return moves[w][t] == said[t] }) {
				said[t] = 0
			}
		}
		c.say(Shift{Subject: l.subject, Action: action, On: on}, said)
	}
}

func (c *comparison) move(l *leaf, action string, now time.Time, may func(l *leaf, after bool, now time.Time) bool) int {
	if action != Everything && (l.was.owner || l.is.owner) {
		return 0
	}
	switch was, is := may(l, false, now), may(l, true, now); {
	case is && !was:
		return 1
	case was && !is:
		return -1
	default:
		return 0
	}
}

// say adds a shift for each time in which the direction is one.
func (c *comparison) say(s Shift, moves []int) {
	for t := 0; t < len(moves); {
		end := t + 1
		for end < len(moves) && moves[end] == moves[t] {
			end++
		}
		if moves[t] != 0 {
			s.Gains, s.From, s.Until = moves[t] > 0, c.instant(t), c.instant(end)
			c.shifts = append(c.shifts, s)
		}
		t = end
	}
}

// instant is a time as a text, empty for the first and for none.
func (c *comparison) instant(t int) string {
	if t == 0 || t == len(c.times) {
		return ""
	}
	return c.times[t].UTC().Format(time.RFC3339)
}

// samePeople tells whether the roles, groups and workloads of both sides are the same.
func samePeople(before, after []spec.Object) bool {
	return slices.Equal(peopleDigests(before), peopleDigests(after))
}

func peopleDigests(objects []spec.Object) []string {
	var list []string
	for _, o := range objects {
		if peopleKind(o.Kind) {
			list = append(list, string(o.Addr)+" "+o.Digest)
		}
	}
	slices.Sort(list)
	return list
}
