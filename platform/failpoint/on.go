//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// visits counts how often the chosen point was passed.
var visits atomic.Int64

// Reached kills the process without further ado if FAZT_FAILPOINT is NAME, or
// NAME:N on the Nth time.
func Reached(name string) {
	chosen, count, _ := strings.Cut(os.Getenv("FAZT_FAILPOINT"), ":")
	if chosen != name {
		return
	}
	if n, err := strconv.ParseInt(count, 10, 64); err == nil && visits.Add(1) < n {
		return
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until the signal comes
}
