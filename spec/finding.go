package spec

import (
	"bytes"
	"path"
	"unicode/utf8"
)

// FindingAt is an error about an app that points at one of its arguments, or at
// its block where the argument is not written.
func FindingAt(tree Tree, app Object, argument, code, summary, detail string) Diagnostic {
	at, ok := app.At[argument]
	if !ok {
		at = app.Range
	}
	d := Diagnostic{Severity: Error, Code: code, Summary: summary, Detail: detail, Address: app.Addr}
	if at.Filename == "" {
		return d
	}
	d.Range = &at
	if src, err := ReadSource(tree, at.Filename); err == nil {
		d.Snippet = snippet(src, at)
	}
	return d
}

// FindingInFile is an error about an app that points at a line of a file of the
// tree, which counts from 1, without the space around it.
func FindingInFile(tree Tree, app Object, filename string, line int, code, summary, detail string) Diagnostic {
	d := Diagnostic{Severity: Error, Code: code, Summary: summary, Detail: detail, Address: app.Addr}
	start := Pos{Line: line, Column: 1}
	d.Range = &Range{Filename: filename, Start: start, End: start}
	src, err := ReadSource(tree, filename)
	if err != nil {
		return d
	}
	*d.Range = lineRange(filename, src, line)
	d.Snippet = snippet(src, *d.Range)
	return d
}

// lineRange is where the text of a line stands.
func lineRange(filename string, src []byte, line int) Range {
	at := 0
	for range line - 1 {
		next := bytes.IndexByte(src[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	text, _, _ := bytes.Cut(src[at:], []byte("\n"))
	const space = " \t\r"
	before := len(text) - len(bytes.TrimLeft(text, space))
	text = bytes.Trim(text, space)
	start := Pos{Line: line, Column: before + 1, Byte: at + before}
	end := Pos{Line: line, Column: start.Column + utf8.RuneCount(text), Byte: start.Byte + len(text)}
	return Range{Filename: filename, Start: start, End: end}
}

// Spot is a place in a file of an app's content, as what reads such files names it.
type Spot struct {
	File   string // below the content folder
	Line   int    // from 1; 0 is the file as a whole
	Column int    // from 1, in bytes; 0 is all of the line
	Length int    // of what is meant, in bytes
}

// FindingInContent is an error about an app that points at a spot in its content,
// of which src is the file; nil where it is not at hand.
func FindingInContent(app Object, folder string, at Spot, src []byte, code, summary, detail string) Diagnostic {
	d := Diagnostic{Severity: Error, Code: code, Summary: summary, Detail: detail, Address: app.Addr}
	place := at.within(path.Join(folder, at.File), src)
	d.Range = &place
	if at.Line > 0 {
		d.Snippet = snippet(src, place)
	}
	return d
}

// within is a spot as a range of its file, as far as that file has it.
func (s Spot) within(filename string, src []byte) Range {
	r := Range{Filename: filename, Start: Pos{Line: max(s.Line, 1), Column: max(s.Column, 1)}}
	r.End = r.Start
	if s.Line < 1 || len(src) == 0 {
		return r
	}
	r = lineRange(filename, src, s.Line)
	if s.Column < 1 {
		return r
	}
	first, last := lineBounds(src, r.Start.Byte)
	at := min(first+s.Column-1, last)
	end := min(at+s.Length, last)
	r.Start = Pos{Line: s.Line, Column: 1 + utf8.RuneCount(src[first:at]), Byte: at}
	r.End = Pos{Line: s.Line, Column: r.Start.Column + utf8.RuneCount(src[at:end]), Byte: end}
	return r
}
