package spec

import (
	"bytes"
	"unicode/utf8"
)

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
