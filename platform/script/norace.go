//go:build !race

package script

// raceFactor is what the race detector's instruments cost in time.
const raceFactor = 1
