package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fazt-sh/fazt/platform/op"
)

// WriteText prints a table, or comma-separated values.
func (o sqlOut) WriteText(w *op.Screen) error {
	in, _ := w.In.(sqlIn)
	if in.CSV {
		return o.writeCSV(w)
	}
	if len(o.Columns) > 0 {
		columns := make([]op.Column, len(o.Columns))
		for i, name := range o.Columns {
			columns[i] = op.Column{Name: name, Right: o.numeric(i)}
		}
		rows := make([][]string, len(o.Rows))
		for i, row := range o.Rows {
			rows[i] = cells(row, func(c sqlCell) string { return c.shown() })
		}
		if err := w.Table(columns, rows); err != nil {
			return err
		}
		w.Printf("\n")
	}
	if o.Changed != nil {
		return w.Printf("%s changed, %s; before it: fazt restore %s --app %s\n", plural(int(*o.Changed), "row"), took(o.Took), o.Backup, o.DB)
	}
	w.Printf("%s, %s, read-only\n", plural(len(o.Rows), "row"), took(o.Took))
	if o.Truncated {
		problemLine(w, o.cutWords())
	}
	return nil
}

// cutWords says that there is more, and how to see it.
func (o sqlOut) cutWords() string {
	first := "only the first " + plural(len(o.Rows), "row")
	if o.Cut == "bytes" {
		return first + ": an answer has 10 MB at most; ask for fewer columns, or go on where it ended"
	}
	return first + "; --limit shows more"
}

// tellCut says beside comma-separated values what cannot be said among them.
func (p *program) tellCut(call op.Call, reply *op.Reply) {
	in, is := call.In.(sqlIn)
	var out sqlOut
	if is && in.CSV && !call.Globals.JSON && reply.Decode(&out) == nil && out.Truncated {
		fmt.Fprintf(p.stderr, "fazt: %s\n", out.cutWords())
	}
}

// numeric reports whether a column has numbers and nothing else.
func (o sqlOut) numeric(column int) bool {
	numbers := 0
	for _, row := range o.Rows {
		switch c := sqlCell(row[column]); {
		case c.isNumber():
			numbers++
		case !c.isNull():
			return false
		}
	}
	return numbers > 0
}

func (o sqlOut) writeCSV(w *op.Screen) error {
	out := csv.NewWriter(w)
	head := make([]string, len(o.Columns))
	for i, name := range o.Columns {
		head[i] = noFormula(name)
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for _, row := range o.Rows {
		if err := out.Write(cells(row, func(c sqlCell) string { return c.csv() })); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// sqlCell is one value as JSON.
type sqlCell json.RawMessage

func cells(row []json.RawMessage, show func(sqlCell) string) []string {
	texts := make([]string, len(row))
	for i, v := range row {
		texts[i] = show(sqlCell(v))
	}
	return texts
}

func (c sqlCell) isNull() bool { return string(c) == "null" }

func (c sqlCell) isNumber() bool { return len(c) > 0 && (c[0] == '-' || c[0] >= '0' && c[0] <= '9') }

// text is the value of a text, or a blob as SQL writes one.
func (c sqlCell) text() string {
	var text string
	if json.Unmarshal(c, &text) == nil {
		return text
	}
	var blob hexValue
	if json.Unmarshal(c, &blob) == nil {
		return "x'" + blob.Hex + "'"
	}
	return string(c)
}

// shown is a value in a table.
func (c sqlCell) shown() string {
	switch {
	case c.isNull():
		return "NULL"
	case c.isNumber():
		return string(c)
	}
	return c.text()
}

// csv is a value among comma-separated ones, where nothing is NULL.
func (c sqlCell) csv() string {
	switch {
	case c.isNull():
		return ""
	case c.isNumber():
		return string(c)
	}
	return noFormula(c.text())
}

// noFormula keeps a spreadsheet from running what somebody else wrote.
func noFormula(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
