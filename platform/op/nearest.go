package op

import (
	"strconv"
	"strings"
)

// nearest returns the candidate a person most likely meant: at most two edits
// away (and fewer than half the word), or the only one that begins with it.
func nearest(word string, candidates []string) string {
	best, distance := "", min(2, (len(word)-1)/2)+1
	for _, c := range candidates {
		if d := edits(word, c); d < distance {
			best, distance = c, d
		}
	}
	if best != "" || word == "" {
		return best
	}
	for _, c := range candidates {
		if !strings.HasPrefix(c, word) || c == best {
			continue
		}
		if best != "" {
			return ""
		}
		best = c
	}
	return best
}

// edits is the Levenshtein distance in bytes; words here are ASCII and short.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// list joins quoted words for a message, at most eight of them.
func list(words []string) string {
	quoted := make([]string, 0, len(words))
	for i, w := range words {
		if i == 8 {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, strconv.Quote(w))
	}
	return strings.Join(quoted, ", ")
}
