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
