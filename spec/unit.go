package spec

import (
	"bytes"
	"encoding/json"
)

// Unit is what one file of apps yielded, with everything it depends on.
type Unit struct {
	File      string               `json:"file"`
	ID        string               `json:"id"`                // git blob id; empty where the file holds shared things too: it is read each time
	Shared    string               `json:"shared"`            // digest of everything all apps share
	Size      int                  `json:"size"`              // bytes of the file
	Reads     map[string]string    `json:"reads,omitempty"`   // what its file functions read: path to git id
	Apps      []string             `json:"apps,omitempty"`    // labels of the apps its expressions name
	Secrets   []string             `json:"secrets,omitempty"` // names of the secrets its expressions name, those of apps of other nodes too
	Blocks    []AppBlock           `json:"blocks"`            // its app blocks in their order, stalled and foreign ones too
	Objects   []Object             `json:"objects,omitempty"`
	Stalled   map[Addr]Diagnostics `json:"stalled,omitempty"`
	Elsewhere []Addr               `json:"elsewhere,omitempty"`
	Warnings  Diagnostics          `json:"warnings,omitempty"`

	uses []uses // of each of Objects: decoded once, by the Assembly
}

// AppBlock is an app block and its place.
type AppBlock struct {
	Addr  Addr  `json:"addr"`  // of the block, without a for_each key
	Range Range `json:"range"` // of its label
}

// uses are what an app claims and what it needs to be there.
type uses struct {
	hosts    []string // that it claims: none while it is not enabled
	services []Service
	secrets  []string
}

// withUses is the unit with what its apps use decoded.
func (u *Unit) withUses() *Unit {
	if len(u.uses) == len(u.Objects) {
		return u
	}
	c := *u
	c.uses = make([]uses, len(u.Objects))
	for i, o := range u.Objects {
		c.uses[i] = usesOf(o)
	}
	return &c
}

func usesOf(o Object) uses {
	var a struct {
		Hosts    []string `json:"hosts"`
		Disabled bool     `json:"disabled"`
	}
	if json.Unmarshal(o.Spec, &a) != nil {
		return uses{}
	}
	u := uses{hosts: a.Hosts}
	if a.Disabled {
		u.hosts = nil
	}
	var app App
	if bytes.Contains(o.Spec, []byte(`"runtime":`)) && json.Unmarshal(o.Spec, &app) == nil { // few have one
		u.services, u.secrets = app.Services, app.Secrets()
	}
	return u
}

// blockRange is the place of the label that an address comes from.
func (u *Unit) blockRange(addr Addr) Range {
	for _, b := range u.Blocks {
		if b.Addr.Covers(addr) {
			return b.Range
		}
	}
	return Range{Filename: u.File}
}

// labels are the names of the unit's app blocks.
func (u *Unit) labels() []string {
	list := make([]string, len(u.Blocks))
	for i, b := range u.Blocks {
		list[i] = b.Addr.Name()
	}
	return list
}
