package spec

// Job is what an evaluation is told. It is plain data that travels to the
// bounded child.
type Job struct {
	Node    string            `json:"node,omitempty"`
	AllApps bool              `json:"all_apps,omitempty"`
	Domain  string            `json:"domain,omitempty"`
	Vars    map[string]string `json:"vars,omitempty"`
	Files   []Source          `json:"files"` // to be read, by path
	Held    Held              `json:"held"`
}

// Source is a configuration file.
type Source struct {
	Path   string   `json:"path"`
	ID     string   `json:"id"`               // git blob id; empty where the tree cannot tell
	Before []string `json:"before,omitempty"` // the apps that a file of this name held when it was read last
}

// Held is what an evaluation knows of the files that it is not to read, as
// there are units of them. Its size does not grow with theirs.
type Held struct {
	Files  int                 `json:"files,omitempty"`
	Size   int                 `json:"size,omitempty"`   // bytes of all of them
	Shared string              `json:"shared,omitempty"` // under what they were evaluated; another digest makes all of them void
	Needs  map[string][]string `json:"needs,omitempty"`  // apps that they name and do not declare: the files that are void unless another file declares it
}

// Known answers what an evaluation asks about files that it was not told to
// read. Few do. It may be asked from several goroutines, one at a time.
type Known interface {
	// Rest returns held files, to be read after all: those named, or all if
	// names is nil.
	Rest(names []string) []Source
	// Blocks returns the app blocks of the held files.
	Blocks() []AppBlock
	// Apps returns the apps of the node, as far as the evaluation got, in
	// canonical form: address, name, spec and range. Check blocks ask for it;
	// it costs the canonical form of every app.
	Apps(Partial) []Object
}

// Partial is what an evaluation found. It is plain data that travels back.
type Partial struct {
	Diagnostics Diagnostics       `json:"diagnostics,omitempty"` // of the whole revision, not of single apps; with errors it is refused
	Node        string            `json:"node,omitempty"`
	Objects     []Object          `json:"objects,omitempty"`  // everything but apps, by address; all secrets
	Shared      string            `json:"shared,omitempty"`   // digest of what all apps share
	Reads       map[string]string `json:"reads,omitempty"`    // what shared things read: path to git id
	Moved       []Moved           `json:"moved,omitempty"`    // by From
	Removed     []Removed         `json:"removed,omitempty"`  // by From
	Personas    []Persona         `json:"personas,omitempty"` // by name
	Names       bool              `json:"names,omitempty"`    // shared things depend on which apps there are
	Size        int               `json:"size,omitempty"`     // bytes of the files with anything but apps
	Units       []Unit            `json:"units,omitempty"`    // of the files that were read, by file
	Held        bool              `json:"held,omitempty"`     // whether held units still hold,
	Again       []string          `json:"again,omitempty"`    // but for these, which were read
}
