package spec

import (
	"strings"
	"unicode/utf8"

	"github.com/agext/levenshtein"
)

// maxTypos is how many letters a word may differ by and still be taken for a
// mistyped one.
const maxTypos = 2

// nearest returns the candidate that word was most likely meant to be: the one
// within two edits, or the only one that begins with it; empty if there is
// none. Letter case is ignored. Of equally near candidates the first wins.
func nearest(word string, candidates []string) string {
	if word == "" {
		return ""
	}
	lower := strings.ToLower(word)
	best, bestDistance := "", min(maxTypos, wordBudget(lower))+1
	for _, c := range candidates {
		if d := distance(lower, strings.ToLower(c), bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	return uniquePrefix(lower, candidates)
}

// distance counts edits; words whose lengths differ by limit already are not
// compared, as no long text may cost more than a short one.
func distance(a, b string, limit int) int {
	if gap := utf8.RuneCountInString(a) - utf8.RuneCountInString(b); gap >= limit || -gap >= limit {
		return limit
	}
	return levenshtein.Distance(a, b, nil)
}

// wordBudget keeps short words from matching everything: two edits turn any
// two-letter word into any other.
func wordBudget(word string) int {
	switch n := utf8.RuneCountInString(word); {
	case n <= 1:
		return 0
	case n <= 3:
		return 1
	default:
		return maxTypos
	}
}

// uniquePrefix returns the only candidate that begins with word.
func uniquePrefix(word string, candidates []string) string {
	found := ""
	for _, c := range candidates {
		if !strings.HasPrefix(strings.ToLower(c), word) {
			continue
		}
		if found != "" && found != c {
			return ""
		}
		found = c
	}
	return found
}
