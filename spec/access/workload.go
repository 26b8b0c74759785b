package access

import (
	"maps"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// subjectWorkload is what comes before the name of a workload, as a subject.
const subjectWorkload = "workload:"

// Workload is the program of a name, as rules judge it. It has the roles of its block
// and is nobody else: no address, not signed in. False where no block declares it.
func (r *Rules) Workload(name string) (Who, bool) {
	for _, w := range r.workloads {
		if w.name == name {
			return w.who(), true
		}
	}
	return Who{}, false
}

func (w workload) who() (who Who) {
	who.Workload = w.name
	for _, role := range w.Roles {
		who.Roles = append(who.Roles, strings.TrimPrefix(role, "role:"))
	}
	return who
}

// same tells whether two blocks mean the same programs.
func (w workload) same(other workload) bool {
	return w.name == other.name && w.Issuer == other.Issuer && w.Audience == other.Audience && maps.Equal(w.Claims, other.Claims)
}

// programs are the workloads of both sides. One that other programs can be now, as
// its issuer or its claims are others, is one that goes and one that comes.
func (c *comparison) programs() {
	for _, was := range c.before.workloads {
		c.program(was.name, was.who(), c.after.like(was))
	}
	for _, is := range c.after.workloads {
		if c.before.like(is) == nil {
			c.program(is.name, Who{}, &is)
		}
	}
}

// like is the same workload among others, nil where there is none.
func (r *Rules) like(w workload) *workload {
	for i := range r.workloads {
		if r.workloads[i].same(w) {
			return &r.workloads[i]
		}
	}
	return nil
}

func (c *comparison) program(name string, was Who, is *workload) {
	var now Who
	if is != nil {
		now = is.who()
	}
	c.people = append(c.people, leaf{subject: subjectWorkload + name, was: c.before.View(was), is: c.after.View(now), within: []int{0}, program: true})
}

// peopleKind tells whether an object says what people and programs may do.
func peopleKind(k spec.Kind) bool {
	return k == spec.KindGroup || k == spec.KindRole || k == spec.KindWorkload
}
