package op

import "strconv"

// Listing is a table as data: what GET /v1/ answers, and what help, reference and
// completion are written from, so that another node's table reads like one's own.
type Listing struct {
	Version    string  `json:"version"`
	Operations []Entry `json:"operations"`
}

// Entry describes one operation.
type Entry struct {
	Name     string            `json:"name"`
	Path     string            `json:"path,omitempty"` // empty for verbs of the machine
	Usage    string            `json:"usage"`
	Summary  string            `json:"summary"`
	Detail   string            `json:"detail,omitempty"`
	Group    string            `json:"group,omitempty"`
	Effect   Effect            `json:"effect"`
	Needs    Permission        `json:"needs,omitempty"`
	Offline  bool              `json:"offline,omitempty"`
	Local    bool              `json:"local,omitempty"`
	Stream   bool              `json:"stream,omitempty"`
	Since    string            `json:"since,omitempty"`
	Fields   []Field           `json:"fields,omitempty"`
	Examples []Example         `json:"examples,omitempty"`
	Exits    map[string]string `json:"exits,omitempty"`
}

// Field describes one input of an operation, on the command line and in the API.
type Field struct {
	Flag     string   `json:"flag,omitempty"` // without dashes; of an argument its name
	Short    string   `json:"short,omitempty"`
	Key      string   `json:"key,omitempty"`   // in the JSON body
	Type     string   `json:"type"`            // text, bool, integer, number, duration, list, map, folder, file
	Value    string   `json:"value,omitempty"` // how usage lines call the value
	Help     string   `json:"help"`
	Default  string   `json:"default,omitempty"`
	Enum     []string `json:"enum,omitempty"`
	Argument bool     `json:"argument,omitempty"`
	Many     bool     `json:"many,omitempty"`
	Required bool     `json:"required,omitempty"`
	Negated  bool     `json:"negated,omitempty"` // --no-FLAG exists
	Hidden   bool     `json:"hidden,omitempty"`
}

// Listing returns the table as data.
func (t Table) Listing(version string) Listing {
	l := Listing{Version: versionTag(version), Operations: make([]Entry, 0, len(t))}
	for _, o := range t {
		l.Operations = append(l.Operations, o.o.entry())
	}
	return l
}

func (o *operation) entry() Entry {
	r := o.row
	e := Entry{
		Name: r.Name, Path: pathOf(r.Name), Usage: o.usageLine(), Summary: r.Summary, Detail: r.Detail, Group: r.Group,
		Effect: r.Effect, Needs: r.Needs, Offline: r.Offline, Local: r.Local, Stream: o.stream, Since: r.Since, Examples: r.Examples,
	}
	if r.Local {
		e.Path = ""
	}
	for code, meaning := range r.Exits {
		if e.Exits == nil {
			e.Exits = map[string]string{}
		}
		e.Exits[strconv.Itoa(code)] = meaning
	}
	for i := range o.fields {
		e.Fields = append(e.Fields, o.fields[i].describe())
	}
	return e
}

func (f *field) describe() Field {
	d := Field{
		Flag: f.flag, Short: f.short, Key: f.json, Type: f.kind.String(), Help: f.help, Default: f.preset, Enum: f.enum,
		Argument: f.positional, Many: f.kind.many(), Required: f.required, Negated: f.negatable, Hidden: f.hidden,
	}
	if f.kind != kindBool && f.flag != "" {
		d.Value = f.value()
	}
	if f.confirm && f.help == "" {
		d.Help = "the name of what is destroyed, again"
	}
	return d
}

// String names the kind in listings and documents.
func (k kind) String() string {
	return [...]string{"none", "text", "bool", "integer", "integer", "number", "duration", "list", "map", "folder", "file", "file"}[k]
}
