// Package plan compares what a node has with what a revision asks for and says
// the difference as data: what changes, why, what it does to visitors and what
// could hurt. The loop asks it before every pass and once more after it; the
// command line shows the same value as text, Markdown or JSON. It is pure: two
// lists of objects in, a Plan out. It refuses to know time, files, networks and
// how a change is carried out.
package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// FormatVersion is the version of the JSON form. Fields may be added under the
// same major number.
const FormatVersion = "1.0"

// Plan is the difference between a node's objects and a revision's. Its JSON
// has sorted keys and holds no time and no path of a machine: equal inputs give
// equal bytes. All views can be made from a decoded plan.
type Plan struct {
	FormatVersion string         `json:"format_version"`
	ID            string         `json:"plan_id,omitempty"` // "p-" and 12 hex digits of the sha256 of everything else but refused
	Revision      string         `json:"revision"`
	Base          Base           `json:"base"`
	Node          string         `json:"node"`
	Engine        string         `json:"engine"`  // version of the program that made it
	Changes       []Change       `json:"changes"` // by address, at most one each
	Stalled       []Stalled      `json:"stalled"` // by address
	Counts        Counts         `json:"counts"`
	Access        []access.Shift `json:"access,omitempty"`  // who gains and who loses access, sorted; nobody where the node had nothing
	Refused       *Refusal       `json:"refused,omitempty"` // why no node carries it out; nil: one would
}

// Refusal is why a plan as a whole is not carried out.
type Refusal struct {
	Code    string `json:"code,omitempty"` // RefusedEmpty, RefusedPrune, RefusedHosts, RefusedAccess
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// The codes of a refusal.
const (
	RefusedEmpty  = "empty"        // nothing would be left: nobody can approve that
	RefusedPrune  = "prune_budget" // too much would go at once: somebody must approve the revision
	RefusedHosts  = "new_hosts"    // too many hosts need their first certificate: the same
	RefusedAccess = "access"       // people gain access by a folder, and who applies it has not said that it is meant
)

// Keep is why an app stays as it is although nothing is wrong with it.
type Keep struct {
	Kind   string `json:"kind"` // "pause", "rollback"
	Actor  string `json:"actor"`
	Reason string `json:"reason,omitempty"`
	Until  string `json:"until,omitempty"` // RFC 3339, UTC; empty: until somebody resumes
}

// Base names the state that a plan was made against.
type Base struct {
	Generation uint64 `json:"generation"`
	Digest     string `json:"digest"` // 64 hex digits, of the actual objects
}

// Action is what happens to an object.
type Action string

// The actions: a closed set.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
	Park    Action = "park" // out of service, data kept
	Move    Action = "move"
	Forget  Action = "forget"
	Adopt   Action = "adopt"
)

// Symbol is the action's sign in text.
func (a Action) Symbol() string {
	switch a {
	case Create:
		return "+"
	case Update:
		return "~"
	case Replace:
		return "-+"
	case Delete:
		return "-"
	case Park:
		return "."
	case Move:
		return ">"
	case Forget:
		return "<"
	case Adopt:
		return "<+"
	default:
		return "?"
	}
}

// Removes reports whether the action takes something out of service.
func (a Action) Removes() bool { return a == Delete || a == Park || a == Replace }

// Reason is why a change is planned. The set is open: readers must tolerate
// words they do not know.
type Reason string

// The reasons of this version.
const (
	NewBlock             Reason = "new_block"
	AttrChanged          Reason = "attr_changed"
	ContentChanged       Reason = "content_changed"
	ImmutableAttr        Reason = "immutable_attr"
	RemovedFromConfig    Reason = "removed_from_config"
	EachKeyGone          Reason = "each_key_gone"
	NodeNoLongerSelected Reason = "node_no_longer_selected"
	Renamed              Reason = "renamed"
	Adopted              Reason = "adopted"       // a block declares what was unmanaged
	Restored             Reason = "restored"      // a block declares what was in the trash
	DataRestored         Reason = "data_restored" // its data is another folder: that of a backup
)

// Change is one object's difference.
type Change struct {
	Addr      spec.Addr   `json:"addr"`
	Kind      spec.Kind   `json:"kind"`
	Action    Action      `json:"action"`
	Reason    Reason      `json:"reason"`
	Effect    Effect      `json:"effect"`
	Risk      Risk        `json:"risk"`                 // the highest of its risks
	Risks     []Warning   `json:"risks"`                // sentences for people
	Fields    []Field     `json:"fields"`               // by path
	Files     *Files      `json:"files,omitempty"`      // an app's content, where it differs
	Bindings  []Binding   `json:"bindings,omitempty"`   // of an app's code, where they differ; by address
	Sources   *Files      `json:"sources,omitempty"`    // what its program is made of, where it differs; a folder of packages is one entry
	Range     *spec.Range `json:"range,omitempty"`      // the first changed attribute, or the block; none for removals
	Requires  []spec.Addr `json:"requires,omitempty"`   // changes that must come with this one
	Blocked   bool        `json:"blocked,omitempty"`    // not carried out while what blocks it is there
	BlockedBy []spec.Addr `json:"blocked_by,omitempty"` // the objects that stand in its way
	Held      bool        `json:"held,omitempty"`       // not carried out: its app is stalled, or kept
	Kept      *Keep       `json:"kept,omitempty"`       // why it is kept, where it is not stalled
	Waits     []spec.Addr `json:"waits,omitempty"`      // held: an app is not removed while what the revision says of these cannot be read
	Protected bool        `json:"protected,omitempty"`  // blocked, as what the node has is protected
	From      spec.Addr   `json:"from,omitempty"`       // a move: the address it had
	Resembles spec.Addr   `json:"resembles,omitempty"`  // of a create: something that goes in the same plan and looks like it, a rename without moved
}

// Open reports whether the change is to be carried out: it has no mark.
func (c Change) Open() bool { return !c.Blocked && !c.Held }

// Warning is one sentence about what a change may do to people.
type Warning struct {
	Risk    Risk   `json:"risk"`
	Message string `json:"message"`
}

// Field is one attribute's difference as canonical JSON. A side that is not
// there is empty. Lists of strings are one field with both whole lists.
type Field struct {
	Path       string          `json:"path"` // "hosts", "redirects[0].to"
	Before     json.RawMessage `json:"before,omitempty"`
	After      json.RawMessage `json:"after,omitempty"`
	Sensitive  bool            `json:"sensitive"`            // values are digests, not to be shown
	Ciphertext bool            `json:"ciphertext,omitempty"` // a secret was sealed anew: whether its value changed cannot be told
}

// Files is how an app's content differs.
type Files struct {
	Added   FileSet `json:"added"`
	Changed FileSet `json:"changed"`
	Removed FileSet `json:"removed"`
}

// FileSet is a number of files. Bytes are of the new files, of the old ones
// where they are removed.
type FileSet struct {
	Count int      `json:"count"`
	Bytes int64    `json:"bytes"`
	Paths []string `json:"paths"` // sorted, all of them
}

// Stalled is an object that could not be evaluated: it keeps what it has, or is
// left out where the node has nothing of it.
type Stalled struct {
	Addr        spec.Addr        `json:"addr"`
	New         bool             `json:"new,omitempty"` // the node has nothing of it
	Diagnostics spec.Diagnostics `json:"diagnostics"`
}

// Counts sums a plan. A blocked or held change counts as that only.
type Counts struct {
	Create    int `json:"create"`
	Update    int `json:"update"`
	Replace   int `json:"replace"`
	Delete    int `json:"delete"`
	Park      int `json:"park"`
	Move      int `json:"move"`
	Forget    int `json:"forget"`
	Adopt     int `json:"adopt"`
	Unchanged int `json:"unchanged"`
	Blocked   int `json:"blocked"`
	Held      int `json:"held"`
	Stalled   int `json:"stalled"`
	Unmanaged int `json:"unmanaged,omitempty"` // left as they are, as no block declares them
	NewHosts  int `json:"new_hosts,omitempty"` // for which a CA is asked the first time
}

// Empty reports whether there is nothing to carry out. An empty plan may still
// have blocked or held changes.
func (p Plan) Empty() bool {
	for _, c := range p.Changes {
		if c.Open() {
			return false
		}
	}
	return true
}

// MarshalJSON writes the plan with sorted keys.
func (p Plan) MarshalJSON() ([]byte, error) {
	type plain Plan
	return canonical(plain(p))
}

// identify returns the plan's id: of its JSON without the id, and without what
// stands in its way, as that is the same plan once somebody has allowed it.
func (p Plan) identify() string {
	p.ID, p.Refused = "", nil
	text, err := p.MarshalJSON()
	if err != nil { // only raw JSON that is not JSON could fail, and Diff makes its own
		text = []byte(err.Error())
	}
	sum := sha256.Sum256(text)
	return "p-" + hex.EncodeToString(sum[:])[:12]
}

// count adds a change to the sums.
func (n *Counts) count(c Change) {
	switch {
	case c.Blocked:
		n.Blocked++
	case c.Held:
		n.Held++
	default:
		if at := n.of(c.Action); at != nil {
			*at++
		}
	}
}

// of returns the counter of an action.
func (n *Counts) of(a Action) *int {
	switch a {
	case Create:
		return &n.Create
	case Update:
		return &n.Update
	case Replace:
		return &n.Replace
	case Delete:
		return &n.Delete
	case Park:
		return &n.Park
	case Move:
		return &n.Move
	case Forget:
		return &n.Forget
	case Adopt:
		return &n.Adopt
	default:
		return nil
	}
}

// canonical is JSON with sorted keys and without HTML escapes.
func canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	tree, err := decode(text)
	if err != nil {
		return nil, err
	}
	return encode(tree)
}

// encode writes decoded JSON: maps come out in key order.
func encode(tree any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// decode reads JSON and keeps numbers as they are written.
func decode(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var tree any
	err := dec.Decode(&tree)
	return tree, err
}

// digest is the version of a node's objects: what Base.Digest holds. A content
// is told by its tree id, as an app's files only move together with it.
func digest(objects []spec.Object) string {
	sum := sha256.New()
	line := func(parts ...string) {
		for _, part := range parts {
			sum.Write([]byte(part))
			sum.Write([]byte{0})
		}
	}
	for _, o := range objects {
		line(string(o.Addr), o.Digest, strconv.FormatBool(o.Content != nil))
		if o.Unmanaged {
			line("unmanaged")
		}
		switch {
		case o.Content == nil:
		case o.Content.Tree != "":
			line(o.Content.Tree)
		default:
			for _, f := range o.Content.Files {
				line(f.Path, f.ID)
			}
			for _, f := range o.Content.Sources {
				line("source", f.Path, f.ID)
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}
