//go:build !race

package child

const raceFactor = 1

// environment of a child: nothing of its parent's.
func environment() []string { return []string{} }
