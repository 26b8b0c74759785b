package op

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Screen is where answers are written for a person. It passes text on and drops
// what could command a terminal: control characters other than newline and tab,
// invalid UTF-8, text-direction overrides, and colours where Color is false. So a
// commit subject or an app's name cannot move the cursor of whoever lists it.
type Screen struct {
	Width int  // columns; 0 is unlimited
	Color bool // colours are wanted
	TTY   bool // a person is watching
	In    any  // the input of the call, for answers that are shown as it asks; may be nil

	w    io.Writer
	tail []byte // an incomplete rune or colour of the last Write
}

// NewScreen wraps w. colour is auto, always or never; getenv gives NO_COLOR,
// FORCE_COLOR, TERM and COLUMNS (nil is os.Getenv). Off a terminal the width is
// unlimited unless COLUMNS is set.
func NewScreen(w io.Writer, colour string, getenv func(string) string) *Screen {
	if getenv == nil {
		getenv = os.Getenv
	}
	s := &Screen{w: w}
	if s.TTY = IsTerminal(w); s.TTY {
		s.Width = 80
		if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && width > 0 {
			s.Width = width
		}
	}
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		s.Width = n
	}
	s.Color = Color(colour, getenv, s.TTY)
	return s
}

// Color decides whether to colour: the flag, then NO_COLOR, FORCE_COLOR and
// TERM=dumb, then whether a terminal is there.
func Color(flag string, getenv func(string) string, tty bool) bool {
	switch {
	case flag == "always":
		return true
	case flag == "never", getenv("NO_COLOR") != "":
		return false
	case getenv("FORCE_COLOR") != "" && getenv("FORCE_COLOR") != "0":
		return true
	default:
		return tty && getenv("TERM") != "dumb"
	}
}

// IsTerminal tells whether a stream is a terminal: whether somebody reads or can
// be asked there.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// AskHidden asks for a line on a terminal that does not show it.
func AskHidden(in, out *os.File, question string) ([]byte, error) {
	fmt.Fprint(out, question)
	line, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(out)
	return line, err
}

// ColorFor decides whether to colour what is written to w without a flag.
func ColorFor(w io.Writer, getenv func(string) string) bool {
	return Color("auto", getenv, IsTerminal(w))
}

// Style is a way to set text apart. Text must make sense without it.
type Style string

// The styles.
const (
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// Paint returns text in a style, or as it is where the screen has no colours.
func (s *Screen) Paint(style Style, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// Write writes p without what could command a terminal.
func (s *Screen) Write(p []byte) (int, error) {
	in := append(s.tail, p...)
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		if in[0] >= ' ' && in[0] < 0x7f || in[0] == '\n' || in[0] == '\t' {
			out = append(out, in[0])
			in = in[1:]
			continue
		}
		if n, open := colourLen(in); n > 0 || open {
			if open {
				break
			}
			if s.Color && visible(in[2:n-1]) {
				out = append(out, in[:n]...)
			}
			in = in[n:]
			continue
		}
		if !utf8.FullRune(in) {
			break
		}
		r, n := utf8.DecodeRune(in)
		out = utf8.AppendRune(out, harmless(r))
		in = in[n:]
	}
	s.tail = bytes.Clone(in)
	if _, err := s.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// colourLen returns the length of the colour sequence at the start of p, and
// whether p ends within what may become one.
func colourLen(p []byte) (n int, open bool) {
	const most = 16
	if p[0] != 0x1b {
		return 0, false
	}
	for i := 1; i < len(p) && i < most; i++ {
		switch c := p[i]; {
		case i == 1 && c != '[':
			return 0, false
		case i == 1 || c >= '0' && c <= '9' || c == ';':
		case c == 'm':
			return i + 1, false
		default:
			return 0, false
		}
	}
	return 0, len(p) < most
}

// visible tells whether the codes of a colour sequence leave text to be seen, unlike
// those that conceal it, make it black or paint its ground.
func visible(codes []byte) bool {
	for code := range bytes.SplitSeq(codes, []byte(";")) {
		switch string(code) {
		case "", "0", "1", "2", "31", "32", "33", "34", "35", "36":
		default:
			return false
		}
	}
	return true
}

// harmless replaces what changes a terminal's state or the order of text.
func harmless(r rune) rune {
	switch {
	case r < ' ' || r >= 0x7f && r < 0xa0,
		r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029:
		return utf8.RuneError
	default:
		return r
	}
}

// Printf writes formatted text.
func (s *Screen) Printf(format string, args ...any) error {
	_, err := fmt.Fprintf(s, format, args...)
	return err
}

// Column is one named column of a table.
type Column struct {
	Name  string
	Right bool // numbers: aligned to the right
	Keep  bool // dropped only when nothing else is left to drop
}

// Table writes rows under named columns, the most important column first. What
// does not fit the width loses whole columns, the last ones first; nothing wraps
// and the first column always stays. --json has all of them.
func (s *Screen) Table(columns []Column, rows [][]string) error {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = utf8.RuneCountInString(c.Name)
	}
	for _, row := range rows {
		for i := range min(len(row), len(columns)) {
			widths[i] = max(widths[i], printedWidth(row[i]))
		}
	}
	shown := s.fitting(columns, widths)
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = c.Name
	}
	var b strings.Builder
	for _, row := range append([][]string{head}, rows...) {
		writeRow(&b, columns, widths, shown, row)
	}
	_, err := io.WriteString(s, b.String())
	return err
}

const gutter = 2

// fitting returns the indexes of the columns that fit the screen.
func (s *Screen) fitting(columns []Column, widths []int) []int {
	shown := make([]int, len(columns))
	for i := range shown {
		shown[i] = i
	}
	total := func() (n int) {
		for _, i := range shown {
			n += widths[i] + gutter
		}
		return n - gutter
	}
	for _, kept := range []bool{false, true} {
		for at := len(shown) - 1; at > 0 && s.Width > 0 && total() > s.Width; at-- {
			if columns[shown[at]].Keep == kept {
				shown = slices.Delete(shown, at, at+1)
			}
		}
	}
	return shown
}

func writeRow(b *strings.Builder, columns []Column, widths, shown []int, row []string) {
	pending := 0 // spaces are written only before text, so no line ends in any
	for at, i := range shown {
		if at > 0 {
			pending += gutter
		}
		text := ""
		if i < len(row) {
			text = oneLine(row[i])
		}
		fill := widths[i] - printedWidth(text)
		if columns[i].Right {
			pending += fill
			fill = 0
		}
		if text != "" {
			b.WriteString(strings.Repeat(" ", pending))
			b.WriteString(text)
			pending = 0
		} else {
			fill = widths[i]
			if columns[i].Right {
				fill = 0
			}
		}
		pending += fill
	}
	b.WriteByte('\n')
}

// oneLine keeps a cell on its line.
func oneLine(text string) string {
	if !strings.ContainsAny(text, "\n\t\r") {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return r
	}, text)
}

// printedWidth counts the characters of text that take a column.
func printedWidth(text string) int {
	n := 0
	for len(text) > 0 {
		if text[0] == 0x1b {
			if skip, _ := colourLen([]byte(text[:min(len(text), 16)])); skip > 0 {
				text = text[skip:]
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		n++
	}
	return n
}
