package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/op"
)

// short is a revision as people write it: seven digits of a commit.
func short(revision string) string {
	if strings.HasPrefix(revision, "dir:") || len(revision) <= 7 {
		return revision
	}
	return revision[:7]
}

// size is a number of bytes in the unit that keeps it under a thousand.
func size(bytes int64) string {
	value, unit := float64(bytes), 0
	units := []string{"B", "KB", "MB", "GB", "TB"}
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	if unit == 0 || value >= 9.95 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// thousands writes 12904 as 12,904.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ago is how long a moment is past, in the one unit that matters.
func ago(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case time.Since(t) < time.Minute:
		return "just now"
	}
	return span(time.Since(t)) + " ago"
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// took is how long something was under way.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// clipLast shortens the last cell of each row to what the width leaves for it,
// but not so far that it says nothing: then the whole column is dropped. 0 is
// any width.
func clipLast(columns []op.Column, rows [][]string, width int) [][]string {
	const least, gutter = 16, 2
	left, last := width, len(columns)-1
	for i, c := range columns[:last] {
		widest := utf8.RuneCountInString(c.Name)
		for _, row := range rows {
			widest = max(widest, utf8.RuneCountInString(row[i]))
		}
		left -= widest + gutter
	}
	if width == 0 || left < least {
		return rows
	}
	for _, row := range rows {
		row[last] = clip(row[last], left)
	}
	return rows
}

// clip keeps a cell short; --json has all of it.
func clip(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return strings.TrimRight(string(runes[:most-3]), " ") + "..."
}

// oneLine is text on one line, whatever it was.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// nameOf is the name of "Asha <asha@example.com>".
func nameOf(author string) string {
	name, _, _ := strings.Cut(author, " <")
	return name
}
