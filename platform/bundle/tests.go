package bundle

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed test.js
var testSource string

// testModule is the module that imports a file of tests and runs them.
func testModule(file string) string {
	return fmt.Sprintf("import %s;\nexport { default } from %s;\n", quote("./"+file), quote(testName))
}

// InHarness tells whether a line of a mapped stack is a place of "fazt:test", which
// says nothing to who wrote the test.
func InHarness(line string) bool { return strings.Contains(line, ownSpace+":"+testName+":") }
