package main

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/spec"
)

// rowOf is the record of an object.
func rowOf(o spec.Object) (release.Object, error) {
	r := release.Object{Addr: string(o.Addr), Kind: string(o.Kind), Name: o.Name, Revision: o.Revision, Digest: o.Digest}
	var err error
	if o.Content != nil {
		if r.Manifest, err = plainJSON(o.Content); err != nil {
			return r, err
		}
	}
	o.Content = nil
	r.Body, err = plainJSON(o)
	return r, err
}

// plainJSON is JSON whose strings are as they are, without escapes for HTML.
func plainJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// lostRow is a record that is not what was written, and why.
type lostRow struct {
	addr spec.Addr
	err  error
	body []byte
}

// object is what a damaged record says of its app, as far as it can be believed: that no
// block declares it, and the folder of its data, if that is there and no other record
// names it.
func (l lostRow) object(there []string, others []spec.Object) spec.Object {
	var o struct {
		Data      string
		Unmanaged bool
	}
	if json.Unmarshal(l.body, &o) != nil {
		return spec.Object{Addr: l.addr}
	}
	if !slices.Contains(there, o.Data) || slices.ContainsFunc(others, func(other spec.Object) bool { return other.Data == o.Data }) {
		o.Data = ""
	}
	return spec.Object{Addr: l.addr, Data: o.Data, Unmanaged: o.Unmanaged}
}

// objectsOf reads the records of what is served. One that is damaged costs the
// others nothing.
func objectsOf(rows []release.Object) (objects []spec.Object, lost []lostRow) {
	for _, r := range rows {
		o, err := recorded(r)
		if err == nil && (string(o.Addr) != r.Addr || o.Name != r.Name) {
			err = damagedRow(r, "it is of "+string(o.Addr))
		}
		if err != nil {
			lost = append(lost, lostRow{spec.Addr(r.Addr), err, r.Body})
			continue
		}
		objects = append(objects, o)
	}
	return objects, lost
}

// objectOf reads the record of a release that is kept, with its address and name
// as they are by now: it may have moved.
func objectOf(r release.Object) (spec.Object, error) {
	o, err := recorded(r)
	o.Addr, o.Name = spec.Addr(r.Addr), r.Name
	return o, err
}

// recorded reads a record and compares it with its digest; the store has
// compared it with the row's sum, if it has one.
func recorded(r release.Object) (spec.Object, error) {
	var o spec.Object
	if r.Damaged != nil {
		return o, r.Damaged
	}
	if err := json.Unmarshal(r.Body, &o); err != nil {
		return o, damagedRow(r, err.Error())
	}
	digest, err := spec.Digest(o.Kind, o.Spec)
	switch {
	case err != nil:
		return o, damagedRow(r, err.Error())
	case digest != r.Digest || digest != o.Digest:
		return o, damagedRow(r, "it has another digest")
	case string(o.Kind) != r.Kind || o.Revision != r.Revision:
		return o, damagedRow(r, "it is of another release")
	}
	if len(r.Manifest) > 0 {
		o.Content = &spec.Content{}
		if err := json.Unmarshal(r.Manifest, o.Content); err != nil {
			return o, damagedRow(r, err.Error())
		}
	}
	return o, nil
}

func damagedRow(r release.Object, why string) error {
	return fault.New(fault.Internal, "the record of %s is damaged: %s", r.Addr, why).WithSubject(r.Addr)
}

// digestsOf finds the blobs that the record of an app's files refers to,
// those of its program among them.
func digestsOf(list []byte, visit func(blob.Digest)) error {
	var c spec.Content
	if err := json.Unmarshal(list, &c); err != nil {
		return fault.Wrap(fault.Internal, err, "a record of files is damaged")
	}
	for _, f := range c.Files {
		visit(blob.Digest(f.Blob))
	}
	for _, digest := range c.Program.Blobs() {
		visit(blob.Digest(digest))
	}
	return nil
}

// dataOf is what a recorded object keeps its data in.
func dataOf(body []byte) (string, error) {
	var o struct {
		Data string `json:"data"`
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return "", fault.Wrap(fault.Internal, err, "a record of an object is damaged")
	}
	return o.Data, nil
}
