package spec

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Runtime is how an app runs code. What is at its default is left out; Filled
// gives the values that hold.
type Runtime struct {
	Entry     string   `json:"entry"`               // file of the content folder, or a folder of routes: a clean path below it
	Routes    []string `json:"routes,omitempty"`    // "/path" or "/path/*", sorted; empty: "/*"
	CPUMS     int64    `json:"cpu_ms,omitempty"`    // milliseconds of computing that a call may take
	WallMS    int64    `json:"wall_ms,omitempty"`   // milliseconds that a call may take, waiting included
	Memory    int64    `json:"memory,omitempty"`    // bytes
	Fresh     bool     `json:"fresh,omitempty"`     // nothing of one request is there in the next
	Isolation string   `json:"isolation,omitempty"` // IsolationOwn; empty: IsolationShared
}

// Where an app's code runs.
const (
	IsolationShared = "shared" // in the process that runs all apps' code
	IsolationOwn    = "own"    // in a process of its own
)

// EnvValue is a setting that code sees, or the value of a header: a text, or
// the secret of that name. In canonical form a text is a string, a secret an
// object.
type EnvValue struct {
	Text     string // where Secret is empty
	Secret   string // NAME of secret.NAME
	Envelope string // digest of the secret's envelope, so that another one makes another app
}

// KV is a store of keys and values.
type KV struct {
	Name string `json:"name"` // as in env.NAME
}

// SQL is the app's database.
type SQL struct {
	Name       string `json:"name"`
	Migrations string `json:"migrations,omitempty"` // folder of the content folder; empty: none
	Durability string `json:"durability,omitempty"` // DurabilityNormal; empty: DurabilityFull
}

// What a database promises when the power fails.
const (
	DurabilityFull   = "full"   // what was written is there
	DurabilityNormal = "normal" // the last moments may be missing, and nothing is damaged
)

// Docs is a store of documents.
type Docs struct {
	Name    string  `json:"name"`
	Indexes []Index `json:"index,omitempty"` // by name
	Rules   []Rule  `json:"rule,omitempty"`  // by name
}

// Index makes documents findable by fields.
type Index struct {
	Name   string   `json:"name"`
	On     []string `json:"on"` // fields, a dot between those of fields; the order counts
	Unique bool     `json:"unique,omitempty"`
}

// Blobs is a store of files.
type Blobs struct {
	Name  string `json:"name"`
	Quota int64  `json:"quota,omitempty"` // bytes; zero: that of limits.storage
	Serve string `json:"serve,omitempty"` // "/path/*" at which they are served; empty: nowhere
}

// Queue is work for later. Zero is the default; Filled gives the values that
// hold.
type Queue struct {
	Name        string `json:"name"`
	Retries     *int   `json:"retries,omitempty"` // after the first try; nil: the default, as none is a number too
	BackoffMS   int64  `json:"backoff_ms,omitempty"`
	Batch       int    `json:"batch,omitempty"`
	Concurrency int    `json:"concurrency,omitempty"`
	KeepMS      int64  `json:"keep_ms,omitempty"` // how long what failed is kept
}

// Cron is a call at set times.
type Cron struct {
	Name    string `json:"name"`
	At      string `json:"at"`                 // minute hour day month weekday, one space between
	Zone    string `json:"zone,omitempty"`     // empty: UTC
	CatchUp string `json:"catch_up,omitempty"` // CatchUpNone; empty: CatchUpOne
}

// What becomes of a run whose time has come.
const (
	CatchUpOne  = "one"  // of those missed while the node was away, one is made up for
	CatchUpNone = "none" // what was missed stays so
)

// Service is another app of the node, as env.NAME.
type Service struct {
	Name string `json:"name"`
	App  Addr   `json:"app"`
}

// Egress is a host that the app's code may reach.
type Egress struct {
	Host    string              `json:"host"`              // canonical, or "*.example.com": every name one level below
	Header  map[string]EnvValue `json:"header,omitempty"`  // canonical names: set on each request, the code never sees it
	Methods []string            `json:"methods,omitempty"` // upper case, sorted; empty: all
	Ports   []int               `json:"ports,omitempty"`   // sorted; empty: 443
}

// Health is how to tell that a new release works.
type Health struct {
	Path       string `json:"path"`
	DeadlineMS int64  `json:"deadline_ms,omitempty"` // it must answer well by then
	WindowMS   int64  `json:"window_ms,omitempty"`   // and go on to for as long; negative: not watched
	NoRevert   bool   `json:"no_revert,omitempty"`   // auto_revert = false: say so, and leave it
}

// Secret is the canonical form of a secret block.
type Secret struct {
	Envelope string `json:"envelope"` // the age file, in base64 on one line
}

// HoldsData tells whether something is kept for the app that is not in the
// repository.
func (a App) HoldsData() bool {
	return len(a.KV) > 0 || a.SQL != nil || len(a.Docs) > 0 || len(a.Blobs) > 0 || len(a.Queues) > 0
}

// Secrets are the names of the secrets that an app uses, sorted, each once.
func (a App) Secrets() []string {
	var names []string
	add := func(values map[string]EnvValue) {
		for _, v := range values {
			if v.Secret != "" {
				names = append(names, v.Secret)
			}
		}
	}
	add(a.Env)
	for _, e := range a.Egress {
		add(e.Header)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// DefaultRuntime is how an app runs code that says no more than where it is.
func DefaultRuntime() Runtime {
	return Runtime{Routes: []string{"/*"}, CPUMS: 2000, WallMS: 30_000, Memory: 64 << 20, Isolation: IsolationShared}
}

// Filled are the values that hold. An app without a runtime has none.
func (r *Runtime) Filled() Runtime {
	if r == nil {
		return Runtime{}
	}
	all, usual := *r, DefaultRuntime()
	if len(all.Routes) == 0 {
		all.Routes = usual.Routes
	}
	all.CPUMS = cmp.Or(all.CPUMS, usual.CPUMS)
	all.WallMS = cmp.Or(all.WallMS, usual.WallMS)
	all.Memory = cmp.Or(all.Memory, usual.Memory)
	all.Isolation = cmp.Or(all.Isolation, usual.Isolation)
	return all
}

// Filled is the database with the values that hold.
func (s SQL) Filled() SQL {
	s.Durability = cmp.Or(s.Durability, DurabilityFull)
	return s
}

// defaultRetries is how often a job is tried again.
const defaultRetries = 5

// DefaultQueue is a queue that says no more than its name.
func DefaultQueue() Queue {
	retries := defaultRetries
	return Queue{Retries: &retries, BackoffMS: 10_000, Batch: 10, Concurrency: 1, KeepMS: 14 * 86_400_000}
}

// Filled is the queue with the values that hold.
func (q Queue) Filled() Queue {
	usual := DefaultQueue()
	if q.Retries == nil {
		q.Retries = usual.Retries
	}
	q.BackoffMS = cmp.Or(q.BackoffMS, usual.BackoffMS)
	q.Batch = cmp.Or(q.Batch, usual.Batch)
	q.Concurrency = cmp.Or(q.Concurrency, usual.Concurrency)
	q.KeepMS = cmp.Or(q.KeepMS, usual.KeepMS)
	return q
}

// Filled is the schedule with the values that hold.
func (c Cron) Filled() Cron {
	c.Zone = cmp.Or(c.Zone, utc)
	c.CatchUp = cmp.Or(c.CatchUp, CatchUpOne)
	return c
}

// Filled is the host with the values that hold; no method stands for all.
func (e Egress) Filled() Egress {
	if len(e.Ports) == 0 {
		e.Ports = []int{defaultPort}
	}
	return e
}

// Filled are the values that hold. An app without one is not asked.
func (h *Health) Filled() Health {
	if h == nil {
		return Health{}
	}
	all := *h
	all.DeadlineMS = cmp.Or(all.DeadlineMS, 30_000)
	all.WindowMS = cmp.Or(all.WindowMS, 60_000)
	all.WindowMS = max(0, all.WindowMS)
	return all
}

// MarshalJSON writes a text as a string and a secret as an object.
func (v EnvValue) MarshalJSON() ([]byte, error) {
	if v.Secret == "" {
		return json.Marshal(v.Text)
	}
	return json.Marshal(secretRef{v.Secret, v.Envelope})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *EnvValue) UnmarshalJSON(text []byte) error {
	*v = EnvValue{}
	if json.Unmarshal(text, &v.Text) == nil {
		return nil
	}
	var ref secretRef
	err := json.Unmarshal(text, &ref)
	v.Secret, v.Envelope = ref.Secret, ref.Envelope
	return err
}

// secretRef is a secret in an app's canonical form.
type secretRef struct {
	Secret   string `json:"secret"`
	Envelope string `json:"envelope"`
}
