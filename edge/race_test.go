//go:build race

package edge_test

// raced tells tests that count generations to count fewer.
const raced = true
