package script

import (
	"encoding/json"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// trace maps places in a program's code to the developer's files, as its source
// map (version 3) says.
type trace struct {
	name string
	once sync.Once // decodes, for the first exception
	raw  []byte
	from []string    // files
	line [][]segment // by line of the code
}

// segment says where the code from a column on comes from.
type segment struct{ column, file, line, at int }

func newTrace(name string, sourceMap []byte) *trace { return &trace{name: name, raw: sourceMap} }

var (
	place  = regexp.MustCompile(regexp.QuoteMeta(evalName) + `:(\d+):(\d+)`)
	native = regexp.MustCompile(`(?m)(^ *at [^\n]*\(native\)\n)+(\n|$)`)
)

// carrier is the module that keeps the context of async functions: it stands between
// all that a program with it calls.
const carrier = "node:async_hooks:"

// mapped replaces the places in a text, a stack or a line that was logged. Lines of a
// stack that are this package's own are left out, and so is what the bundler has put
// between the lines of an app, with the engine's functions that it calls.
func (t *trace) mapped(text string) string {
	if !strings.Contains(text, evalName) {
		return text
	}
	t.once.Do(t.decode)
	var b strings.Builder
	natives := "" // that may be called by what is left out
	for line := range strings.Lines(text) {
		if isNative(line) {
			natives += line
			continue
		}
		l, from := t.places(line)
		if from != fromBundler {
			b.WriteString(natives)
		}
		if natives = ""; from == fromApp {
			b.WriteString(l)
		}
	}
	b.WriteString(natives)
	said := native.ReplaceAllString(b.String(), "$2")
	if !strings.HasSuffix(text, "\n") {
		said = strings.TrimSuffix(said, "\n") // of the line before those left out
	}
	return said
}

func isNative(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "at ") && strings.HasSuffix(line, "(native)")
}

// origin is whose a line of a stack is.
type origin byte

const (
	fromApp origin = iota
	fromUs
	fromBundler
)

// places maps what a line names, and tells whose it is.
func (t *trace) places(line string) (string, origin) {
	from, frame := fromApp, strings.HasPrefix(strings.TrimSpace(line), "at ")
	line = place.ReplaceAllStringFunc(line, func(s string) string {
		m := place.FindStringSubmatch(s)
		l, _ := strconv.Atoi(m[1])
		c, _ := strconv.Atoi(m[2])
		at := t.place(l, c)
		switch {
		case l >= hiddenLines:
			from = fromUs
		case frame && (t.made(l) || strings.HasPrefix(at, carrier)):
			from = fromBundler
		}
		return at
	})
	return line, from
}

// made tells whether a line of the code comes from no file: the bundler has written it.
func (t *trace) made(line int) bool {
	return line > 0 && line <= len(t.line) && len(t.line[line-1]) == 0
}

// place is where a place of the code, counted from one, comes from.
func (t *trace) place(line, column int) string {
	if line > 0 && line <= len(t.line) {
		segments := t.line[line-1]
		i := sort.Search(len(segments), func(i int) bool { return segments[i].column >= column })
		if i > 0 && segments[i-1].file < len(t.from) {
			s := segments[i-1]
			return t.from[s.file] + ":" + strconv.Itoa(s.line+1) + ":" + strconv.Itoa(s.at+1)
		}
	}
	return t.name + ":" + strconv.Itoa(line) + ":" + strconv.Itoa(column)
}

// decode reads the map. One that cannot be read maps nothing.
func (t *trace) decode() {
	var m struct {
		Version  int
		Sources  []string
		Mappings string
	}
	if len(t.raw) == 0 || json.Unmarshal(t.raw, &m) != nil || m.Version != 3 {
		return
	}
	t.from = m.Sources
	var s segment
	for line := range strings.SplitSeq(m.Mappings, ";") {
		s.column = 0
		segments, ok := s.line3(line)
		if !ok {
			return
		}
		t.line = append(t.line, segments)
	}
}

// line3 decodes the segments of a line. Each number is a difference to the last,
// which s keeps.
func (s *segment) line3(text string) (segments []segment, ok bool) {
	if text == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(text, ",") {
		var fields [5]int
		n, ok := vlq(part, &fields)
		if !ok || n != 1 && n < 4 {
			return nil, false
		}
		s.column += fields[0]
		s.file, s.line, s.at = s.file+fields[1], s.line+fields[2], s.at+fields[3]
		if s.column < 0 || s.file < 0 || s.line < 0 || s.at < 0 {
			return nil, false
		}
		if n >= 4 {
			segments = append(segments, *s)
		}
	}
	if !slices.IsSortedFunc(segments, func(a, b segment) int { return a.column - b.column }) {
		return nil, false
	}
	return segments, true
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// vlq decodes up to five numbers in base64 VLQ: five bits a digit, the lowest
// first, the sixth says that more follow; the lowest bit of a number is its sign.
func vlq(text string, to *[5]int) (n int, ok bool) {
	value, shift := 0, 0
	for _, c := range []byte(text) {
		d := strings.IndexByte(base64Digits, c)
		if d < 0 || shift > 30 || n == len(to) {
			return 0, false
		}
		value |= d & 31 << shift
		if shift += 5; d >= 32 {
			continue
		}
		if to[n] = value >> 1; value&1 != 0 {
			to[n] = -to[n]
		}
		n++
		value, shift = 0, 0
	}
	return n, shift == 0 && n > 0
}
