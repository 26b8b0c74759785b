package plan

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// hosts returns the host names an object answers at.
func hosts(o spec.Object) []string {
	if o.Kind != spec.KindApp {
		return nil
	}
	var app struct {
		Hosts []string `json:"hosts"`
	}
	if json.Unmarshal(o.Spec, &app) != nil {
		return nil
	}
	return app.Hosts
}

// block returns the address without its for_each key: app.site["docs"] is of
// the block app.site.
func block(addr spec.Addr) spec.Addr {
	name, _, _ := strings.Cut(string(addr), "[")
	return spec.Addr(name)
}

// sorted returns the objects by address, without touching the list it is given.
func sorted(objects []spec.Object) []spec.Object {
	byAddr := func(a, b spec.Object) int { return strings.Compare(string(a.Addr), string(b.Addr)) }
	if slices.IsSortedFunc(objects, byAddr) {
		return objects
	}
	objects = slices.Clone(objects)
	slices.SortStableFunc(objects, byAddr)
	return objects
}
