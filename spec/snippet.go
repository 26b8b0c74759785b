package spec

import (
	"bytes"
	"regexp"
	"slices"
	"unicode/utf8"
)

// longLine is how many bytes of a source line a snippet keeps.
const longLine = 240

// snippet cuts the line that a range begins on out of a file's text, and marks
// the range in it as far as the line goes. Of a very long line only the part
// around the range is kept. The result is nil if the range lies outside of the
// text. Context is left to the caller, who knows the enclosing block.
func snippet(src []byte, r Range) *Snippet {
	at, end := r.Start.Byte, max(r.End.Byte, r.Start.Byte)
	if len(src) == 0 || at < 0 || at > len(src) || r.Start.Line < 1 {
		return nil
	}
	first, last := lineBounds(src, at)
	at, end = min(at, last), min(end, last)
	if last-first > longLine {
		first, last = window(src, first, last, at)
		end = min(end, last)
	}
	return &Snippet{
		Code:      legible(veiled(src, first, last)),
		StartLine: r.Start.Line,
		Start:     at - first,
		End:       end - first,
	}
}

// Envelopes in a text: what age() is given, what begins as age files in base64
// do, and armour; and what stands bare where one should be. Somebody's plain
// secret may stand there by mistake.
var (
	bareValue     = regexp.MustCompile(`\bsecret[ \t]+"?[\w-]+"?[ \t]*\{[^{}]*?\bvalue[ \t]*=[ \t]*([^\n]*)|"value"[ \t]*:[ \t]*("[^\n]*)`)
	argumentOfAge = regexp.MustCompile(`\bage\(\s*(?:"(?:[^"\\\n]|\\.)*|\\"(?:[^"\\\n]|\\[^"])*|<<-?[^\n]*\n(?s:.*?)\n\s*\))`)
	valueOfSecret = regexp.MustCompile(`YWdlLWVuY3J5cHRpb24ub3JnL3YxC[A-Za-z0-9+/=]*`)
	privateKey    = regexp.MustCompile(`AGE-SECRET-KEY-[0-9A-Z-]*`)
	armour        = regexp.MustCompile(`(?s)-----BEGIN AGE.*?(?:-----END AGE|\z)`)
)

// veiled is a part of a text with stars in the place of envelopes.
func veiled(src []byte, first, last int) []byte {
	part := src[first:last]
	if !bytes.Contains(src, []byte("secret")) && !bytes.Contains(src, []byte("age(")) && !bytes.Contains(src, []byte("age-enc")) && !bytes.Contains(src, []byte("YWdl")) && !bytes.Contains(src, []byte("BEGIN AGE")) && !bytes.Contains(src, []byte("AGE-SECRET")) {
		return part
	}
	part = slices.Clone(part)
	star := func(from, to int) {
		for i := max(from, first); i < min(to, last); i++ {
			if !bytes.ContainsRune([]byte(" \t\r\n\"\\"), rune(src[i])) {
				part[i-first] = '*'
			}
		}
	}
	for _, at := range bareValue.FindAllSubmatchIndex(src, -1) {
		from, to := max(at[2], at[4]), max(at[3], at[5])
		if !bytes.HasPrefix(src[from:to], []byte("age(")) && !bytes.Contains(src[from:to], []byte("${age(")) {
			star(from, to)
		}
	}
	for _, form := range []*regexp.Regexp{argumentOfAge, valueOfSecret, armour, privateKey} {
		for _, at := range form.FindAllIndex(src, -1) {
			from := at[0]
			if bytes.HasPrefix(src[from:at[1]], []byte("age(")) {
				from += len("age(")
			}
			star(from, at[1])
		}
	}
	return part
}

// legible returns text as valid UTF-8 of the same length: offsets into it stay
// true, also after a trip through JSON.
func legible(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	out := slices.Clone(text)
	for i := 0; i < len(out); {
		r, size := utf8.DecodeRune(out[i:])
		if r == utf8.RuneError && size == 1 {
			out[i] = '?'
		}
		i += size
	}
	return string(out)
}

// lineBounds returns the first and last offset of the line that holds at,
// without its line ending.
func lineBounds(src []byte, at int) (first, last int) {
	for first = at; first > 0 && src[first-1] != '\n'; first-- {
	}
	for last = at; last < len(src) && src[last] != '\n'; last++ {
	}
	if last > first && src[last-1] == '\r' {
		last--
	}
	return first, last
}

// window narrows the bounds of a long line to the part around at, and never
// cuts a character in two.
func window(src []byte, first, last, at int) (int, int) {
	from := max(first, at-longLine/4)
	to := min(last, from+longLine)
	for from > first && !utf8.RuneStart(src[from]) {
		from--
	}
	for to > at && to < last && !utf8.RuneStart(src[to]) {
		to--
	}
	return from, to
}
