package storage

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
)

// checkJSON refuses what is no JSON, too long, or nested deeper than 64, before
// anything recursive reads it.
func checkJSON(what string, b []byte, most int) error {
	switch {
	case len(b) > most:
		return fault.New(fault.Invalid, "%s has %d bytes, %d are the most", what, len(b), most)
	case !utf8.Valid(b):
		return fault.New(fault.Invalid, "%s is not UTF-8", what)
	case depth(b) > maxDepth:
		return fault.New(fault.Invalid, "%s is nested deeper than %d", what, maxDepth)
	case !json.Valid(b):
		return fault.New(fault.Invalid, "%s is not JSON", what)
	}
	return nil
}

// depth returns how deep arrays and objects are nested.
func depth(b []byte) (deepest int) {
	now, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// parseObject reads an object's members. Of a name that is there twice, the last
// value is taken.
func parseObject(b []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fault.New(fault.Invalid, "%s is not an object", excerpt(b))
	}
	var o object
	at := map[string]int{} // a map of Go's, as its hash has a seed: names are not ours
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "read an object")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "read %q", name)
		}
		if i, twice := at[name.(string)]; twice {
			o[i].value = value
			continue
		}
		at[name.(string)] = len(o)
		o = append(o, member{name.(string), value})
	}
	return o, nil
}

func isObject(b json.RawMessage) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}

func isArray(b json.RawMessage) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '['
}

func (o object) find(name string) int {
	for i := range o {
		if o[i].name == name {
			return i
		}
	}
	return -1
}

// get returns a member's value, nil if there is none.
func (o object) get(name string) json.RawMessage {
	if i := o.find(name); i >= 0 {
		return o[i].value
	}
	return nil
}

// set replaces a member where it is, or adds it at the end.
func (o *object) set(name string, value json.RawMessage) {
	if i := o.find(name); i >= 0 {
		(*o)[i].value = value
		return
	}
	*o = append(*o, member{name, value})
}

func (o *object) remove(name string) {
	if i := o.find(name); i >= 0 {
		*o = append((*o)[:i:i], (*o)[i+1:]...)
	}
}

func (o object) bytes() json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quote(m.name))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// quote returns a string as JSON, with < and > as they are.
func quote(s string) []byte {
	if plain(s) {
		return append(append(append(make([]byte, 0, len(s)+2), '"'), s...), '"')
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string has a form
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// compact returns JSON without the space around its parts.
func compact(b json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return b
	}
	return out.Bytes()
}

// excerpt shows the begin of what was not understood.
func excerpt(b []byte) string {
	const most = 40
	if len(b) > most {
		return string(bytes.ToValidUTF8(b[:most], nil)) + "…"
	}
	return string(b)
}
