package spec

import (
	"encoding/json"
	"strings"
)

// Schema is the language as a table. It decodes the configuration, it is the
// reference page and it is what editors ask for; there is no second place that
// knows an argument's name.
type Schema struct {
	Version   string            `json:"version"` // of the language
	Blocks    []Block           `json:"blocks"`
	Functions []FunctionSchema  `json:"functions"`
	Refs      []ReferenceSchema `json:"references"`
}

// Block is one block type.
type Block struct {
	Name       string      `json:"name"`
	Labels     []string    `json:"labels,omitempty"` // what each label says, in order
	Doc        string      `json:"doc,omitempty"`
	Example    string      `json:"example,omitempty"`
	Since      string      `json:"since,omitempty"`
	Attributes []Attribute `json:"attributes,omitempty"`
	Blocks     []Block     `json:"blocks,omitempty"`   // that may stand inside it
	Once       bool        `json:"once,omitempty"`     // there is at most one, in the configuration or in the block around it
	Why        string      `json:"why,omitempty"`      // why there is at most one, where that is not plain
	AnyName    bool        `json:"any_name,omitempty"` // arguments are named by the author, as in locals
	Later      []string    `json:"later,omitempty"`    // arguments and blocks inside it that this version refuses by name
	IsLater    bool        `json:"is_later,omitempty"` // the block itself is refused by name
}

// Attribute is one argument of a block or one key of an object value.
type Attribute struct {
	Name       string      `json:"name"`
	Type       Type        `json:"type"`
	Doc        string      `json:"doc"`
	Required   bool        `json:"required,omitempty"`
	Default    string      `json:"default,omitempty"`    // as it would be written; empty: none
	Allowed    []string    `json:"allowed,omitempty"`    // the only values, if there are few
	Min        string      `json:"min,omitempty"`        // the smallest value, as it would be written; with Max or not at all
	Max        string      `json:"max,omitempty"`        // the largest
	Later      []string    `json:"later,omitempty"`      // values or keys that this version refuses by name
	Attributes []Attribute `json:"attributes,omitempty"` // keys of an object
	Effect     Effect      `json:"effect,omitempty"`     // what a change of it does to a running node
	Risk       Risk        `json:"risk,omitempty"`
	Immutable  bool        `json:"immutable,omitempty"` // a change replaces the object
	Example    string      `json:"example,omitempty"`
	Since      string      `json:"since,omitempty"`
}

// Type is the shape of an argument's value.
type Type string

// The types. A number is whole, a decimal need not be. A size is text such as
// "25MiB" or a number of bytes, a duration text such as "500ms" or a number of
// seconds. A credential is the name of a file that only the node knows. A
// secret is sealed, a setting a text or a secret, an app the address of one, a
// resource an app, a part of one or some of its paths. An
// expression is judged where it is used; a type, names and an address are read,
// not evaluated.
const (
	TypeString     Type = "string"
	TypeBool       Type = "bool"
	TypeNumber     Type = "number"
	TypeDecimal    Type = "decimal"
	TypeSize       Type = "size"
	TypeDuration   Type = "duration"
	TypeCredential Type = "credential"
	TypeStrings    Type = "list(string)"
	TypeNumbers    Type = "list(number)"
	TypeStringMap  Type = "map(string)"
	TypeSecret     Type = "secret"
	TypeSetting    Type = "string or secret"
	TypeSettings   Type = "map(string or secret)"
	TypeApp        Type = "app"
	TypeResources  Type = "list(resource)"
	TypeObject     Type = "object"
	TypeObjects    Type = "list(object)"
	TypeExpression Type = "expression"
	TypeType       Type = "type"
	TypeName       Type = "name"
	TypeNames      Type = "list(name)"
	TypeAddress    Type = "address"
)

// Effect is what changing an argument does to a node that runs.
type Effect string

// The effects, from harmless to harmful.
const (
	EffectHot           Effect = "hot"            // the next request sees it
	EffectNewDeployment Effect = "new_deployment" // files are staged, then the next request sees them
	EffectRestart       Effect = "restart"        // a part of the node stops and starts
	EffectReplace       Effect = "replace"        // the object goes and another comes
	EffectDataLoss      Effect = "data_loss"      // something is gone for good
)

// Risk says how carefully a person should read a change.
type Risk string

// The risks.
const (
	RiskNone        Risk = "none"
	RiskLow         Risk = "low"
	RiskMedium      Risk = "medium"
	RiskHigh        Risk = "high"
	RiskDestructive Risk = "destructive"
)

// FunctionSchema is one built-in function.
type FunctionSchema struct {
	Name string `json:"name"`
	Args string `json:"args"` // as it is called: path, vars
	Doc  string `json:"doc"`
}

// ReferenceSchema is one thing that an expression may name.
type ReferenceSchema struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

// Language returns the table of this version, blocks in the order of the
// reference page, then those that only later versions have.
func Language() Schema {
	s := Schema{Version: LanguageVersion, Refs: references(), Functions: functionSchemas()}
	s.Blocks = []Block{
		faztBlock(), variableBlock(), localsBlock(), functionBlock(), checkBlock(), nodeBlock(), edgeBlock(), limitsBlock(), secretBlock(),
		oauthBlock(), mailBlock(), loginBlock(), groupBlock(), roleBlock(), workloadBlock(), devBlock(), appBlock(),
		movedBlock(), removedBlock(),
	}
	for _, name := range laterBlocks() {
		s.Blocks = append(s.Blocks, Block{Name: name, IsLater: true})
	}
	return s
}

// laterBlocks are the top-level blocks that the design has and this version
// refuses by name.
func laterBlocks() []string {
	return []string{
		"analytics", "approval", "notify", "policy", "preview",
	}
}

// JSON is the table for editors and generators, indented, with a final newline.
func (s Schema) JSON() []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		panic(err) // strings and booleans always encode
	}
	return []byte(b.String())
}

// block finds a top-level block type by name.
func (s Schema) block(name string) (Block, bool) { return findBlock(s.Blocks, name) }

// findBlock finds a block type by name.
func findBlock(list []Block, name string) (Block, bool) {
	for _, b := range list {
		if b.Name == name {
			return b, true
		}
	}
	return Block{}, false
}

// blockNames are the block types that this version has.
func blockNames(list []Block) []string {
	var names []string
	for _, b := range list {
		if !b.IsLater {
			names = append(names, b.Name)
		}
	}
	return names
}

// attribute finds an argument by name.
func attribute(list []Attribute, name string) (Attribute, bool) {
	for _, a := range list {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// attributeNames are the names of arguments, in the order of the table.
func attributeNames(list []Attribute) []string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Name
	}
	return names
}

// EffectOf tells what changing an argument of an object does. path is one into
// the canonical form or an argument's name: "redirects[0].to", "limits.wall_ms",
// "disabled" and "enabled" all work. "" stands for the whole object. A key that
// says nothing of its own does what its argument does; what the table does not
// know is hot and of low risk.
func EffectOf(kind Kind, path string) (Effect, Risk) {
	row, _ := Language().block(string(kind))
	effect, risk := EffectHot, RiskLow
	for _, name := range strings.Split(path, ".") {
		name, _, _ = strings.Cut(name, "[")
		if inside, ok := findBlock(row.Blocks, name); ok {
			row = inside
			continue
		}
		a, ok := canonicalAttribute(row.Attributes, name)
		if !ok {
			break
		}
		if a.Effect != "" {
			effect, risk = a.Effect, a.Risk
		}
		row = Block{Attributes: a.Attributes}
	}
	return effect, risk
}

// canonicalAttribute finds an argument by its name or by that of its canonical
// form.
func canonicalAttribute(list []Attribute, name string) (Attribute, bool) {
	if a, ok := attribute(list, name); ok {
		return a, true
	}
	switch name {
	case "disabled":
		name = "enabled"
	case "no_revert":
		name = "auto_revert"
	case "no_passkeys":
		name = "passkeys"
	}
	return attribute(list, strings.TrimSuffix(name, "_ms"))
}
