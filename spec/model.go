package spec

import (
	"encoding/json"
	"io/fs"
)

// Addr names a declared thing and is the same string in the plan, in status,
// errors, logs, the journal and on the command line: edge, node.fra-1,
// app.notes, app.site["docs"].
type Addr string

// Kind is the block type of an object.
type Kind string

// The kinds of objects of this language version.
const (
	KindApp    Kind = "app"
	KindEdge   Kind = "edge"
	KindLimits Kind = "limits"
	KindNode   Kind = "node"
	KindSecret Kind = "secret"
)

// Tree is one revision's files: slash-separated paths without a leading slash,
// "." for the root. ID returns the git object id (40 hex digits) of a file or
// folder, whether the tree comes from git or from a folder, so equal content
// has an equal id everywhere.
type Tree interface {
	fs.FS
	ID(name string) (string, error)
}

// Object is one declared thing in canonical form: what the plan compares, what
// the node remembers and boots from. It is immutable once built.
type Object struct {
	Addr      Addr             `json:"addr"`
	Kind      Kind             `json:"kind"`
	Name      string           `json:"name"`                // as typed on the command line: "site-docs" for app.site["docs"]
	Spec      json.RawMessage  `json:"spec"`                // canonical JSON of App, Edge, Limits, Node or Secret: keys sorted, defaults filled, empty left out
	Digest    string           `json:"digest"`              // 64 hex digits, of kind and spec; content and places are not in it
	Immutable string           `json:"immutable"`           // 64 hex digits, of what cannot change in place
	HoldsData bool             `json:"holds_data"`          // removing it parks it instead of deleting
	Content   *Content         `json:"content,omitempty"`   // an app's files, nil until read
	Revision  string           `json:"revision,omitempty"`  // where this node's release of it was made; set by the loop, never compared
	Data      string           `json:"data,omitempty"`      // names the folder of what the app keeps, for good; set by the loop, never compared
	Unmanaged bool             `json:"unmanaged,omitempty"` // forgotten: stays in service though no revision asks for it; never compared
	Range     Range            `json:"range"`               // its block; never compared
	At        map[string]Range `json:"at,omitempty"`        // its attributes by name, limits.body those of a block inside; never compared
}

// Content is an app's manifest. Two contents are the same release if their
// files and sources are (Same); Tree is only the quick test, as it also moves
// when a file does that is neither.
type Content struct {
	Tree    string   `json:"tree"`              // git tree id of the folder
	Files   []File   `json:"files"`             // sorted by path, servable ones only
	Sources []File   `json:"sources,omitempty"` // sorted by path: what the app's code and its migrations are made of, never served, without Blob
	Split   string   `json:"split,omitempty"`   // what Sources were told from Files by; empty: the app runs no code
	Program *Program `json:"program,omitempty"` // what was made of it; nil until staged
}

// File is one file of an app. Among the sources a folder of packages is one
// entry: its path ends in node_modules, its ID is that of the tree.
type File struct {
	Path string `json:"path"` // relative to the app's content folder
	ID   string `json:"id"`   // git blob id, 40 hex digits
	Size int64  `json:"size"` // bytes
	Blob string `json:"blob"` // sha256 of the bytes, 64 hex digits; empty until staged

	Drops bool `json:"drops,omitempty"` // a migration that takes a table or a column away
}

// Program is an app's code in one piece, as the node has it in its store: what
// it boots without the repository. It is never compared.
type Program struct {
	Code   string   `json:"code"`             // sha256 of the module, 64 hex digits
	Map    string   `json:"map,omitempty"`    // sha256 of its source map
	Digest string   `json:"digest,omitempty"` // of what it was made of and by what: with another one it is made anew
	Inputs []string `json:"inputs,omitempty"` // paths of the sources and files that went into it, sorted
}

// Range is a place in a configuration file.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// Pos is a position: line and column count from 1 (columns are characters),
// byte from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// App is the canonical form of an app block.
type App struct {
	Content   string     `json:"content"`             // folder of the repository
	Hosts     []string   `json:"hosts"`               // canonical, sorted; never empty: NAME.<domain> where none is declared
	Spa       bool       `json:"spa,omitempty"`       // unknown paths without an extension serve index.html
	Redirects []Redirect `json:"redirects,omitempty"` // in declared order: the first match wins
	Headers   []Header   `json:"headers,omitempty"`   // in declared order: later ones win
	Disabled  bool       `json:"disabled,omitempty"`  // enabled = false: known, not served
	Protect   bool       `json:"protect,omitempty"`   // may not be removed; the node remembers it when the block is gone
	OnRemove  OnRemove   `json:"on_remove,omitempty"` // what becomes of it when its block goes; empty is Park
	Limits    *AppLimits `json:"limits,omitempty"`    // nil where none is set
	Access    []Access   `json:"access,omitempty"`    // in declared order; none: the app is public

	// What an app that runs code has and may reach; lists are sorted by name.
	Runtime  *Runtime            `json:"runtime,omitempty"` // nil: it runs none, and has none of the following
	Env      map[string]EnvValue `json:"env,omitempty"`
	KV       []KV                `json:"kv,omitempty"`
	SQL      *SQL                `json:"sql,omitempty"`
	Docs     []Docs              `json:"docs,omitempty"`
	Blobs    []Blobs             `json:"blobs,omitempty"`
	Queues   []Queue             `json:"queue,omitempty"`
	Cron     []Cron              `json:"cron,omitempty"`
	Services []Service           `json:"service,omitempty"`
	Egress   []Egress            `json:"egress,omitempty"` // by host
	Health   *Health             `json:"health,omitempty"`
}

// AppLimits are what one app may use. Zero is no limit, a body of zero the
// node's. Filled gives the values that hold.
type AppLimits struct {
	RequestsPerSecond float64 `json:"requests_per_second,omitempty"`
	Burst             int     `json:"burst,omitempty"` // requests at once; zero: twice RequestsPerSecond
	Concurrency       int     `json:"concurrency,omitempty"`
	Body              int64   `json:"body,omitempty"`         // bytes
	WallMS            int64   `json:"wall_ms,omitempty"`      // milliseconds that a request may take
	Storage           int64   `json:"storage,omitempty"`      // bytes
	EgressMonth       int64   `json:"egress_month,omitempty"` // bytes sent in a calendar month
}

// OnRemove is what becomes of an app that no block declares any more.
type OnRemove string

// The ends of an app.
const (
	Park   OnRemove = "park"   // out of service, kept in the trash for its days
	Delete OnRemove = "delete" // gone at once, its releases too
	Forget OnRemove = "forget" // stays in service, unmanaged
)

// Moved says that an app has a new address: what the node has of it goes along.
// Both may be whole for_each blocks.
type Moved struct {
	From  Addr  `json:"from"`
	To    Addr  `json:"to"`
	Range Range `json:"range"`
}

// Removed says what becomes of an app whose block is gone, whatever the block
// said. It does not lift a protection.
type Removed struct {
	From     Addr     `json:"from"`
	OnRemove OnRemove `json:"on_remove"`
	Range    Range    `json:"range"`
}

// Redirect sends requests for From (a path, may end in /* and hold :names) to
// To, which may use :splat and the names.
type Redirect struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Status int    `json:"status"`          // 301, 302, 303, 307, 308; 200 rewrites in place
	Force  bool   `json:"force,omitempty"` // also where a file exists
}

// Header sets response headers on paths that match.
type Header struct {
	Path string            `json:"path"`
	Set  map[string]string `json:"set"` // an empty value removes the header
}

// Edge is the canonical form of the edge block.
type Edge struct {
	Domain         string   `json:"domain,omitempty"`
	Console        string   `json:"console,omitempty"`         // canonical host of the node itself: sign-in and the API
	TrustedProxies []string `json:"trusted_proxies,omitempty"` // canonical CIDR prefixes, sorted
	ProxyProtocol  bool     `json:"proxy_protocol,omitempty"`  // trusted proxies must send PROXY v1 or v2
	TLS            TLS      `json:"tls"`                       // "off", or an object
	HTTP3          bool     `json:"http3,omitempty"`
}

// TLS is how visitors' connections are encrypted. The zero value is off. Names
// of credentials are those that the node was given files for.
type TLS struct {
	Mode   string    `json:"mode"` // TLSACME, TLSInternal, TLSFiles; empty: off
	Email  string    `json:"email,omitempty"`
	CA     string    `json:"ca,omitempty"`      // URL of the ACME directory; empty: Let's Encrypt
	CARoot string    `json:"ca_root,omitempty"` // credential: a PEM file to trust for the CA
	DNS    *DNS      `json:"dns,omitempty"`     // nil: the CA's challenges are answered over HTTP and TLS
	Files  []TLSFile `json:"files,omitempty"`
}

// The modes of TLS.
const (
	TLSOff      = "off"
	TLSACME     = "acme"
	TLSInternal = "internal"
	TLSFiles    = "files"
)

// DNS is where challenges are answered by records.
type DNS struct {
	Provider   string `json:"provider"`            // "cloudflare", "rfc2136"
	Credential string `json:"credential"`          // the API token, or the secret of the key
	Server     string `json:"server,omitempty"`    // rfc2136: HOST:PORT
	Zone       string `json:"zone,omitempty"`      // empty: found by asking
	KeyName    string `json:"key_name,omitempty"`  // rfc2136
	Algorithm  string `json:"algorithm,omitempty"` // rfc2136; empty: hmac-sha256
}

// TLSFile is a certificate with its chain and its key, as credentials.
type TLSFile struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// Limits is the canonical form of the limits block: what is at its default is
// zero. Filled gives the values that hold.
type Limits struct {
	Connections      int   `json:"connections,omitempty"`
	ConnectionsPerIP int   `json:"connections_per_ip,omitempty"`
	RequestsPerIP    Rate  `json:"requests_per_ip,omitzero"`
	HeaderTimeoutMS  int64 `json:"header_timeout_ms,omitempty"`
	BodyTimeoutMS    int64 `json:"body_timeout_ms,omitempty"`
	WriteTimeoutMS   int64 `json:"write_timeout_ms,omitempty"`
	IdleTimeoutMS    int64 `json:"idle_timeout_ms,omitempty"`
	MinBodyRate      int64 `json:"min_body_rate,omitempty"` // bytes a second; negative: none is asked for
	HeaderBytes      int64 `json:"header_bytes,omitempty"`
	URL              int64 `json:"url,omitempty"`  // bytes
	Body             int64 `json:"body,omitempty"` // bytes
	Headers          int   `json:"headers,omitempty"`
	Streams          int   `json:"streams,omitempty"`     // HTTP/2, at once on a connection
	IPv6Prefix       int   `json:"ipv6_prefix,omitempty"` // bits that tell one client from another
}

// Rate is how many of something may come, on average and at once.
type Rate struct {
	Rate  float64 `json:"rate,omitempty"`  // a second
	Burst int     `json:"burst,omitempty"` // at once; zero: twice Rate
}

// Node is the canonical form of a node block.
type Node struct {
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels,omitempty"`
	Recipient string            `json:"recipient,omitempty"` // age1…: whom secrets are sealed to
}

// Spec is the desired state of one node: what a revision asks of it.
type Spec struct {
	Node      string               `json:"node"`                // the node it was evaluated for
	Objects   []Object             `json:"objects"`             // sorted by address
	Elsewhere []Addr               `json:"elsewhere,omitempty"` // apps that other nodes take, by their where
	Stalled   map[Addr]Diagnostics `json:"stalled,omitempty"`   // apps with errors of their own: they keep what they have
	Moved     []Moved              `json:"moved,omitempty"`     // by From, each From once
	Removed   []Removed            `json:"removed,omitempty"`   // by From, each From once
	Warnings  Diagnostics          `json:"warnings,omitempty"`
	Personas  []Persona            `json:"personas,omitempty"` // of dev blocks, by name
}

// Severity of a diagnostic.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Diagnostic is one finding with its place, in Terraform's JSON shape.
type Diagnostic struct {
	Severity Severity  `json:"severity"`
	Code     string    `json:"code"`              // stable, never reused: "F1203"
	Summary  string    `json:"summary"`           // short, lower case
	Detail   string    `json:"detail,omitempty"`  // what to do
	Address  Addr      `json:"address,omitempty"` // whose it is; empty for shared things
	Range    *Range    `json:"range,omitempty"`
	Snippet  *Snippet  `json:"snippet,omitempty"`
	Related  []Related `json:"related,omitempty"` // other places that matter, such as the first declaration
}

// Snippet is the source text a diagnostic points into, kept with it so that it
// can be shown where the file is not.
type Snippet struct {
	Context   string `json:"context,omitempty"` // the enclosing block: app "notes"
	Code      string `json:"code"`              // whole lines
	StartLine int    `json:"start_line"`
	Start     int    `json:"highlight_start_offset"` // bytes into Code
	End       int    `json:"highlight_end_offset"`
}

// Related is a second place of a diagnostic.
type Related struct {
	Message string `json:"message"`
	Range   Range  `json:"range"`
}

// Diagnostics is a list of findings. It implements error so that it can travel
// as one.
type Diagnostics []Diagnostic
