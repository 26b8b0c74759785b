package spec

import (
	"encoding/json"
	"errors"
	"fmt"
)

// As returns an app under another name, answering at one host, as it stands beside
// the first: in no file, neither protected nor with a word on its end, and without the
// attributes and blocks that are named. The error is that of a name or host that
// cannot be one, or of an object that is no app.
func (o Object) As(name, host string, without ...string) (Object, error) {
	form := map[string]json.RawMessage{}
	if o.Kind != KindApp || json.Unmarshal(o.Spec, &form) != nil {
		return o, errors.New(string(o.Addr) + " is no app")
	}
	if !validName(name) {
		return o, fmt.Errorf("%q cannot be the name of an app: %s", name, nameHelp)
	}
	host, err := ParseHost(host)
	if err != nil {
		return o, err
	}
	form["hosts"] = canonical([]string{host})
	for _, word := range append(without, "protect", "on_remove") {
		delete(form, word)
	}
	o.Addr, o.Name, o.Range, o.At = appAddr(name, ""), name, Range{}, nil
	o.Spec = canonical(form)
	o.Digest = digest(string(o.Kind), string(o.Spec))
	return o, nil
}
