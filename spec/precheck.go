package spec

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The parsers of HCL and JSON recurse without a limit: 62 KB of nothing but
// opening brackets overflow Go's stack, which ends the process and cannot be
// recovered from. What follows looks at the bytes first, in one pass and
// without recursion, and refuses what nests deeper than anybody writes.
const (
	maxFileSize = 1 << 20 // bytes of one configuration file
	maxNesting  = 64      // levels of the parser's recursion
	maxSteps    = 1000    // operators and accesses in one expression: the evaluator recurses over those
)

// The codes that the pre-check reports.
const (
	codeNotText        = "F1011"
	codeNul            = "F1012"
	codeOpenComment    = "F1013"
	codeMarker         = "F1014"
	codePrepend        = "F1015"
	codeFileSize       = "F3011"
	codeNesting        = "F3012"
	codeLongExpression = "F3013"
)

// precheck looks at a configuration file before a parser does. It returns nil
// if the parser may have it, and otherwise the first fault with its place: not
// UTF-8, a zero byte, over 1 MiB, nested over 64 levels deep, or an expression
// of more than 1,000 operators. Files whose name ends in .json are read as
// JSON, others as HCL. The work is linear in the size of the file.
func precheck(filename string, src []byte) *Diagnostic {
	if f := checkText(src); f != nil {
		return f.diagnostic(filename, src)
	}
	if strings.HasSuffix(strings.ToLower(filename), ".json") {
		return checkJSON(src).diagnostic(filename, src)
	}
	return scan(src, false).diagnostic(filename, src)
}

// precheckTemplate is precheck for text that is parsed as a template, such as a
// file given to templatefile.
func precheckTemplate(filename string, src []byte) *Diagnostic {
	if f := checkText(src); f != nil {
		return f.diagnostic(filename, src)
	}
	return scan(src, true).diagnostic(filename, src)
}

// fault is a refusal at an offset.
type fault struct {
	at                    int
	code, summary, detail string
}

func (f *fault) diagnostic(filename string, src []byte) *Diagnostic {
	if f == nil {
		return nil
	}
	start := positionOf(src, f.at)
	end := start
	if f.at < len(src) && src[f.at] != '\n' {
		_, size := utf8.DecodeRune(src[f.at:])
		end.Byte += size
		end.Column++
	}
	at := Range{Filename: filename, Start: start, End: end}
	return &Diagnostic{
		Severity: Error, Code: f.code, Summary: f.summary, Detail: f.detail,
		Range: &at, Snippet: snippet(src, at),
	}
}

// positionOf counts lines and characters up to an offset.
func positionOf(src []byte, at int) Pos {
	before := src[:at]
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return Pos{
		Line:   bytes.Count(before, []byte("\n")) + 1,
		Column: utf8.RuneCount(before[lineStart:]) + 1,
		Byte:   at,
	}
}

// checkText refuses what is not a text file of a reasonable size.
func checkText(src []byte) *fault {
	if len(src) > maxFileSize {
		return &fault{maxFileSize, codeFileSize, fmt.Sprintf("file of %d bytes is over the limit of 1 MiB", len(src)),
			"split it: all configuration files form one configuration, whatever their names"}
	}
	if at := bytes.IndexByte(src, 0); at >= 0 {
		return &fault{at, codeNul, "zero byte in a configuration file",
			"save it as UTF-8; a zero byte is a sign of UTF-16 or of a binary file"}
	}
	if at := invalidUTF8(src); at >= 0 {
		return &fault{at, codeNotText, fmt.Sprintf("byte 0x%02x is not UTF-8", src[at]), "save the file as UTF-8"}
	}
	return nil
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
}
