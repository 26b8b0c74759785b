package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// startBytes is what the rooms may allocate before main runs, all together. Every
// command pays for it, and every process that runs apps.
const startBytes = 800 << 10

// TestStartAllocatesLittle: what is put together before main runs is what every
// command needs. A form with long repeats, say, waits until it is asked for.
func TestStartAllocatesLittle(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	total, rooms := 0, []string{}
	for _, m := range regexp.MustCompile(`(?m)^init github\.com/fazt-sh/fazt/(\S+) @.* (\d+) bytes, `).FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		total += n
		rooms = append(rooms, m[1]+" "+m[2])
	}
	if len(rooms) < 5 || total > startBytes {
		t.Errorf("%d bytes are allocated before main, want at most %d:\n%s", total, startBytes, strings.Join(rooms, "\n"))
	}
}
