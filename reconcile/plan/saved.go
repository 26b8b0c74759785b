package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/fazt-sh/fazt/spec"
)

// Saved is a plan that is kept to be carried out later, once, as long as what
// it touches is as it was. It holds no secret.
type Saved struct {
	FormatVersion string               `json:"format_version"`
	Plan          Plan                 `json:"plan"`
	Tree          string               `json:"tree"`     // git tree id of the folder it was made of
	Lineage       string               `json:"lineage"`  // of the node's state: another node, or an emptied one, has another
	Versions      map[spec.Addr]string `json:"versions"` // of each object the plan touches, as the node had it; "" where it had none
	Expires       string               `json:"expires"`  // RFC 3339, UTC
}

// Version names what an object is: equal for equal specs, files and sources, whatever
// their places and revisions. It has 16 hex digits.
func Version(o spec.Object) string {
	sum := sha256.New()
	line := func(parts ...string) {
		for _, part := range parts {
			sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
		}
	}
	line(o.Digest, o.Immutable)
	for _, f := range manifest(o) {
		line(f.Path, f.ID)
	}
	for _, f := range sources(o) {
		line("source", f.Path, f.ID)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// Save makes a plan that can be carried out later. tree is the git id of the
// folder it was made of, expires is in RFC 3339.
func Save(in Input, p Plan, tree, lineage, expires string) Saved {
	s := Saved{FormatVersion: FormatVersion, Plan: p, Tree: tree, Lineage: lineage, Versions: map[spec.Addr]string{}, Expires: expires}
	actual := sorted(in.Actual)
	for _, c := range p.Changes {
		for _, addr := range []spec.Addr{c.Addr, c.From} {
			if addr == "" {
				continue
			}
			s.Versions[addr] = ""
			if o := find(actual, addr); o != nil {
				s.Versions[addr] = Version(*o)
			}
		}
	}
	return s
}

// Check refuses a decoded file that is no saved plan, or that was edited.
func (s Saved) Check() error {
	switch {
	case s.FormatVersion == "" || s.Plan.ID == "":
		return errors.New("it is no saved plan")
	case s.FormatVersion != FormatVersion:
		return fmt.Errorf("its format is %q, this version of fazt reads %q", s.FormatVersion, FormatVersion)
	case s.Plan.identify() != s.Plan.ID:
		return fmt.Errorf("it is not what %s was: somebody changed it", s.Plan.ID)
	}
	return nil
}

// Difference is how the plan of now differs from one that was saved.
type Difference struct {
	Kept    string      `json:"kept"`              // id of the saved plan
	Now     string      `json:"now"`               // id of what the same folder gives now
	Gone    []Change    `json:"gone,omitempty"`    // was to happen, and would not now
	New     []Change    `json:"new,omitempty"`     // would happen now
	Changed [][2]Change `json:"changed,omitempty"` // as saved, and as it is now
	Moved   []Change    `json:"moved,omitempty"`   // the same change, of an object that is another by now
}

// Fits reports whether the saved plan is still what would happen.
func (d Difference) Fits() bool { return len(d.Gone)+len(d.New)+len(d.Changed)+len(d.Moved) == 0 }

// Compare tells a saved plan from the one that the same revision gives now.
// What the plan does not touch may have changed in between.
func Compare(saved, now Saved) Difference {
	d := Difference{Kept: saved.Plan.ID, Now: now.Plan.ID}
	was, is := saved.Plan.Changes, now.Plan.Changes
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0].Addr < is[0].Addr:
			d.Gone, was = append(d.Gone, was[0]), was[1:]
		case len(was) == 0 || is[0].Addr < was[0].Addr:
			d.New, is = append(d.New, is[0]), is[1:]
		default:
			switch addr := was[0].Addr; {
			case !sameChange(was[0], is[0]):
				d.Changed = append(d.Changed, [2]Change{was[0], is[0]})
			case saved.Versions[addr] != now.Versions[addr] || saved.Versions[was[0].From] != now.Versions[is[0].From]:
				d.Moved = append(d.Moved, is[0])
			}
			was, is = was[1:], is[1:]
		}
	}
	return d
}

// sameChange compares what two changes would do.
func sameChange(a, b Change) bool {
	one, err1 := canonical(a)
	two, err2 := canonical(b)
	return err1 == nil && err2 == nil && bytes.Equal(one, two)
}

// WriteText shows what the saved plan would have done, against what would be done
// now, as plans are shown.
func (d Difference) WriteText(w io.Writer, o TextOptions) error {
	t := &textView{options: o}
	show := func(title string, list []Change) {
		if len(list) == 0 {
			return
		}
		t.said = map[string]bool{} // each side is whole
		t.line("%s", title)
		t.line("")
		for _, c := range inOrder(list) {
			t.change(c)
		}
	}
	kept, now := slices.Clone(d.Gone), slices.Clone(d.New)
	for _, pair := range d.Changed {
		kept, now = append(kept, pair[0]), append(now, pair[1])
	}
	show("The kept plan "+clean(d.Kept)+" would have done:", kept)
	show("Now it would be "+clean(d.Now)+":", now)
	if len(kept) > 0 && len(now) == 0 && len(d.Moved) == 0 {
		t.line("Now it would be nothing of that.")
	}
	show("As it was planned, but of what is another by now:", d.Moved)
	_, err := w.Write(t.out.Bytes())
	return err
}
