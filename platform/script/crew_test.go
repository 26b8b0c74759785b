package script_test

import (
	"bytes"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/fazt-sh/fazt/platform/script"
)

// crewed counts the goroutines of crews in a bubble: what the runtime starts is none of
// theirs, and those of other tests' hosts stay a while outside.
func crewed() (n int) {
	buf := make([]byte, 1<<20)
	for goroutine := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		if bytes.Contains(goroutine, []byte("synctest bubble")) && bytes.Contains(goroutine, []byte("script.crew.serve(")) {
			n++
		}
	}
	return n
}

// Calls wait for nobody, those that come later use the goroutines of those that are
// over, and when none come for a while the goroutines are gone.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		do := script.Crew()
		const calls = 20
		hold, running := make(chan struct{}), 0
		started := make(chan struct{})
		for range calls {
			do(func() { started <- struct{}{}; <-hold })
		}
		for range calls {
			<-started
			running++
		}
		close(hold)
		synctest.Wait()
		most := crewed()
		for range 5 * calls {
			do(func() { running++ })
			synctest.Wait()
		}
		if running != 6*calls {
			t.Errorf("%d of %d calls ran", running, 6*calls)
		}
		if now := crewed(); most == 0 || now > most {
			t.Errorf("%d goroutines, %d before", now, most)
		}
		script.CrewGone()
		if now := crewed(); now != 0 {
			t.Errorf("%d goroutines are left", now)
		}
	})
}
