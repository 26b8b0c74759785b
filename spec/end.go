package spec

import (
	"bytes"
	"encoding/json"
)

// WithEndOf returns an app with what another says of its own end and of who may
// see it: protect, on_remove and access. So an earlier release comes back without
// taking off, or putting on, what only a commit may. It is o itself where both say
// the same.
func (o Object) WithEndOf(other Object) Object {
	mine, theirs := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if o.Kind != KindApp || json.Unmarshal(o.Spec, &mine) != nil || json.Unmarshal(other.Spec, &theirs) != nil {
		return o
	}
	differs := false
	for _, word := range []string{"protect", "on_remove", "access"} {
		if bytes.Equal(mine[word], theirs[word]) {
			continue
		}
		differs = true
		if delete(mine, word); theirs[word] != nil {
			mine[word] = theirs[word]
		}
	}
	if !differs {
		return o
	}
	o.Spec = canonical(mine)
	o.Digest = digest(string(o.Kind), string(o.Spec))
	return o
}
