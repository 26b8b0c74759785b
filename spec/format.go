package spec

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

// maxFormats is how often the formatter may change its own output. Almost all
// text is stable after the first time.
const maxFormats = 8

// Format returns a configuration file in the canonical layout: two spaces of
// indent, equals signs of neighbouring arguments in one column, one line end at
// the end. Only spaces change, never what the file says, and formatting the
// result changes nothing. A file with syntax errors is returned as it is with
// the errors; so are files of the JSON form, without any.
func Format(filename string, src []byte) ([]byte, Diagnostics) {
	if d := precheck(filename, src); d != nil {
		return src, Diagnostics{*d}
	}
	_, found := parse(filename, src)
	if found.HasErrors() {
		return src, (&file{path: filename, src: src}).syntax(found)
	}
	if strings.HasSuffix(strings.ToLower(filename), ".json") {
		return src, nil
	}
	return settled(src), nil
}

// settled formats until nothing changes any more.
func settled(src []byte) []byte {
	out := src
	for range maxFormats {
		next := layout(out)
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	return out
}

// layout formats once.
func layout(src []byte) []byte {
	out := bytes.TrimRight(hclwrite.Format(src), " \t\r\n")
	if len(out) == 0 {
		return nil
	}
	return append(out, '\n')
}
