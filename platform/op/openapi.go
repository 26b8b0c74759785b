package op

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// OpenAPI describes the table's HTTP API as OpenAPI 3.1. Verbs of the machine are
// not in it.
func OpenAPI(t Table, version string) (text []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // the schema library panics on types it cannot describe
			err = fmt.Errorf("the table cannot be described: %v", p)
		}
	}()
	d := describer{registry: huma.NewMapRegistry("#/components/schemas/", schemaName)}
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "fazt", Version: version, Description: "The operations of a fazt node. Each is a command too."},
		Paths:   map[string]*huma.PathItem{},
		Components: &huma.Components{
			Schemas:         d.registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}},
		},
		Security: []map[string][]string{{"token": {}}},
	}
	for _, o := range t {
		if o.o.row.Local {
			continue
		}
		if o.o.err != nil {
			return nil, o.o.err
		}
		doc.Paths[o.Path()] = d.path(o.o)
	}
	for _, s := range d.registry.Map() {
		if s.AdditionalProperties == false {
			s.AdditionalProperties = nil // answers may get more fields
		}
	}
	if text, err = marshal(doc); err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// schemaName keeps types of different packages apart: "PlanChange", "SpecChange".
// Types of package main have their own name alone.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	pkg := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
	if pkg == "" || pkg == "main" || t.Name() == "" {
		return name
	}
	return sentence(pkg) + name
}

// describer builds the schemas of one document.
type describer struct{ registry huma.Registry }

func (d *describer) path(o *operation) *huma.PathItem {
	item := &huma.PathItem{Post: d.operation(o)}
	item.Post.RequestBody = d.body(o)
	if o.row.Effect == Read && !o.upload() {
		item.Get = d.operation(o)
		item.Get.OperationID += "-get"
		item.Get.Parameters = d.parameters(o)
	}
	return item
}

func (d *describer) operation(o *operation) *huma.Operation {
	noun, _, _ := strings.Cut(o.row.Name, " ")
	kind := typeJSON
	answer := d.output(o.out)
	if o.stream {
		kind = typeNDJSON
		answer = &huma.Schema{
			Type: huma.TypeObject, Description: "one line: version, item or result", Required: []string{"type"},
			Properties: map[string]*huma.Schema{
				"type": {Type: huma.TypeString, Enum: []any{"version", "item", "result"}},
				"item": answer,
				"ok":   {Type: huma.TypeBoolean}, "exit": {Type: huma.TypeInteger},
				"error": d.output(reflect.TypeFor[Detail]()),
			},
		}
	}
	failure := map[string]*huma.MediaType{kind: {Schema: d.output(reflect.TypeFor[Failure]())}}
	if o.stream {
		failure[kind].Schema = answer
	}
	ok := &huma.Response{Description: "the answer", Content: map[string]*huma.MediaType{kind: {Schema: answer}}}
	if o.out.Implements(reflect.TypeFor[Exiter]()) || reflect.PointerTo(o.out).Implements(reflect.TypeFor[Exiter]()) {
		ok.Headers = map[string]*huma.Param{headerExit: {
			Description: "exit code of the command, where it is not 0", Schema: &huma.Schema{Type: huma.TypeInteger},
		}}
	}
	return &huma.Operation{
		OperationID: strings.ReplaceAll(o.row.Name, " ", "-"), Tags: []string{noun},
		Summary: o.row.Summary, Description: o.row.Detail,
		Extensions: map[string]any{"x-effect": string(o.row.Effect)},
		Responses:  map[string]*huma.Response{"200": ok, "default": {Description: "why it failed", Content: failure}},
	}
}

// body describes the input of a POST.
func (d *describer) body(o *operation) *huma.RequestBody {
	object := d.input(o)
	required := len(object.Required) > 0
	if !o.upload() {
		return &huma.RequestBody{Required: required, Content: map[string]*huma.MediaType{typeJSON: {Schema: object}}}
	}
	form := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"in": object}, Required: []string{"in"}, AdditionalProperties: false}
	encoding := map[string]*huma.Encoding{"in": {ContentType: typeJSON}}
	for _, f := range o.fields {
		if !f.kind.part() || f.json == "" {
			continue
		}
		kind := "application/octet-stream"
		if f.kind == kindTree {
			kind = "application/x-tar"
		}
		form.Properties[f.json] = &huma.Schema{Type: huma.TypeString, Format: "binary", Description: f.help}
		encoding[f.json] = &huma.Encoding{ContentType: kind}
		if f.required || f.hasPreset {
			form.Required = append(form.Required, f.json)
		}
	}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{typeForm: {Schema: form, Encoding: encoding}}}
}

func (d *describer) input(o *operation) *huma.Schema {
	object := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, AdditionalProperties: false}
	for i := range o.fields {
		f := &o.fields[i]
		if f.json == "" {
			continue
		}
		object.Properties[f.json] = f.schema()
		if f.required && !f.kind.part() {
			object.Required = append(object.Required, f.json)
		}
	}
	return object
}

// schema describes one input field as JSON.
func (f *field) schema() *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: f.help}
	switch f.kind {
	case kindBool:
		s.Type = huma.TypeBoolean
	case kindInt:
		s.Type, s.Format = huma.TypeInteger, "int64"
	case kindUint:
		s.Type, s.Format, s.Minimum = huma.TypeInteger, "int64", new(float64)
	case kindFloat:
		s.Type = huma.TypeNumber
	case kindDuration:
		s.Format = "duration-text"
		s.Examples = []any{"30s"}
	case kindStrings:
		s.Type, s.Items = huma.TypeArray, &huma.Schema{Type: huma.TypeString, Enum: f.enumValues()}
	case kindMap:
		s.Type, s.AdditionalProperties = huma.TypeObject, &huma.Schema{Type: huma.TypeString}
	case kindTree, kindFile, kindUpload:
		s.Description = "the name to show in messages; the content is the form's part of this name"
	}
	if f.kind != kindStrings {
		s.Enum = f.enumValues()
	}
	if f.hasPreset && !f.kind.part() {
		if v, err := f.initial(); err == nil {
			if text, err := f.encode(v); err == nil {
				s.Default = json.RawMessage(text)
			}
		}
	}
	return s
}

func (f *field) enumValues() []any {
	if len(f.enum) == 0 {
		return nil
	}
	values := make([]any, 0, len(f.enum)+1)
	for _, text := range f.enum {
		v := reflect.New(f.typ).Elem()
		if f.kind == kindStrings || f.setText(v, text) != nil {
			values = append(values, text)
			continue
		}
		values = append(values, v.Interface())
	}
	return values
}

// parameters describes the query of a GET: the flags.
func (d *describer) parameters(o *operation) []*huma.Param {
	var params []*huma.Param
	for i := range o.fields {
		f := &o.fields[i]
		if f.flag == "" {
			continue
		}
		s := f.schema()
		if f.kind == kindMap {
			s = &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, Description: "NAME=VALUE, repeated"}
		}
		params = append(params, &huma.Param{Name: f.flag, In: "query", Description: f.help, Required: f.required, Schema: s})
	}
	return params
}

// output describes an answer. Types that write their own JSON are left open, as
// nothing here could know it; but a struct that names each of its fields in JSON
// only orders them, and is described by them.
func (d *describer) output(t reflect.Type) *huma.Schema {
	d.alias(t, map[reflect.Type]bool{})
	s := d.registry.Schema(t, true, "Answer")
	if s == nil {
		return &huma.Schema{}
	}
	return s
}

// alias tells the registry about every type under t that marshals itself.
func (d *describer) alias(t reflect.Type, seen map[reflect.Type]bool) {
	if seen[t] || t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[json.RawMessage]() {
		return
	}
	seen[t] = true
	implements := func(i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) }
	switch {
	case t.Kind() == reflect.Pointer:
	case implements(reflect.TypeFor[json.Marshaler]()) && !tagged(t):
		d.registry.RegisterTypeAlias(t, reflect.TypeFor[json.RawMessage]())
		return
	case implements(reflect.TypeFor[encoding.TextMarshaler]()):
		d.registry.RegisterTypeAlias(t, reflect.TypeFor[string]())
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		d.alias(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			d.alias(t.Field(i).Type, seen)
		}
	}
}

// tagged reports whether a struct says of every field what it is called in
// JSON.
func tagged(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	named := 0
	for i := range t.NumField() {
		f := t.Field(i)
		_, has := f.Tag.Lookup("json")
		switch {
		case !f.IsExported():
			continue
		case !has && !(f.Anonymous && tagged(f.Type)):
			return false
		}
		named++
	}
	return named > 0
}
