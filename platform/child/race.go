//go:build race

package child

const raceFactor = 8

// environment has a child end when it ends: by itself the detector stays a second longer.
func environment() []string { return []string{"GORACE=atexit_sleep_ms=0"} }
