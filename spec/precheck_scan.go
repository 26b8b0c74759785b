package spec

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// region is what a byte is read as.
type region byte

const (
	inCode    region = iota // a file, or the expression in a JSON string
	inParen                 // ( )
	inBracket               // [ ]
	inBrace                 // { }: a block's body or an object
	inInterp                // ${ } of a template
	inControl               // %{ } of a template
	inQuoted                // " "
	inHeredoc               // <<MARKER
	inBare                  // a template that is a whole text
)

// template tells whether bytes are literal text until a sequence begins.
func (r region) template() bool { return r >= inQuoted }

// frame is one open region with what its part of the text adds to the parser's
// recursion. Pending operators count, as the parser is still inside of them.
type frame struct {
	region  region
	operand bool // the token before is a value, so that - is a subtraction
	unary   int  // ! and - in a row
	conds   int  // ? in this expression
	splats  int  // [*] in this expression
	steps   int  // operators, dots and indexes in this expression

	tokens    int    // seen in the region, for the two below
	splat     bool   // inBracket: the first token is *
	loop      bool   // inBrace: the first token is for, so that line ends mean nothing
	directive string // inControl: if, for, endif, endfor; empty for all else

	marker    []byte // inHeredoc: what ends it
	lineStart bool   // inHeredoc: at the start of a line
	open      int    // templates: directives that are open
	kinds     uint64 // templates: their kinds, one bit each, 1 = if; there are at most maxNesting
}

// scanner walks over HCL text as the language's own scanner does, but keeps
// only the open regions. Where the two could differ it counts too much rather
// than too little.
type scanner struct {
	src       []byte
	pos       int
	frames    []frame // the first is the text itself; never longer than twice maxNesting and a bit
	depth     int     // of all frames together
	noComment bool    // there is no further */ in the text
}

// scan checks HCL text, or a bare template.
func scan(src []byte, template bool) *fault {
	s := newScanner(src, template)
	for s.pos < len(s.src) {
		if f := s.step(); f != nil {
			return f
		}
	}
	return nil
}

func newScanner(src []byte, template bool) *scanner {
	s := &scanner{src: src, frames: make([]frame, 1, 8)}
	if template {
		s.frames[0] = frame{region: inBare}
	}
	return s
}

// step reads one token, or one piece of literal text.
func (s *scanner) step() *fault {
	switch s.top().region {
	case inQuoted:
		return s.quoted()
	case inHeredoc:
		return s.heredoc()
	case inBare:
		return s.literal()
	default:
		return s.code()
	}
}

func (s *scanner) top() *frame { return &s.frames[len(s.frames)-1] }

func (s *scanner) peek(n int) byte {
	if s.pos+n < len(s.src) {
		return s.src[s.pos+n]
	}
	return 0
}

// push opens a region; literal text adds no depth of its own, as it can only be
// nested by what stands between.
func (s *scanner) push(f frame, size int) *fault {
	if !f.region.template() {
		if tooDeep := s.deepen(1); tooDeep != nil {
			return tooDeep
		}
	}
	s.frames = append(s.frames, f)
	s.pos += size
	return nil
}

// deepen adds to the depth and refuses when it is too much.
func (s *scanner) deepen(n int) *fault {
	s.depth += n
	if s.depth <= maxNesting {
		return nil
	}
	return &fault{s.pos, codeNesting, fmt.Sprintf("nested more than %d levels deep", maxNesting),
		"brackets, blocks, templates and chains of !, - and ?: count together; take a part out into locals"}
}

// pop closes the innermost region and takes back what it added.
func (s *scanner) pop() {
	f := s.top()
	s.depth -= f.unary + f.conds + f.splats + f.open
	if !f.region.template() {
		s.depth--
	}
	s.frames = s.frames[:len(s.frames)-1]
}

// code reads one token of an expression or a body.
func (s *scanner) code() *fault {
	c := s.src[s.pos]
	switch {
	case c == '\n':
		s.newline()
		return nil
	case c == ' ' || c == '\t' || c == '\r':
		s.pos++
		return nil
	case c == '#', c == '/' && s.peek(1) == '/':
		s.line()
		return nil
	case c == '/' && s.peek(1) == '*':
		return s.comment()
	}
	s.top().tokens++
	switch {
	case c == '"':
		s.value()
		return s.push(frame{region: inQuoted}, 1)
	case c == '<' && s.peek(1) == '<':
		return s.marker()
	case c == '(' || c == '[' || c == '{':
		return s.open(c)
	case c == ')':
		s.close(inParen)
	case c == ']':
		s.close(inBracket)
	case c == '}':
		s.closeBrace(1)
	case c == '~' && s.peek(1) == '}':
		s.closeBrace(2)
	case isLetter(c):
		s.word()
	case isDigit(c):
		s.number()
	case c >= utf8.RuneSelf:
		s.value()
		s.pos++
	default:
		return s.operator(c)
	}
	return nil
}

// value notes that a value was read.
func (s *scanner) value() { s.top().operand = true }

// newline ends an expression in a body or an object. The pending operators stay
// counted until the next = or comma: only those end an expression everywhere.
func (s *scanner) newline() {
	s.pos++
	if f := s.top(); f.region == inCode || (f.region == inBrace && !f.loop) {
		f.steps = 0
	}
}

// line skips a comment to the end of the line.
func (s *scanner) line() {
	if n := bytes.IndexByte(s.src[s.pos:], '\n'); n >= 0 {
		s.pos += n + 1
		return
	}
	s.pos = len(s.src)
}

// comment skips a comment in /* */. One that never ends is refused here, as the
// parser's scanner would look for the end again and again.
func (s *scanner) comment() *fault {
	n := -1
	if !s.noComment {
		n = bytes.Index(s.src[s.pos+2:], []byte("*/"))
	}
	if n < 0 {
		s.noComment = true
		return &fault{s.pos, codeOpenComment, "comment is never closed", "end it with */"}
	}
	s.pos += 2 + n + 2
	return nil
}

// marker begins a heredoc, if this is one.
func (s *scanner) marker() *fault {
	i := s.pos + 2
	if i < len(s.src) && s.src[i] == '-' {
		i++
	}
	from := i
	for i < len(s.src) && isWordByte(s.src[i]) {
		i++
	}
	to := i
	if i < len(s.src) && s.src[i] >= utf8.RuneSelf {
		return &fault{i, codeMarker, "heredoc marker is not plain ASCII", "use letters such as EOT"}
	}
	if i < len(s.src) && s.src[i] == '\r' {
		i++
	}
	if from == to || !isLetter(s.src[from]) || i >= len(s.src) || s.src[i] != '\n' {
		return s.operator('<')
	}
	s.value()
	return s.push(frame{region: inHeredoc, marker: s.src[from:to], lineStart: true}, i+1-s.pos)
}

// open begins a bracket.
func (s *scanner) open(c byte) *fault {
	f := frame{region: inParen}
	switch c {
	case '{':
		f.region = inBrace
	case '[':
		f.region = inBracket
		if s.top().operand { // an index
			if long := s.count(); long != nil {
				return long
			}
		}
	}
	s.value()
	return s.push(f, 1)
}

// close ends a round or square bracket. One that does not fit what is open ends
// nothing, as the parser does not go on there either.
func (s *scanner) close(r region) {
	s.pos++
	f := s.top()
	if f.region != r {
		return
	}
	splat := f.splat && f.tokens == 2
	s.pop()
	s.value()
	if splat {
		s.top().splats++
		s.depth++ // takes the place of the bracket
	}
}

// closeBrace ends the innermost brace or template sequence, and the brackets
// that were forgotten inside of it.
func (s *scanner) closeBrace(size int) {
	s.pos += size
	for i := len(s.frames) - 1; i > 0; i-- {
		switch s.frames[i].region {
		case inParen, inBracket:
			continue
		case inBrace, inInterp, inControl:
			for len(s.frames) > i {
				s.end()
			}
			s.value()
		}
		return
	}
}

// end pops a frame and carries a directive over to the template it stands in.
func (s *scanner) end() {
	f := *s.top()
	s.pop()
	t := s.top()
	if f.region != inControl || f.tokens != 2 || t.open == 0 {
		return
	}
	innermostIsIf := t.kinds&1 == 1
	if (f.directive == "endif" && innermostIsIf) || (f.directive == "endfor" && !innermostIsIf) {
		t.kinds >>= 1
		t.open--
		s.depth--
	}
}

// word reads a name, a keyword or the start of a directive.
func (s *scanner) word() {
	from := s.pos
	for isLetter(s.peek(0)) || isDigit(s.peek(0)) || (s.peek(0) == '-' && s.peek(1) != '-') {
		s.pos++
	}
	f := s.top()
	f.operand = true
	if f.tokens != 1 || s.peek(0) >= utf8.RuneSelf {
		return
	}
	f.loop = f.region == inBrace && string(s.src[from:s.pos]) == "for"
	if f.region != inControl {
		return
	}
	switch f.directive = string(s.src[from:s.pos]); f.directive {
	case "if", "for":
		s.directive(f.directive == "if")
	}
}

// directive notes that the template around a %{ has one more open.
func (s *scanner) directive(isIf bool) {
	t := &s.frames[len(s.frames)-2]
	t.open++
	s.depth++ // refused at the next opening, if it is too much
	t.kinds <<= 1
	if isIf {
		t.kinds |= 1
	}
}

// number reads digits, dots between them, and exponents, whose sign is no
// operator.
func (s *scanner) number() {
	s.value()
	for {
		dots := 0
		for s.peek(dots) == '.' {
			dots++
		}
		switch n := s.digits(dots); {
		case n > 0:
			s.pos += dots + n
		default:
			return
		}
	}
}

// digits returns the length of a digit, or of an exponent up to its first
// digit, that begins ahead bytes from here; 0 if there is none.
func (s *scanner) digits(ahead int) int {
	c := s.peek(ahead)
	if isDigit(c) {
		return 1
	}
	if c != 'e' && c != 'E' {
		return 0
	}
	sign := s.peek(ahead + 1)
	if isDigit(sign) {
		return 2
	}
	if (sign == '+' || sign == '-') && isDigit(s.peek(ahead+2)) {
		return 3
	}
	return 0
}

// operator reads everything else.
func (s *scanner) operator(c byte) *fault {
	next := s.peek(1)
	switch {
	case c == '=' && next == '=', c == '!' && next == '=', c == '<' && next == '=', c == '>' && next == '=',
		c == '&' && next == '&', c == '|' && next == '|':
		return s.binary(2)
	case c == '=' && next == '>', c == ':' && next == ':':
		s.settle(0)
		s.pos += 2
		return nil
	case c == '=' || c == ',':
		s.restart()
	case c == ':':
		s.settle(0)
	case c == '?':
		s.settle(0)
		s.top().conds++
		return s.advance(s.deepen(1))
	case c == '!', c == '-' && !s.top().operand:
		s.top().unary++
		return s.advance(s.deepen(1))
	default:
		if f := s.top(); c == '*' && f.region == inBracket && f.tokens == 1 {
			f.splat = true
		}
		return s.binary(1)
	}
	s.pos++
	return nil
}

// advance steps over one byte unless there is a fault.
func (s *scanner) advance(f *fault) *fault {
	if f == nil {
		s.pos++
	}
	return f
}

// binary reads an operator that stands between two values.
func (s *scanner) binary(size int) *fault {
	s.settle(0)
	if f := s.count(); f != nil {
		return f
	}
	s.pos += size
	return nil
}

// count adds a step to the expression.
func (s *scanner) count() *fault {
	f := s.top()
	if f.steps++; f.steps <= maxSteps {
		return nil
	}
	return &fault{s.pos, codeLongExpression, fmt.Sprintf("expression of more than %d operators", maxSteps),
		"write a list and use join, sum or flatten, or take a part out into locals"}
}

// settle ends a row of unary operators: what they apply to has been read.
func (s *scanner) settle(conds int) {
	f := s.top()
	s.depth -= f.unary + conds
	f.unary, f.operand = 0, false
}

// restart begins a new expression: after = and , the parser has left the one
// before.
func (s *scanner) restart() {
	f := s.top()
	s.settle(f.conds + f.splats)
	f.conds, f.splats, f.steps = 0, 0, 0
}

// quoted reads on in a string.
func (s *scanner) quoted() *fault {
	switch s.src[s.pos] {
	case '"':
		s.pos++
		s.pop()
		return nil
	case '\\':
		if next := s.peek(1); next != '\n' && next != '\r' {
			s.pos++
		}
		s.pos++
		return nil
	}
	return s.literal()
}

// heredoc reads on in a heredoc, which ends at a line with nothing but its
// marker.
func (s *scanner) heredoc() *fault {
	f := s.top()
	if f.lineStart {
		f.lineStart = false
		n := bytes.IndexByte(s.src[s.pos:], '\n')
		if n >= 0 && bytes.Equal(bytes.TrimSpace(s.src[s.pos:s.pos+n]), f.marker) {
			s.pos += n
			s.pop()
			return nil
		}
	}
	f.lineStart = s.src[s.pos] == '\n'
	return s.literal()
}

// literal reads on in the text of a template up to the next sequence: ${ and %{
// begin one, $${ and %%{ do not.
func (s *scanner) literal() *fault {
	c := s.src[s.pos]
	if c != '$' && c != '%' {
		s.pos++
		return nil
	}
	switch {
	case s.peek(1) == c && s.peek(2) == '{':
		s.pos += 3
	case s.peek(1) == '{':
		return s.sequence(c)
	default:
		s.pos++
	}
	return nil
}

// sequence begins ${ or %{, with the ~ that may follow.
func (s *scanner) sequence(c byte) *fault {
	f := frame{region: inInterp}
	if c == '%' {
		f.region = inControl
	}
	size := 2
	if s.peek(2) == '~' {
		size = 3
	}
	return s.push(f, size)
}

func isLetter(c byte) bool {
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' }
