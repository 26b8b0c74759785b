package edge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// excerptLines are shown before and after the line that is meant.
const excerptLines = 3

// excerpt shows the source at the first place of a stack that is in a program's
// source map, for developers; it is empty where none is.
func excerpt(sourceMap []byte, stack string) string {
	var m struct{ Sources, SourcesContent []string }
	if json.Unmarshal(sourceMap, &m) != nil {
		return ""
	}
	for _, at := range frame.FindAllStringSubmatch(stack, -1) {
		i := slices.Index(m.Sources, at[2])
		line, _ := strconv.Atoi(at[3])
		column, _ := strconv.Atoi(at[4])
		if i >= 0 && i < len(m.SourcesContent) {
			return around(at[2], m.SourcesContent[i], line, column)
		}
	}
	return ""
}

// around is a line of a text among its neighbours, with a caret below a column.
func around(name, text string, line, column int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d\n", name, line, column)
	last := min(len(lines), line+excerptLines)
	width := len(strconv.Itoa(last))
	for n := max(1, line-excerptLines); n <= last; n++ {
		mark, code := " ", strings.ReplaceAll(strings.TrimRight(lines[n-1], "\r"), "\t", "  ")
		if len(code) > longCode {
			return "" // minified: it would say nothing
		}
		if n == line {
			mark = ">"
		}
		fmt.Fprintf(&b, "%s %*d | %s\n", mark, width, n, code)
		if n == line && column > 0 && column <= len(lines[n-1]) {
			before := strings.ReplaceAll(lines[n-1][:column-1], "\t", "  ")
			fmt.Fprintf(&b, "  %*s | %s^\n", width, "", strings.Repeat(" ", len([]rune(before))))
		}
	}
	return b.String()
}

// longCode is the longest line that anybody wrote by hand.
const longCode = 400
