package sqlite

import "strings"

// Piece is one statement of a script.
type Piece struct {
	Text string
	Line int // where it begins
}

// Split cuts a script behind the semicolons that end a statement: not those in
// strings, names, comments, or in the body of a trigger. It follows sqlite3_complete,
// which https://sqlite.org/c3ref/complete.html describes.
func Split(script string) (all []Piece) {
	var now begun
	begin := -1
	for at := 0; at < len(script); {
		end, kind := token(script, at)
		switch {
		case kind == ' ', kind == ';' && begin < 0:
		case kind == ';' && !now.inTrigger():
			all = append(all, pieceOf(script, begin, end))
			begin, now = -1, begun{}
		default:
			if begin < 0 {
				begin = at
			}
			now.add(strings.ToUpper(script[at:end]))
		}
		at = end
	}
	if begin >= 0 {
		all = append(all, pieceOf(script, begin, len(script)))
	}
	return all
}

func pieceOf(script string, begin, end int) Piece {
	return Piece{script[begin:end], 1 + strings.Count(script[:begin], "\n")}
}

// begun is what is remembered of a statement to tell whether it is a trigger's, and
// whether that has ended.
type begun struct {
	head         []string // its first tokens
	before, last string
}

func (s *begun) add(token string) {
	if len(s.head) < 4 { // EXPLAIN CREATE TEMP TRIGGER
		s.head = append(s.head, token)
	}
	s.before, s.last = s.last, token
}

// inTrigger reports whether the semicolon that comes now is inside CREATE TRIGGER
// … ; END, and remembers it.
func (s *begun) inTrigger() bool {
	var words []string
	for _, w := range s.head {
		if w != "EXPLAIN" && w != "TEMP" && w != "TEMPORARY" {
			words = append(words, w)
		}
	}
	if len(words) < 2 || words[0] != "CREATE" || words[1] != "TRIGGER" {
		return false
	}
	if s.before == ";" && s.last == "END" {
		return false
	}
	s.add(";")
	return true
}

// token returns where the token at a place ends, and what it is: ';', ' ' for space
// and comments, '?' for a parameter, '.' for anything else.
func token(s string, at int) (end int, kind byte) {
	c := s[at]
	closing := func(mark string, from int) int {
		if i := strings.Index(s[from:], mark); i >= 0 {
			return from + i + len(mark)
		}
		return len(s)
	}
	switch {
	case c == ';':
		return at + 1, ';'
	case strings.HasPrefix(s[at:], "--"):
		return closing("\n", at), ' '
	case strings.HasPrefix(s[at:], "/*"):
		return closing("*/", at+2), ' '
	case c == '\'' || c == '"' || c == '`': // a doubled quote is two strings, side by side
		return closing(string(c), at+1), '.'
	case c == '[':
		return closing("]", at+1), '.'
	case strings.ContainsRune(" \t\r\n\f", rune(c)):
		return at + 1, ' '
	case c == '?':
		for end = at + 1; end < len(s) && s[end] >= '0' && s[end] <= '9'; end++ {
		}
		return end, '?'
	case strings.IndexByte("$@:#", c) >= 0:
		return named(s, at)
	case isWord(c):
		for end = at + 1; end < len(s) && isWord(s[end]); end++ {
		}
		return end, '.'
	}
	return at + 1, '.'
}

// named returns where a parameter with a name ends: "$a", or "$a::b(c)" as Tcl has
// it, within whose brackets anything may be but space.
func named(s string, at int) (end int, kind byte) {
	kind = '.'
	for end = at + 1; end < len(s); end++ {
		switch c := s[end]; {
		case isWord(c):
			kind = '?'
		case c == '(' && kind == '?':
			for end++; end < len(s) && s[end] != ')' && strings.IndexByte(" \t\n\v\f\r", s[end]) < 0; end++ {
			}
			if end < len(s) && s[end] == ')' {
				end++
			}
			return end, kind
		case c == ':' && strings.HasPrefix(s[end:], "::"):
			end++
		default:
			return end, kind
		}
	}
	return end, kind
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}
