package binding_test

import (
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Keys in the words of bindings.js.
func TestKeys(t *testing.T) {
	w := open(t)
	long := strings.Repeat("\xff", 40_000)
	w.walk(t, "CACHE", []step{
		{method: "get", args: `{"key":"a"}`, want: "null"},
		{method: "put", args: `{"key":"a","text":"hi","metadata":{"x":1}}`, want: `{"version":#}`},
		{method: "get", args: `{"key":"a"}`, want: `{"text":"hi","metadata":{"x":1},"version":#}`},
		{method: "put", args: `{"key":"b"}`, body: "\x00\xff", want: `{"version":#}`},
		{method: "get", args: `{"key":"b"}`, want: `{"bytes":"AP8=","version":#}`},
		{method: "put", args: `{"key":"c"}`, body: long, want: `{"version":#}`},
		{method: "get", args: `{"key":"c"}`, want: `{"version":#}`, content: long},
		{method: "put", args: `{"key":"e","text":""}`, want: `{"version":#}`},
		{method: "get", args: `{"key":"e"}`, want: `{"text":"","version":#}`},
		{method: "getMany", args: `{"keys":["a","none","b"]}`,
			want: `{"values":[{"text":"hi","metadata":{"x":1},"version":#},null,{"bytes":"AP8=","version":#}]}`},
		{method: "list", args: `{"limit":2}`, want: `{"keys":[{"name":"a","metadata":{"x":1},"version":#},{"name":"b","version":#}],"cursor":"YgA"}`},
		{method: "list", args: `{"limit":2,"cursor":"YgA"}`, want: `{"keys":[{"name":"c","version":#},{"name":"e","version":#}]}`},
		{method: "put", args: `{"key":"t","text":"x","ttl":100}`, want: `{"version":#}`},
		{method: "list", args: `{"prefix":"t"}`, want: `{"keys":[{"name":"t","expiration":#,"version":#}]}`},
		{method: "put", args: `{"key":"p","text":"x","expiration":1}`, kind: fault.Invalid},
		{method: "put", args: `{"key":"p","text":"x","ttl":99999999999999}`, kind: fault.Invalid},
		{method: "put", args: `{"key":"","text":"x"}`, kind: fault.Invalid},
		{method: "put", args: `{"key":"p"}`, body: strings.Repeat("x", 4<<20+1), kind: fault.Invalid},
		{method: "put", args: `{"key":"p"}`, body: strings.Repeat("\xfe", 4<<20), want: `{"version":#}`},
		{method: "delete", args: `{"key":"p"}`, want: "null"},
		{method: "incr", args: `{"key":"n","by":3}`, want: "3"},
		{method: "incr", args: `{"key":"n","by":-5}`, want: "-2"},
		{method: "incr", args: `{"key":"a","by":1}`, kind: fault.Invalid},
		{method: "put", args: `{"key":"v","text":"1","version":0}`, want: `{"version":#}`},
		{method: "put", args: `{"key":"v","text":"2","version":0}`, want: "null"},
		{method: "get", args: `{"key":"v"}`, want: `{"text":"1","version":#}`},
		{method: "delete", args: `{"key":"a"}`, want: "null"},
		{method: "get", args: `{"key":"a"}`, want: "null"},
		{method: "delete", args: `{"key":"a"}`, want: "null"},
	})
}

// A user's view has the user's keys and no others.
func TestKeysOfUsers(t *testing.T) {
	w := open(t)
	w.walk(t, "CACHE", []step{
		{method: "put", args: `{"key":"k","text":"app"}`, want: `{"version":#}`},
		{method: "put", args: `{"key":"k","text":"ana","user":"ana"}`, want: `{"version":#}`},
		{method: "get", args: `{"key":"k"}`, want: `{"text":"app","version":#}`},
		{method: "get", args: `{"key":"k","user":"ana"}`, want: `{"text":"ana","version":#}`},
		{method: "get", args: `{"key":"k","user":"bo"}`, want: "null"},
		{method: "list", args: `{"user":"bo"}`, want: `{"keys":[]}`},
	})
}
