// Package reconcile moves a node to what a revision asks for, again and again.
// Its Loop fetches a revision, has it loaded, compares it with what the node
// serves, prepares the difference, records it and swaps it in. cmd/fazt builds
// the loop and runs it; commands talk to it through Status, Sync, Apply and
// Plan. It refuses to know git, HCL, HTTP and SQLite: it sees them through the
// interfaces below.
//
// # A pass
//
//	fetch    Source.Fetch              the revision
//	load     Loader.Load               the desired objects, or diagnostics
//	observe  Target.Observe            the actual objects
//	plan     plan.Hold, plan.Diff      the difference; what is broken stays as it is
//	allow                              nothing that nobody can have meant
//	stage    Target.Stage              everything that can fail
//	commit   Ledger.Commit             one transaction; from here on the pass is finished whatever comes
//	publish  Staged.Publish            a pointer swap
//	verify   Target.Observe            the difference must be gone
//
// Whatever fails before the commit leaves no trace: the stage is discarded and
// visitors see what they saw. A crash after the commit boots the new release.
//
// # Which revision wins
//
// The newest one that the source gives. Pokes coalesce into one slot, and a
// poke during a pass causes another pass, so no revision is lost and none is
// applied after a newer one. A revision that cannot be applied as it is
// (Stalled, Waiting, Diverged) is not tried again, a newer one is tried at once; what may
// succeed later (Failed) is tried again after 5 s, doubling up to 5 minutes.
//
// A release that says how to tell its health is asked while it is staged, and
// the loop looks for pokes meanwhile. A newer revision ends the wait: what has
// not proven itself is given up without blame, what has goes live, and the next
// pass begins at once.
//
// The unit of isolation is the app, the unit of publishing is the pass. An app
// that could not be loaded or staged keeps its last release, the others move.
package reconcile

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"time"

	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// Source is where revisions come from.
type Source interface {
	// Fetch returns the newest revision. A source that has history refuses one
	// that descends from none of the bases: the last applied revision, and one
	// that somebody approved; it may name it beside the error. Without bases, or where a base is empty or of
	// another kind of source, anything is allowed.
	Fetch(ctx context.Context, bases ...string) (source.Artifact, error)
	// At returns an older revision that the source has already seen.
	At(ctx context.Context, revision string) (source.Artifact, error)
	// Keep holds on to the files of a published generation.
	Keep(generation uint64, revision string) error
	// Watch calls poke when there may be something new, until ctx ends.
	Watch(ctx context.Context, poke func()) error
	// String names the source for people, without credentials.
	String() string
}

// Loader evaluates a revision within bounds. An error means that it could not
// be evaluated at all; what is wrong with the configuration is in the output.
// It is called from several goroutines.
type Loader interface {
	Load(ctx context.Context, in spec.Input) (spec.Output, error)
}

// Target is what a pass changes: the edge.
type Target interface {
	// Observe returns what is served now, contents with blobs and revisions
	// included. It is called from several goroutines.
	Observe(ctx context.Context) ([]spec.Object, error)
	// Stage prepares everything that can fail. Its error is the whole pass's;
	// what is wrong with one app is among the faults.
	Stage(ctx context.Context, desired Desired) (Staged, error)
}

// Desired is what a target is to become.
type Desired struct {
	Revision string
	Node     string
	Objects  []spec.Object // by address; each with the revision of its release
	// Files opens a file of an app's manifest. It is only asked for files that
	// the target does not have.
	Files func(app spec.Object, path string) (io.ReadCloser, error)
	// Folder opens the folder of an app's content, for a release that is to be
	// built. It is nil where there is no revision.
	Folder func(app spec.Object) (fs.FS, error)
	// Overtaken returns why the target is to wait no longer for the health of
	// releases, once that is so, and nil once ctx ends. The target calls it while
	// it waits, once at a time; a release that is not proven by then gets this
	// error as its fault. nil: it may wait.
	Overtaken func(ctx context.Context) error
	// Verify has the bytes that the target has of changed apps read again: they
	// were put by long ago.
	Verify bool
}

// Staged is a prepared state. Exactly one of Publish and Discard is called,
// once.
type Staged interface {
	// Objects returns what will be served, by address, blobs filled in. Apps
	// with a fault are as they were, or missing.
	Objects() []spec.Object
	// Faults returns the apps that could not be prepared.
	Faults() []AppFault
	// Publish swaps the state in. It cannot fail.
	Publish(generation uint64)
	// Discard returns what the stage has taken.
	Discard()
}

// AppFault is an app that could not be prepared, and why.
type AppFault struct {
	Addr spec.Addr
	Err  error
}

// Ledger is the node's memory. Commit and Note are one transaction each.
type Ledger interface {
	// Commit records a new generation before it is published. It may fill in
	// the deployments' IDs.
	Commit(ctx context.Context, c Commit) error
	// Note records what happened without a new generation.
	Note(ctx context.Context, e Entry) error
	// Spent reports whether a saved plan was carried out before.
	Spent(ctx context.Context, planID string) (bool, error)
}

// State is what the ledger remembers, for New.
type State struct {
	Generation uint64 // 0: nothing was ever published
	Published  string // the revision the generation was made of
	Node       string // that it was made for
	Applied    string // the last revision the node is at: Published, or a later one that changed nothing

	// Lost is what the generation has and the target could not serve again at
	// the start: its bytes are damaged. The loop brings it back with the data that
	// the record names, or has the ledger forget it once no revision asks for it. An
	// unmanaged app stays recorded until it can be served.
	// Where the record is what is damaged, only the address is known.
	Lost []spec.Object

	// Why says of what is lost why it could not be served.
	Why map[spec.Addr]error

	Served []spec.Object // of the generation, what is served

	// Left is the data that an app of a name begins with, where some lies there and the
	// record was lost that knew whose it is.
	Left map[string]string

	Holds  []Hold        // somebody's words that go before the repository's
	Parked []spec.Object // what is in the trash
}

// Commit is everything a node must know to boot the generation again, and the
// record of how it came about.
type Commit struct {
	Generation  uint64
	Revision    string
	Node        string
	Author      string        // of the revision
	Subject     string        // of the revision
	Put         []spec.Object // created or changed ones, whole
	Drop        []spec.Addr   // those that are gone
	Delete      []spec.Addr   // apps that are gone with all their releases; they are in Drop too
	Park        []Parking     // apps that go to the trash; they are in Drop too
	Unpark      []spec.Addr   // apps that leave the trash, as they are among Put
	Moves       []Move        // new addresses of what is there, before anything else
	Plan        string        // id of the saved plan that is spent; empty: none
	Deployments []Deployment
	Entry       Entry // its Deployments are empty
}

// Parking is an app on its way to the trash.
type Parking struct {
	Addr     spec.Addr
	Until    time.Time // UTC: when it may be purged
	Reason   string    // why it left: "removed_from_config", "rollback"
	Revision string    // the one that no longer asks for it
}

// ParkedFor is how long the trash keeps an app.
const ParkedFor = 30 * 24 * time.Hour

// Move is an app's new address: its history and its data go along.
type Move struct {
	From, To         spec.Addr
	FromName, ToName string
}

// Entry is one line of the journal, with the revisions and deployments that
// the ledger notes along with it.
type Entry struct {
	Time        time.Time // UTC
	Actor       string    // "loop", "local:1000", "token:ci"
	Action      string    // what set the pass off: "poll", "watch", "sync", "apply", "start"
	Target      string    // the node's name
	Outcome     Outcome
	Detail      json.RawMessage // of the plan: id, counts, generation; the problem, if there is one
	Seen        string          // revisions to remember; empty leaves what is remembered
	Attempted   string
	Applied     string
	Deployments []Deployment // attempts that did not go live
	Holds       []Hold       // new ones, or others in the place of those with the same key
	Freed       []HoldKey    // holds that end
	Purged      []spec.Addr  // what leaves the trash for good
}

// Deployment is one attempt to bring an app to a revision, or what became of an
// app that no block declares any more.
type Deployment struct {
	ID         uint64        `json:"id,omitempty"` // given by the ledger
	Addr       spec.Addr     `json:"addr"`
	App        string        `json:"app"` // the app's name
	Revision   string        `json:"revision"`
	Generation uint64        `json:"generation,omitempty"` // it went live in; 0: it did not
	Author     string        `json:"author,omitempty"`
	Subject    string        `json:"subject,omitempty"` // of the commit; of a rollback: its reason
	Trigger    string        `json:"trigger"`
	Actor      string        `json:"actor"`
	Outcome    string        `json:"outcome"` // DeployLive, DeployFailed, …
	Time       time.Time     `json:"time"`    // when the pass began
	Duration   time.Duration `json:"duration_ns"`
	Files      int           `json:"files"`
	Bytes      int64         `json:"bytes"`
	Error      string        `json:"error,omitempty"`
}

// The outcomes of a deployment.
const (
	DeployLive    = "live"
	DeployFailed  = "failed"  // will be tried again
	DeployStalled = "stalled" // needs a new revision

	DeployParked    = "parked"    // out of service, in the trash
	DeployDeleted   = "deleted"   // gone
	DeployForgotten = "forgotten" // in service, unmanaged
	DeployMoved     = "moved"     // has another address
)
