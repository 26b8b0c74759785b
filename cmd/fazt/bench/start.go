package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// start measures a newcomer's first two commands in a fresh clone, with modules
// and build cache warm: seconds, for orientation, against the promise of a
// first page within a minute and tests within three.
func (b *bench) start() error {
	clone := filepath.Join(b.dir, "clone")
	if err := git(".", "clone", "-q", ".", clone); err != nil {
		return err
	}
	var once []float64
	for range b.rounds {
		took, err := timed(clone, "go", "run", "./cmd/fazt", "dev", "examples/site", "--once", "-q")
		if err != nil {
			return err
		}
		once = append(once, took.Seconds())
	}
	b.report("dev_once_s", median(once), "<= 60", "go run ./cmd/fazt dev examples/site --once in a fresh clone")
	if _, err := timed(clone, "go", "test", "-run", "^$", "./..."); err != nil { // build
		return err
	}
	took, err := timed(clone, "go", "test", "-count=1", "./...")
	if err != nil {
		return err
	}
	b.report("make_test_s", took.Seconds(), "<= 180", "what make test runs, once built")
	return nil
}

func timed(dir, name string, args ...string) (time.Duration, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return time.Since(began), nil
}
