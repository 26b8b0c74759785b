package op

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// encode writes an input as the JSON of the API, leaving out what has its
// default, so a caller that knows a newer field can talk to an older node as long
// as it does not use it. in is the operation's input struct or a pointer to it.
func (o *operation) encode(in any) ([]byte, error) {
	v, err := o.value(in)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range o.fields {
		f := &o.fields[i]
		value := v.FieldByIndex(f.index)
		if f.json == "" || f.plain(value) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		text, err := f.encode(value)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "%q", f.json)
		}
		fmt.Fprintf(&b, "%q:%s", f.json, text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// value returns the input as an addressable struct value.
func (o *operation) value(in any) (reflect.Value, error) {
	v := reflect.ValueOf(in)
	if v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if o.err != nil {
		return v, fault.New(fault.Internal, "%q: %w", o.row.Name, o.err)
	}
	if !v.IsValid() || v.Type() != o.in {
		return v, fault.New(fault.Internal, "%q takes %s, not %T", o.row.Name, o.in, in)
	}
	box := reflect.New(o.in).Elem()
	box.Set(v)
	return box, nil
}

// plain tells whether leaving v out of the JSON says the same.
func (f *field) plain(v reflect.Value) bool {
	switch f.kind {
	case kindTree:
		return v.Interface().(Tree).Name == ""
	case kindFile:
		return v.Interface().(File).Name == ""
	case kindUpload:
		return v.Interface().(Upload).Name == ""
	}
	initial, err := f.initial()
	return err == nil && !f.required && reflect.DeepEqual(initial.Interface(), v.Interface())
}

func (f *field) encode(v reflect.Value) ([]byte, error) {
	switch f.kind {
	case kindDuration:
		return marshal(time.Duration(v.Int()).String())
	case kindTree, kindFile, kindUpload:
		return marshal(v.FieldByName("Name").String())
	default:
		return marshal(v.Interface())
	}
}

// marshal is json.Marshal without escaping HTML, so answers read as written.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode reads an input from the JSON of the API. Keys are exact; an unknown,
// repeated or missing one is refused by name. parts names the fields whose folder
// or file came beside the JSON. An empty text is an empty object.
func (o *operation) decode(data []byte, parts map[string]any) (reflect.Value, error) {
	in := reflect.New(o.in).Elem()
	given := make([]bool, len(o.fields))
	if o.err != nil {
		return in, fault.New(fault.Internal, "%q: %w", o.row.Name, o.err)
	}
	err := eachMember(data, func(key string, raw json.RawMessage) error {
		i := slices.IndexFunc(o.fields, func(f field) bool { return f.json == key && key != "" })
		if i < 0 {
			return o.unknown(key)
		}
		if given[i] {
			return fault.New(fault.Invalid, "%q is given twice", key)
		}
		given[i] = true
		f := &o.fields[i]
		if err := f.decode(in.FieldByIndex(f.index), raw); err != nil {
			return fault.New(fault.Invalid, "%q %w", key, err)
		}
		return nil
	})
	if err != nil {
		return in, err
	}
	if err := o.attach(in, parts); err != nil {
		return in, err
	}
	return in, o.complete(in, given, false)
}

// attach puts the folders and files that came beside the JSON into the input.
func (o *operation) attach(in reflect.Value, parts map[string]any) error {
	for i := range o.fields {
		f := &o.fields[i]
		if !f.kind.part() || f.json == "" {
			continue
		}
		v := in.FieldByIndex(f.index)
		name := v.FieldByName("Name").String()
		switch part := parts[f.json].(type) {
		case Tree:
			part.Name = name
			v.Set(reflect.ValueOf(part))
		case File:
			part.Name = name
			v.Set(reflect.ValueOf(part))
		case Upload:
			part.Name = name
			v.Set(reflect.ValueOf(part))
		default:
			if name != "" || f.required || f.hasPreset {
				return fault.New(fault.Invalid, "%q needs %s in %q", o.row.Name, f.kind.wants(), f.json).
					WithHint("send multipart/form-data: the JSON as part \"in\", then part %q", f.json)
			}
		}
	}
	return nil
}

// complete gives the fields nobody gave their defaults, and checks that nothing
// required is missing and that every value is an allowed one.
func (o *operation) complete(in reflect.Value, given []bool, cli bool) error {
	for i := range o.fields {
		f := &o.fields[i]
		v := in.FieldByIndex(f.index)
		switch {
		case given[i] || f.kind.part() && !cli:
		case f.required:
			return fault.New(fault.Invalid, "%q needs %s", o.row.Name, f.label(cli))
		default:
			if cli && f.kind.part() {
				v.FieldByName("Name").SetString(f.preset)
				continue
			}
			initial, err := f.initial()
			if err != nil {
				return err
			}
			v.Set(initial)
		}
		if err := f.allowed(v); err != nil {
			return fault.New(fault.Invalid, "%s %w", f.label(cli), err)
		}
	}
	return nil
}

func (o *operation) unknown(key string) error {
	var known []string
	for _, f := range o.fields {
		if f.json != "" {
			known = append(known, f.json)
		}
	}
	return o.takesNo(key, known)
}

func (o *operation) takesNo(key string, known []string) error {
	err := fault.New(fault.Invalid, "%q takes no %s", o.row.Name, quoted(key))
	switch near := nearest(key, known); {
	case near != "":
		return err.WithHint("did you mean %q?", near)
	case len(known) > 0:
		return err.WithHint("it takes %s", list(known))
	default:
		return err.WithHint("it takes nothing")
	}
}

// eachMember calls fn for the members of the JSON object in data, in order.
func eachMember(data []byte, fn func(key string, raw json.RawMessage) error) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	open, err := d.Token()
	if err != nil {
		return notJSON(err)
	}
	if open != json.Delim('{') {
		return fault.New(fault.Invalid, "the input is JSON, but not an object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return notJSON(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return notJSON(err)
		}
		if err := fn(key.(string), raw); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return notJSON(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fault.New(fault.Invalid, "the input goes on after its JSON object")
	}
	return nil
}

func notJSON(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fault.New(fault.Invalid, "the input is not JSON: it ends too early")
	}
	return fault.New(fault.Invalid, "the input is not JSON: %w", err)
}

// decode fills v from one JSON value. Only lists and maps may be null, which is
// "none" even where the default is some.
func (f *field) decode(v reflect.Value, raw json.RawMessage) error {
	var err error
	null := string(raw) == "null"
	switch f.kind {
	case kindDuration, kindTree, kindFile, kindUpload:
		var text string
		if err = json.Unmarshal(raw, &text); err == nil && !null {
			return f.setText(v, text)
		}
	default:
		err = json.Unmarshal(raw, v.Addr().Interface())
	}
	if err != nil || null && !f.kind.many() {
		return errors.New("wants " + f.kind.jsonWants() + ", not " + excerpt(raw))
	}
	return nil
}

func (k kind) jsonWants() string {
	switch k {
	case kindMap:
		return "an object of texts"
	case kindDuration:
		return "a duration as text, such as \"30s\""
	case kindTree, kindFile, kindUpload:
		return k.wants() + " named by a text"
	default:
		return k.wants()
	}
}

func excerpt(raw []byte) string {
	const most = 40
	runes := []rune(string(raw))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}
