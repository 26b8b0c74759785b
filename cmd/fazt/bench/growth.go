package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// flat holds that nothing grows with calls: memory after all of them next to
// memory after a quarter, and goroutines when all connections are gone next to
// those at the start.
func (n *appsNode) flat() error {
	s, err := n.start("bench")()
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := s.first("/api/notes/" + seedID(0)); err != nil {
		return err
	}
	start, err := n.goroutines(0)
	if err != nil {
		return err
	}
	early, err := n.memoryAfter(s, n.calls/4)
	if err != nil {
		return err
	}
	late, err := n.memoryAfter(s, n.calls-n.calls/4)
	if err != nil {
		return err
	}
	end, err := n.goroutines(start)
	if err != nil {
		return err
	}
	n.report("memory_growth", late/early, "<= 1.1", fmt.Sprintf("node and children, %.0f MB after %d calls, %.0f MB after %d", late, n.calls, early, n.calls/4))
	n.report("goroutines_left", end-start, "<= 0", fmt.Sprintf("%.0f at the start, %.0f at the end", start, end))
	return nil
}

func (n *appsNode) memoryAfter(s *server, calls int64) (float64, error) {
	r, err := loadWith(s, all, n.conns, counting(calls))
	if err := orNotOK(err, r); err != nil {
		return 0, err
	}
	return s.memory()
}

// goroutines waits up to ten seconds for as few as at the start.
func (n *appsNode) goroutines(start float64) (float64, error) {
	var now float64
	for range 100 {
		time.Sleep(100 * time.Millisecond)
		c, err := n.counts()
		if err != nil {
			return 0, err
		}
		if now = c["go_goroutines"]; start == 0 || now <= start {
			break
		}
	}
	return now, nil
}

// manyApps writes keys of 1, 4 and 16 apps, each with a file of its own.
func (b *bench) manyApps() error {
	const most = 16
	var names []string
	for i := range most {
		names = append(names, fmt.Sprintf("bench-%d", i))
	}
	n, err := b.newAppsNode(names...)
	if err != nil {
		return err
	}
	spread := func(apps int) traffic {
		return func(s *server, conn, i int) []byte {
			one := *s
			one.host = names[conn%apps] + ".localhost"
			return keyWrite(&one, conn, i)
		}
	}
	of, err := b.alternate("kv_write of many apps",
		rival{"1", n.start(names[0]), "/api/notes/" + seedID(0), spread(1)},
		rival{"4", n.start(names[0]), "/api/notes/" + seedID(0), spread(4)},
		rival{"fazt", n.start(names[0]), "/api/notes/" + seedID(0), spread(most)})
	if err != nil {
		return err
	}
	perSecond := func(r result) float64 { return r.perSecond }
	b.report("kv_write_16_apps_vs_1", median(ratios(of, "1", perSecond)), "-", fmt.Sprintf("all together on 1, 4 and 16 apps: %.0f/s, %.0f/s, %.0f/s; p99 %.1f, %.1f, %.1f ms; %.0f, %.0f, %.0f MB of the node",
		middle(of["1"], perSecond), middle(of["4"], perSecond), middle(of["fazt"], perSecond), middle(of["1"], p99), middle(of["4"], p99), middle(of["fazt"], p99),
		middle(of["1"], memory), middle(of["4"], memory), middle(of["fazt"], memory)))
	return nil
}

var perWrite = regexp.MustCompile(`Benchmark(?:Write|Raw)64\S*\s+\d+\s+([0-9.]+) ns/op\s+([0-9.]+) writes/tx`)

// writer alternates the writer's own benchmark with the same by hand on the bare
// driver; both stand beside the one package that may know the driver.
func (b *bench) writer() error {
	program := filepath.Join(b.dir, "sqlite.test")
	cmd := exec.Command("go", "test", "-c", "-o", program, "./platform/sqlite")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the writer's benchmark: %w: %s", err, out)
	}
	for _, files := range []int{1, 4, 16} {
		if err := b.writerOn(program, files); err != nil {
			return err
		}
	}
	return nil
}

// writerOn has the requesters write to so many files. On more than one the figure
// tells what is the files' share in a rate that falls.
func (b *bench) writerOn(program string, files int) error {
	var ratios []float64
	of := map[string][]writeRate{}
	for range b.rounds {
		for _, who := range []string{"Raw", "Write"} {
			rate, err := b.writeRound(program, who, files)
			if err != nil {
				return err
			}
			of[who] = append(of[who], rate)
		}
		last := len(of["Raw"]) - 1
		ratios = append(ratios, of["Write"][last].perSecond/of["Raw"][last].perSecond)
	}
	name, goal := "writer_internal", ">= 0.85"
	if files > 1 {
		name, goal = fmt.Sprintf("writer_%d_files_vs_raw", files), "-"
	}
	b.report(name, median(ratios), goal, fmt.Sprintf("64 requesters, synchronous=FULL, last round: %s; by hand %s", of["Write"][b.rounds-1], of["Raw"][b.rounds-1]))
	return nil
}

// writeRate is what a writer's benchmark tells.
type writeRate struct{ perSecond, perCommit float64 }

func (r writeRate) String() string {
	return fmt.Sprintf("%.0f writes/s, %.1f in a transaction", r.perSecond, r.perCommit)
}

func (b *bench) writeRound(program, who string, files int) (writeRate, error) {
	out, err := exec.Command(program, "-test.run", "^$", "-test.bench", fmt.Sprintf("^Benchmark%s64$/^files=%d$", who, files), "-test.benchtime", b.span.String()).CombinedOutput()
	found := perWrite.FindSubmatch(out)
	if err != nil || found == nil {
		return writeRate{}, fmt.Errorf("the writer's benchmark: %w: %s", err, out)
	}
	ns, err := strconv.ParseFloat(string(found[1]), 64)
	perCommit, err2 := strconv.ParseFloat(string(found[2]), 64)
	return writeRate{1e9 / ns, perCommit}, errors.Join(err, err2)
}
