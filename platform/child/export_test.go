package child

import (
	"os"
	"testing"
)

// Pipe returns a connection that reads what is written to the file.
func Pipe(t *testing.T, max int) (*Conn, *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return newConn(r, max), w
}
