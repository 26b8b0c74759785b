//go:build race

package script

const raceFactor = 8
