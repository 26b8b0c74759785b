package spec

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
)

// newObject puts a declared thing into canonical form. value is an App, an
// Edge or a Node whose defaults are filled and whose sets are sorted.
func (s Schema) newObject(addr Addr, kind Kind, value any) Object {
	text := canonical(value)
	return Object{
		Addr: addr, Kind: kind, Name: addr.Name(), Spec: text,
		Digest:    digest(string(kind), string(text)),
		Immutable: digest(string(kind), string(canonical(s.immutable(kind, text)))),
	}
}

// Digest returns what an object of this kind and canonical form has as its
// digest, so that a form that was kept can be told from a damaged one. The error
// is that of a form that is no JSON.
func Digest(kind Kind, form json.RawMessage) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(form))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return "", err
	}
	if _, err := dec.Token(); err != io.EOF {
		return "", errors.New("more than one value")
	}
	return digest(string(kind), string(encode(tree))), nil
}

// canonical is JSON with sorted keys, no space and no needless escapes: equal
// values are equal bytes.
func canonical(value any) json.RawMessage {
	text := encode(value)
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		panic(err) // it was encoded a line above
	}
	return encode(tree) // maps are encoded with their keys sorted
}

func encode(value any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(err) // canonical types hold texts, numbers, bools, lists and maps
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// immutable picks what cannot change in place, as the table says.
func (s Schema) immutable(kind Kind, text json.RawMessage) map[string]json.RawMessage {
	fixed := map[string]json.RawMessage{}
	row, _ := s.block(string(kind))
	for _, a := range row.Attributes {
		if !a.Immutable {
			continue
		}
		var all map[string]json.RawMessage
		if json.Unmarshal(text, &all) == nil && all[a.Name] != nil {
			fixed[a.Name] = all[a.Name]
		}
	}
	return fixed
}

// digest is the hex sha256 of texts, each preceded by its length so that no
// two lists of texts collide.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		size := len(p)
		h.Write([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}
