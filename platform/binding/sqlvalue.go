package binding

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"

	"github.com/fazt-sh/fazt/platform/fault"
)

// param is a value for SQL as bindings.js sends it: null, a string or a number, or
// {"$b": base64} and {"$i": digits} for what JSON has no word for.
type param struct{ v any }

// UnmarshalJSON implements json.Unmarshaler.
func (p *param) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		return p.special(b)
	}
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		p.v = s
		return err
	}
	if bytes.Equal(b, []byte("null")) {
		p.v = nil
		return nil
	}
	if i, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		p.v = i
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsInf(f, 0) {
		return fault.New(fault.Invalid, "a parameter is no value of SQL")
	}
	p.v = f
	return nil
}

func (p *param) special(b []byte) error {
	var s struct {
		Bytes *[]byte `json:"$b"`
		Int   *string `json:"$i"`
	}
	if err := decode(b, &s); err != nil || (s.Bytes == nil) == (s.Int == nil) {
		return fault.New(fault.Invalid, "a parameter is no value of SQL")
	}
	if s.Bytes != nil {
		p.v = append([]byte{}, *s.Bytes...) // nil would be NULL
		return nil
	}
	i, err := strconv.ParseInt(*s.Int, 10, 64)
	if err != nil {
		return fault.New(fault.Invalid, "the parameter %s does not fit 64 bits", clip(*s.Int))
	}
	p.v = i
	return nil
}

// safeInteger is the largest integer that is a number of JavaScript's and no other.
const safeInteger = 1<<53 - 1

// appendValue appends a value of SQL as bindings.js reads it.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case int64:
		if v > safeInteger || v < -safeInteger {
			return append(strconv.AppendInt(append(b, `{"$i":"`...), v, 10), `"}`...)
		}
		return strconv.AppendInt(b, v, 10)
	case float64:
		return appendFloat(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case []byte:
		return append(base64.StdEncoding.AppendEncode(append(b, `{"$b":"`...), v), `"}`...)
	case string:
		return appendString(b, v)
	default:
		return append(b, "null"...) // SQLite has no other
	}
}

func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, `{"$n":"Infinity"}`...)
	case math.IsInf(f, -1):
		return append(b, `{"$n":"-Infinity"}`...)
	case math.IsNaN(f):
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // a string always has a form
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
