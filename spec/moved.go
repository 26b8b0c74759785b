package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// endings are the values of on_remove.
func endings() []string { return []string{string(Park), string(Delete), string(Forget)} }

// onRemove is what becomes of an app; the usual end is left out of its form.
func onRemove(d *decoded) OnRemove {
	if how := OnRemove(d.string("on_remove")); how != Park {
		return how
	}
	return ""
}

// movedBlock is the row of a new address.
func movedBlock() Block {
	return Block{
		Name:    "moved",
		Doc:     "An app has a new name or key: it keeps its releases, its history and its data. Without this, the app under the old name is removed and another one made. The block may stay for good; where nothing has the old address it does nothing.",
		Example: "moved {\n  from = app.weblog\n  to   = app.blog\n}",
		Since:   "0.2.0",
		Attributes: []Attribute{
			{Name: "from", Type: TypeAddress, Required: true, Doc: `the address it had: app.NAME, app.NAME["KEY"], or app.NAME for all its keys`, Since: "0.2.0"},
			{Name: "to", Type: TypeAddress, Required: true, Doc: "the address it has now", Since: "0.2.0"},
		},
	}
}

// removedBlock is the row of the end of an app.
func removedBlock() Block {
	return Block{
		Name:    "removed",
		Doc:     "What becomes of an app whose block is gone, whatever that block said of it. It does not lift a protection, but for forget, which takes nothing away.",
		Example: "removed {\n  from      = app.old\n  on_remove = \"forget\"\n}",
		Since:   "0.2.0",
		Attributes: []Attribute{
			{Name: "from", Type: TypeAddress, Required: true, Doc: `the address that is gone: app.NAME, app.NAME["KEY"], or app.NAME for all its keys`, Since: "0.2.0"},
			{Name: "on_remove", Type: TypeString, Default: `"park"`, Allowed: endings(), Doc: "as in app", Since: "0.2.0"},
		},
	}
}

// judgeMoves reads the moved and removed blocks and judges them together with
// the apps there are.
func (l *load) judgeMoves() {
	if len(l.shared.moves) == 0 {
		return
	}
	l.shared.namesApps = true
	m := mover{load: l, from: map[Addr]hcl.Range{}, to: map[Addr]hcl.Range{}}
	for _, b := range l.shared.moves {
		r := l.report.about("", b.written())
		d := l.decodeBlock(b, l.fullScope(l.shared.reader), r)
		from, ok := m.address(d, "from", r)
		switch {
		case !ok:
			m.address(d, "to", r) // for its own fault
		case m.taken(from, d, r) || m.declared(from, d, r):
		case b.Type == "removed":
			l.removed = append(l.removed, Removed{From: from, OnRemove: OnRemove(d.string("on_remove")), Range: rangeOf(b.Place)})
		default:
			m.move(from, d, r)
		}
		l.keep(r)
	}
	m.judgeCircles()
	slices.SortFunc(l.moved, func(a, b Moved) int { return strings.Compare(string(a.From), string(b.From)) })
	slices.SortFunc(l.removed, func(a, b Removed) int { return strings.Compare(string(a.From), string(b.From)) })
	for i := range l.removed {
		if l.removed[i].OnRemove == "" {
			l.removed[i].OnRemove = Park
		}
	}
}

// mover judges moves and removals.
type mover struct {
	*load
	from, to map[Addr]hcl.Range // what is spoken of so far
}

// move reads one moved block.
func (m *mover) move(from Addr, d *decoded, r *reporter) {
	to, ok := m.address(d, "to", r)
	if !ok {
		return
	}
	label := labelOf(to)
	_, there := m.apps().places[label]
	first, twice := m.to[to]
	switch {
	case to == from:
		r.error(codeMove, d.at("to"), fmt.Sprintf("%s moves to itself", from), "")
	case twice:
		r.error(codeMove, d.at("to"), fmt.Sprintf("two apps move to %s", to), "", declaredAt("the other one", first)...)
	case !there && !m.partial && !m.moves(to):
		r.error(codeMove, d.at("to"), fmt.Sprintf("%s is not declared", to), didYouMean(label, sortedKeys(m.apps().places), "declared"))
	default:
		m.to[to] = d.at("to")
		m.moved = append(m.moved, Moved{From: from, To: to, Range: rangeOf(d.block.Place)})
	}
}

// moves reports whether some block says that an address moved on, or ended.
func (m *mover) moves(addr Addr) bool {
	for _, b := range m.shared.moves {
		d := m.shape(b, m.report.about("", "")) // its faults are told where it is judged
		if a := d.attrs["from"]; a != nil {
			if from, ok := addressOf(a.Expr); ok && from == addr {
				return true
			}
		}
	}
	return false
}

// address reads an argument that is one.
func (m *mover) address(d *decoded, name string, r *reporter) (Addr, bool) {
	a := d.attrs[name]
	if a == nil {
		return "", false
	}
	addr, ok := addressOf(a.Expr)
	if !ok {
		r.error(codeAddress, a.Expr.Range(), fmt.Sprintf("%q must be the address of an app", name), `write app.blog, or app.site["docs"] for one key of for_each`)
	}
	return addr, ok
}

// taken reports whether another block has said already what becomes of an
// address.
func (m *mover) taken(from Addr, d *decoded, r *reporter) bool {
	first, twice := m.from[from]
	if twice {
		r.error(codeMove, d.at("from"), fmt.Sprintf("%s is spoken of twice", from), "one block says what became of it", declaredAt("also here", first)...)
	}
	m.from[from] = d.at("from")
	return twice
}

// declared reports whether what is said to be gone is there. Whether a key is
// there is known only to the app itself; what is there stays.
func (m *mover) declared(from Addr, d *decoded, r *reporter) bool {
	at, there := m.apps().places[labelOf(from)]
	if !there || strings.Contains(string(from), "[") {
		return false
	}
	code, what := codeMove, "moved"
	if d.block.Type == "removed" {
		code, what = codeRemoved, "removed"
	}
	r.error(code, d.at("from"), fmt.Sprintf("%s is said to be %s, and is declared", from, what), "remove one of the two", declaredAt(fmt.Sprintf("%s is declared here", from), at)...)
	return true
}

// judgeCircles reports moves that lead back to where they began.
func (m *mover) judgeCircles() {
	next := map[Addr]Addr{}
	for _, move := range m.moved {
		next[move.From] = move.To
	}
	for _, move := range m.moved {
		at := move.To
		for range m.moved {
			if at == move.From {
				r := m.report.about("", "moved")
				r.error(codeMove, m.from[move.From], fmt.Sprintf("%s moves in a circle", move.From), "keep only the moves that happened")
				m.keep(r)
				return
			}
			at = next[at]
		}
	}
}

// addressOf reads app.NAME or app.NAME["KEY"] without evaluating it.
func addressOf(expr hcl.Expression) (Addr, bool) {
	t, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() || t.RootName() != "app" || len(t) < 2 || len(t) > 3 {
		return "", false
	}
	name, ok := t[1].(hcl.TraverseAttr)
	if !ok || !validName(name.Name) {
		return "", false
	}
	if len(t) == 2 {
		return appAddr(name.Name, ""), true
	}
	key, ok := t[2].(hcl.TraverseIndex)
	if !ok || key.Key.Type() != cty.String || !validName(key.Key.AsString()) {
		return "", false
	}
	return appAddr(name.Name, key.Key.AsString()), true
}

// labelOf is the label of the block that an address belongs to.
func labelOf(addr Addr) string {
	label, _, _ := strings.Cut(strings.TrimPrefix(string(addr), "app."), "[")
	return label
}
