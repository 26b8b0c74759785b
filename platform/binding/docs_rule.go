package binding

import (
	"bytes"
	"encoding/json"

	"github.com/fazt-sh/fazt/platform/rule"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// guard is what the rules let whoever makes a request do with the documents. Behind a
// schedule or a queue there is nobody.
func (d Docs) guard(i script.Info) storage.Guard {
	var asked rule.Asked
	if i.Person != nil {
		asked = rule.Asked{User: userOf(i.Person.Auth(i.App)), Can: i.Person.Can}
	}
	allows := func(action string) func(storage.Doc) bool {
		r := d.Rules[action]
		if r == nil {
			return nil // which lets nothing through
		}
		return func(doc storage.Doc) bool {
			about := asked
			about.Doc = plainOf(whole(doc))
			return about.Doc != nil && r.Allows(about)
		}
	}
	return storage.Guard{Read: allows("read"), Create: allows("create"), Update: allows("update"), Delete: allows("delete")}
}

// userOf is the person as rules know them: what ctx.auth.user() has.
func userOf(auth string) map[string]any {
	user, _ := plainOf([]byte(auth))["user"].(map[string]any)
	return user
}

// plainOf reads a JSON object, nil where it is none. Numbers stay as they are written.
func plainOf(text []byte) map[string]any {
	var v map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}
