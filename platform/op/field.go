package op

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// kind is the closed set of what an input field can be. Text of the command
// line, values of a query and JSON all end in it.
type kind int

const (
	kindNone kind = iota
	kindString
	kindBool
	kindInt
	kindUint
	kindFloat
	kindDuration
	kindStrings
	kindMap
	kindTree
	kindFile
	kindUpload
)

// part tells whether values of the kind travel beside the JSON.
func (k kind) part() bool { return k == kindTree || k == kindFile || k == kindUpload }

// many tells whether a flag of the kind may be given more than once.
func (k kind) many() bool { return k == kindStrings || k == kindMap }

// wants is how messages and help call a value of the kind.
func (k kind) wants() string {
	switch k {
	case kindString:
		return "text"
	case kindBool:
		return "true or false"
	case kindInt, kindUint:
		return "a whole number"
	case kindFloat:
		return "a number"
	case kindDuration:
		return "a duration such as 30s, 5m or 7d"
	case kindStrings:
		return "a list of texts"
	case kindMap:
		return "NAME=VALUE"
	case kindTree:
		return "a folder"
	case kindFile, kindUpload:
		return "a file"
	default:
		return "nothing"
	}
}

// field is one documented field of an input struct.
type field struct {
	index       []int
	typ         reflect.Type
	kind        kind
	name        string // Go name
	json        string // key in the API; empty: it does not travel
	flag        string // long flag or the positional's name; empty: not on the command line
	short       string // one letter or empty
	help        string
	placeholder string
	preset      string // text of the default
	hasPreset   bool
	enum        []string
	positional  bool
	required    bool
	negatable   bool
	hidden      bool
	object      bool
	confirm     bool
}

// fieldsOf reads the fields of an input struct, embedded ones included.
func fieldsOf(t reflect.Type) ([]field, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("the input %s is not a struct", t)
	}
	var fields []field
	for _, sf := range reflect.VisibleFields(t) {
		if sf.Anonymous && kindOf(sf.Type) == kindNone || !sf.IsExported() {
			continue
		}
		if inside(t, sf.Index) {
			continue
		}
		f, err := newField(sf)
		if err != nil {
			return nil, err
		}
		if f.json != "" || f.flag != "" {
			fields = append(fields, f)
		}
	}
	return fields, nil
}

// inside tells whether index leads into a Tree or File, whose own fields are no
// input fields.
func inside(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		if kindOf(t.FieldByIndex(index[:i]).Type) != kindNone {
			return true
		}
	}
	return false
}

func newField(sf reflect.StructField) (field, error) {
	tag := sf.Tag
	f := field{
		index: sf.Index, typ: sf.Type, kind: kindOf(sf.Type), name: sf.Name,
		flag: tag.Get("name"), short: tag.Get("short"), help: tag.Get("help"),
		placeholder: tag.Get("placeholder"), positional: has(tag, "arg"),
		negatable: has(tag, "negatable"), hidden: has(tag, "hidden"), object: has(tag, "object"),
	}
	if f.kind == kindNone {
		return f, fmt.Errorf("field %s has type %s, which no input can have", sf.Name, sf.Type)
	}
	f.preset, f.hasPreset = tag.Lookup("default")
	f.required = has(tag, "required") || f.positional && !has(tag, "optional") && !f.hasPreset
	if enum := tag.Get("enum"); enum != "" {
		f.enum = strings.Split(enum, ",")
	}
	if f.flag == "" {
		f.flag = kebab(sf.Name)
	}
	f.json, _, _ = strings.Cut(tag.Get("json"), ",")
	if f.json == "" {
		f.json = strings.ReplaceAll(f.flag, "-", "_")
	}
	f.confirm = sf.Name == "Confirm" && f.kind == kindString
	f.hide(tag)
	_, err := f.initial()
	return f, err
}

// hide takes a field away from the API (json:"-") or from the command line
// (kong:"-"; Confirm is filled by the global flag of that name).
func (f *field) hide(tag reflect.StructTag) {
	if f.json == "-" {
		f.json = ""
	}
	if tag.Get("kong") == "-" || f.confirm {
		f.flag, f.positional, f.short = "", false, ""
	}
	if f.confirm {
		f.required = false
	}
}

func has(tag reflect.StructTag, key string) bool {
	_, ok := tag.Lookup(key)
	return ok
}

func kindOf(t reflect.Type) kind {
	switch t {
	case reflect.TypeFor[Tree]():
		return kindTree
	case reflect.TypeFor[File]():
		return kindFile
	case reflect.TypeFor[Upload]():
		return kindUpload
	case reflect.TypeFor[time.Duration]():
		return kindDuration
	}
	switch t.Kind() {
	case reflect.String:
		return kindString
	case reflect.Bool:
		return kindBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return kindInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return kindUint
	case reflect.Float32, reflect.Float64:
		return kindFloat
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return kindStrings
		}
	case reflect.Map:
		if t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String {
			return kindMap
		}
	}
	return kindNone
}

// kebab turns a Go name into a flag: "NoOpen" into "no-open", "AppID" into "app-id".
func kebab(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		upper := unicode.IsUpper(r)
		if upper && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// initial returns the value a field has when nobody gives one.
func (f *field) initial() (reflect.Value, error) {
	v := reflect.New(f.typ).Elem()
	if !f.hasPreset || f.kind.part() {
		return v, nil
	}
	texts := []string{f.preset}
	if f.kind.many() {
		texts = strings.Split(f.preset, ",")
	}
	if f.kind.many() && f.preset == "" {
		texts = nil
	}
	if err := f.set(v, texts); err != nil {
		return v, fmt.Errorf("field %s has an impossible default: %w", f.name, err)
	}
	return v, f.allowed(v)
}

// set fills v from the texts of a command line or query. Of a field that is not
// a list the last text counts.
func (f *field) set(v reflect.Value, texts []string) error {
	switch f.kind {
	case kindStrings:
		list := reflect.MakeSlice(f.typ, len(texts), len(texts))
		for i, text := range texts {
			list.Index(i).SetString(text)
		}
		v.Set(list)
		return nil
	case kindMap:
		return f.setMap(v, texts)
	}
	if len(texts) == 0 {
		return nil
	}
	return f.setText(v, texts[len(texts)-1])
}

func (f *field) setMap(v reflect.Value, texts []string) error {
	m := reflect.MakeMapWithSize(f.typ, len(texts))
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return fmt.Errorf("wants NAME=VALUE, not %s", quoted(text))
		}
		k, e := reflect.New(f.typ.Key()).Elem(), reflect.New(f.typ.Elem()).Elem()
		k.SetString(key)
		e.SetString(value)
		m.SetMapIndex(k, e)
	}
	v.Set(m)
	return nil
}

func (f *field) setText(v reflect.Value, text string) (err error) {
	switch f.kind {
	case kindString:
		v.SetString(text)
	case kindTree, kindFile, kindUpload:
		v.FieldByName("Name").SetString(text)
	case kindBool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			v.SetBool(b)
		}
	case kindInt:
		var n int64
		if n, err = strconv.ParseInt(text, 10, f.typ.Bits()); err == nil {
			v.SetInt(n)
		}
	case kindUint:
		var n uint64
		if n, err = strconv.ParseUint(text, 10, f.typ.Bits()); err == nil {
			v.SetUint(n)
		}
	case kindFloat:
		var n float64
		if n, err = strconv.ParseFloat(text, f.typ.Bits()); err == nil && (math.IsNaN(n) || math.IsInf(n, 0)) {
			err = strconv.ErrRange
		}
		if err == nil {
			v.SetFloat(n)
		}
	case kindDuration:
		var d time.Duration
		if d, err = parseDuration(text); err == nil {
			v.SetInt(int64(d))
		}
	}
	if err != nil {
		return fmt.Errorf("wants %s, not %s", f.kind.wants(), quoted(text))
	}
	return nil
}

// parseDuration reads what time.ParseDuration reads, and whole days.
func parseDuration(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(digits, 10, 16)
		return time.Duration(n) * day, err
	}
	return time.ParseDuration(text)
}

// allowed checks v against the field's list of allowed values. An optional field
// may be empty.
func (f *field) allowed(v reflect.Value) error {
	if len(f.enum) == 0 {
		return nil
	}
	texts := []string{fmt.Sprint(v)}
	if f.kind == kindStrings {
		texts = texts[:0]
		for i := range v.Len() {
			texts = append(texts, v.Index(i).String())
		}
	}
	for _, text := range texts {
		if text == "" && !f.required || slices.Contains(f.enum, text) {
			continue
		}
		return fmt.Errorf("wants %s, not %s", alternatives(f.enum), quoted(text))
	}
	return nil
}

// label is how messages call the field: as typed on a command line, or as in JSON.
func (f *field) label(cli bool) string {
	switch {
	case !cli:
		return strconv.Quote(f.json)
	case f.positional:
		return f.value()
	default:
		return "--" + f.flag
	}
}

// value is the word that stands for the field's value in usage lines.
func (f *field) value() string {
	switch {
	case f.placeholder != "":
		return f.placeholder
	case f.positional:
		return strings.ToUpper(f.flag)
	case f.kind == kindInt, f.kind == kindUint, f.kind == kindFloat:
		return "N"
	case f.kind == kindDuration:
		return "DURATION"
	case f.kind == kindMap:
		return "NAME=VALUE"
	case f.kind == kindTree:
		return "DIR"
	case f.kind == kindFile, f.kind == kindUpload:
		return "FILE"
	case len(f.enum) > 0:
		return strings.Join(f.enum, "|")
	default:
		return strings.ToUpper(f.flag)
	}
}

// quoted is text for a message: quoted, and cut where it is long.
func quoted(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return strconv.Quote(text)
}

// alternatives lists words for a message: "a, b or c".
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
