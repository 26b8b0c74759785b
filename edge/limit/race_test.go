//go:build race

package limit_test

// raced tells tests of size, which one goroutine runs, that they take minutes.
const raced = true
