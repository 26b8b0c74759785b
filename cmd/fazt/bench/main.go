// Command bench measures the built binary from outside, next to what a user
// would pick instead: bare net/http and Caddy for serving; git, cp and a bare
// parse for reconciling; node:http, PocketBase and a bare driver for apps.
// `make bench-edge`, `make bench-reconcile`, `make bench-apps` and `make
// bench-start` call it. Every figure is a ratio of alternating rounds, as an
// absolute time on a shared machine is worth nothing. It imports nothing of the
// program.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		exit(bare(os.Args[2:]))
	}
	var b bench
	flag.IntVar(&b.rounds, "rounds", 5, "alternating rounds")
	flag.DurationVar(&b.span, "span", 3*time.Second, "load of one round")
	flag.IntVar(&b.conns, "c", 64, "connections")
	flag.IntVar(&b.pushes, "pushes", 50, "pushes")
	flag.Int64Var(&b.calls, "calls", 200_000, "calls after which the memory of apps is judged")
	flag.StringVar(&b.rows, "rows", "", "rows of apps to measure, with commas between; all")
	flag.StringVar(&b.out, "out", "bin", "folder for the JSON")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: bench [flags] edge|reconcile|start|apps")
		flag.PrintDefaults()
	}
	flag.Parse()
	exit(b.run(flag.Arg(0)))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is one run: its settings, its folder and what it found.
type bench struct {
	rounds, conns, pushes int
	span                  time.Duration
	calls                 int64
	rows, out             string

	dir     string // scratch
	fazt    string // the binary under test
	figures []figure
}

// figure is one measured number beside its goal.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Goal  string  `json:"goal"` // ">= 0.85"
	OK    bool    `json:"ok"`
	Note  string  `json:"note,omitempty"`
}

func (b *bench) run(target string) (err error) {
	if b.dir, err = os.MkdirTemp("", "fazt-bench-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(); err != nil {
		return err
	}
	switch target {
	case "edge":
		err = b.edge()
	case "reconcile":
		err = b.reconcile()
	case "start":
		err = b.start()
	case "apps":
		err = b.apps()
	default:
		return errors.New("name a target: edge, reconcile, start or apps")
	}
	if err != nil {
		return err
	}
	return b.save(target)
}

func (b *bench) build() error {
	b.fazt = filepath.Join(b.dir, "fazt")
	cmd := exec.Command("go", "build", "-trimpath", "-o", b.fazt, "./cmd/fazt")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// report prints a figure; goal is ">= 0.85" or "<= 6", or "-" for none.
func (b *bench) report(name string, value float64, goal, note string) {
	sign, limit, _ := strings.Cut(goal, " ")
	bound, err := strconv.ParseFloat(limit, 64)
	ok := goal == "-" || err == nil && (sign == ">=" && value >= bound || sign == "<=" && value <= bound)
	b.figures = append(b.figures, figure{name, value, goal, ok, note})
	verdict := "short"
	if ok {
		verdict = "ok"
	}
	fmt.Printf("figure %s %.2f %s %s\n", name, value, strings.ReplaceAll(goal, " ", ""), verdict)
	if note != "" {
		fmt.Printf("       %s\n", note)
	}
}

func (b *bench) save(target string) error {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	src, err := json.MarshalIndent(b.figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.out, "bench-"+target+".json"), append(src, '\n'), 0o644)
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile is the value below which a share q of the values lies.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := int(q*float64(len(sorted)) + 0.5)
	return sorted[min(max(at-1, 0), len(sorted)-1)]
}
