package script_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/fazt-sh/fazt/platform/script"
)

// Calls wait for nobody, those that come later use the goroutines of those that are
// over, and when none come for a while the goroutines are gone.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		do, before := script.Crew(), runtime.NumGoroutine()
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
		most := runtime.NumGoroutine()
		for range 5 * calls {
			do(func() { running++ })
			synctest.Wait()
		}
		if running != 6*calls {
			t.Errorf("%d of %d calls ran", running, 6*calls)
		}
		if now := runtime.NumGoroutine(); now > most {
			t.Errorf("%d goroutines, %d before", now, most)
		}
		script.CrewGone()
		if now := runtime.NumGoroutine(); now > before {
			t.Errorf("%d goroutines are left, %d before", now, before)
		}
	})
}
