package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// within is the content if the app may store as much.
func within(tree Tree, app Object, c *Content, found Diagnostics) (*Content, Diagnostics) {
	limit := storageLimit(app.Spec)
	if limit == 0 {
		return c, found
	}
	var size int64
	for _, f := range c.Files {
		size += f.Size
	}
	if size <= limit {
		return c, found
	}
	summary := fmt.Sprintf("content has %d bytes, more than the %s (%d bytes) of limits.storage", size, FormatSize(limit), limit)
	return nil, append(slices.Clip(found), FindingAt(tree, app, "limits.storage", codeStorage, summary, "raise the limit, or take files out of the content"))
}

// storageLimit reads limits.storage of an app's canonical form, zero where there
// is none. Few apps have one; the others are not decoded.
func storageLimit(canonical json.RawMessage) int64 {
	var app App
	if !bytes.Contains(canonical, []byte(`"storage":`)) || json.Unmarshal(canonical, &app) != nil || app.Limits == nil {
		return 0
	}
	return app.Limits.Storage
}
