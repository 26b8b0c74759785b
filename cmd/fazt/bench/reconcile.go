package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The sizes of the repositories that are compared. The last is judged.
const (
	few  = 100
	many = 1_000
	most = 10_000
)

// grown is what one size costs: medians.
type grown struct {
	apps                                         int
	firstApply, coldPlan, noop, planCPU, onePass float64 // milliseconds
	rss                                          float64 // MB over an empty node
}

// reconcile measures what following a repository costs: at 100, 1,000 and 10,000
// apps, next to what git and a bare parser take for the same.
func (b *bench) reconcile() error {
	parser, err := b.buildParser()
	if err != nil {
		return err
	}
	var fleets []*fleet
	var costs []grown
	defer func() {
		for _, f := range fleets {
			f.stop()
		}
	}()
	for _, n := range []int{few, many, most} {
		f, err := b.newFleet(n)
		if err != nil {
			return err
		}
		fleets = append(fleets, f)
		g := grown{apps: n}
		if err := errors.Join(f.fresh(&g, parser), f.nothing(&g), f.counts()); err != nil {
			return fmt.Errorf("%d apps: %w", n, err)
		}
		costs = append(costs, g)
	}
	if err := b.oneApp(fleets, costs); err != nil {
		return err
	}
	if err := b.resident(fleets, costs); err != nil {
		return err
	}
	printGrowth(costs)
	return fleets[1].pushToLive()
}

// buildParser builds the bare parse, which stands beside the one package that
// may know the parser.
func (b *bench) buildParser() (string, error) {
	parser := filepath.Join(b.dir, "spec.test")
	cmd := exec.Command("go", "test", "-c", "-o", parser, "./spec")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the bare parse: %w: %s", err, out)
	}
	return parser, nil
}

var perOp = regexp.MustCompile(`BenchmarkBareParse\S*\s+1\s+([0-9.]+) ns/op`)

// bareParse is one parse of the repository's configuration, in milliseconds.
func (f *fleet) bareParse(parser string) (float64, error) {
	cmd := exec.Command(parser, "-test.run", "^$", "-test.bench", "^BenchmarkBareParse$", "-test.benchtime", "1x")
	cmd.Env = append(os.Environ(), "FAZT_BARE_PARSE="+f.work)
	out, err := cmd.CombinedOutput()
	found := perOp.FindSubmatch(out)
	if err != nil || found == nil {
		return 0, fmt.Errorf("bare parse: %w: %s", err, out)
	}
	ns, err := strconv.ParseFloat(string(found[1]), 64)
	return ns / 1e6, err
}

// fresh starts nodes that know nothing: until the last app is served, next to a
// clone and a copy of it, and what its plan took of that, next to a bare parse.
// The last of the nodes stays.
func (f *fleet) fresh(g *grown, parser string) error {
	var apply, applyRatio, cold, coldRatio []float64
	for round := range f.rounds {
		f.stop()
		os.RemoveAll(f.state("state"))
		took, err := f.start("state")
		if err != nil {
			return err
		}
		copied, err := f.cloneAndCopy()
		if err != nil {
			return err
		}
		pass, err := f.lastPass("state")
		if err != nil {
			return err
		}
		parsed, err := f.bareParse(parser)
		if err != nil {
			return err
		}
		plan := pass.steps["load"] + pass.steps["observe"] + pass.steps["plan"]
		apply, applyRatio = append(apply, ms(took)), append(applyRatio, ms(took)/ms(copied))
		cold, coldRatio = append(cold, plan), append(coldRatio, plan/parsed)
		fmt.Printf("%d apps, round %d: served after %.1f s, clone and copy %.1f s; cold plan %.0f ms, bare parse %.0f ms\n", f.apps, round+1, took.Seconds(), copied.Seconds(), plan, parsed)
	}
	g.firstApply, g.coldPlan = median(apply), median(cold)
	if f.apps == most {
		f.report("cold_plan", median(coldRatio), "<= 2", fmt.Sprintf("medians of ratios; load, observe and plan of the first pass over %d apps, against parsing their files on one core", f.apps))
		f.report("first_apply", median(applyRatio), "<= 3", fmt.Sprintf("exec of an empty node until %d apps are served and durable, against git clone and cp -r", f.apps))
	}
	return nil
}

// cloneAndCopy is what somebody without fazt does: clone, and copy to where a
// server looks.
func (f *fleet) cloneAndCopy() (time.Duration, error) {
	clone, served := filepath.Join(f.dir, "clone"), filepath.Join(f.dir, "served")
	defer os.RemoveAll(clone)
	defer os.RemoveAll(served)
	began := time.Now()
	if err := git(f.dir, "clone", "-q", "followed.git", clone); err != nil {
		return 0, err
	}
	if out, err := exec.Command("cp", "-r", clone, served).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cp: %w: %s", err, out)
	}
	return time.Since(began), nil
}

// nothing alternates a pass that finds nothing new with one git ls-remote.
func (f *fleet) nothing(g *grown) error {
	if err := f.sync("state"); err != nil { // whatever came with the start is over
		return err
	}
	var passes, ratios []float64
	for range 5 * f.rounds {
		began := time.Now()
		if err := git(f.dir, "ls-remote", "followed.git", "main"); err != nil {
			return err
		}
		asked := time.Since(began)
		if err := f.sync("state"); err != nil {
			return err
		}
		pass, err := f.lastPass("state")
		if err != nil {
			return err
		}
		passes, ratios = append(passes, pass.total), append(ratios, pass.total/ms(asked))
	}
	g.noop = median(passes)
	if f.apps == most {
		f.report("noop_pass", median(ratios), "<= 1.5", fmt.Sprintf("the pass over %d apps took %.1f ms", f.apps, g.noop))
	}
	return nil
}

// counts holds what must not grow: a pass without news copies and evaluates
// nothing, one app's commit touches that app.
func (f *fleet) counts() error {
	since := f.logged()
	if err := f.sync("state"); err != nil {
		return err
	}
	fetched, _, err := f.said(since, "fetched")
	loaded, _, err2 := f.said(since, "configuration loaded")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	since = f.logged()
	if err := errors.Join(f.change(1), f.sync("state")); err != nil {
		return err
	}
	_, copied, err := f.said(since, "fetched")
	_, moved, err2 := f.said(since, "source moved")
	_, evaluated, err3 := f.said(since, "configuration loaded")
	fmt.Printf("%d apps: a pass without news fetched %d times and loaded %d times; a commit in one app copied %s objects, read %s folders, evaluated %s file, moved %s bytes to the loader and back\n",
		f.apps, fetched, loaded, field(copied, "objects"), field(moved, "folders"), field(evaluated, "evaluated"), field(evaluated, "moved"))
	return errors.Join(err, err2, err3)
}

// field is the value of a key in a log line.
func field(line, key string) string {
	_, rest, _ := strings.Cut(line, " "+key+"=")
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return value
}

// oneApp alternates commits in one app between the sizes: first on nodes that
// are paused, which fetch, load and plan, then all the way.
func (b *bench) oneApp(fleets []*fleet, costs []grown) error {
	const commits = 10 // a round; the processor's time is told in steps of 10 ms
	cpu := make([][]float64, len(fleets))
	for _, f := range fleets {
		if err := f.told("state", "pause", "--reason", "measured"); err != nil {
			return err
		}
	}
	for range b.rounds {
		for i, f := range fleets {
			used, err := f.planOf(commits)
			if err != nil {
				return err
			}
			cpu[i] = append(cpu[i], used)
		}
	}
	var ratios []float64
	for r := range b.rounds {
		ratios = append(ratios, cpu[len(cpu)-1][r]/max(cpu[0][r], 0.1))
	}
	for i, f := range fleets {
		costs[i].planCPU = median(cpu[i])
		if err := errors.Join(f.told("state", "resume"), f.sync("state"), f.live(&costs[i])); err != nil {
			return err
		}
	}
	b.report("plan_one_app", median(ratios), "<= 2", fmt.Sprintf("processor time of node and loader from fetch to plan: %.0f ms of %d apps, %.0f ms of %d", median(cpu[len(cpu)-1]), most, median(cpu[0]), few))
	return nil
}

// planOf is the processor time of one commit, the mean of several.
func (f *fleet) planOf(commits int) (float64, error) {
	var used time.Duration
	for range commits {
		if err := f.change(1); err != nil {
			return 0, err
		}
		time.Sleep(300 * time.Millisecond) // the next loader is ready and the collector done
		before, err := f.node.cpu()
		if err != nil {
			return 0, err
		}
		if err := f.sync("state"); err != nil {
			return 0, err
		}
		time.Sleep(300 * time.Millisecond)
		after, err := f.node.cpu()
		if err != nil {
			return 0, err
		}
		used += after - before
	}
	return ms(used) / float64(commits), nil
}

// live is how long a pass takes that brings one app.
func (f *fleet) live(g *grown) error {
	var passes []float64
	for range 2 * f.rounds {
		if err := errors.Join(f.change(1), f.sync("state")); err != nil {
			return err
		}
		pass, err := f.lastPass("state")
		if err != nil {
			return err
		}
		passes = append(passes, pass.total)
	}
	g.onePass = median(passes)
	return nil
}

// resident compares memory with that of a node that has nothing, after all that
// the nodes have been through: a first apply, and commits.
func (b *bench) resident(fleets []*fleet, costs []grown) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	empty, err := launch(exec.Command(b.fazt, "serve", "--state", filepath.Join(b.dir, "empty"), "--listen", addr, "-q"), addr, "localhost")
	if err != nil {
		return err
	}
	defer empty.stop()
	time.Sleep(2 * time.Second)
	least, err := empty.rss()
	if err != nil {
		return err
	}
	for i, f := range fleets {
		now, err := f.node.rss()
		if err != nil {
			return err
		}
		costs[i].rss = now - least
	}
	b.report("rss_10k_apps_mb", costs[len(costs)-1].rss, "<= 200", fmt.Sprintf("over an empty node of %.0f MB", least))
	return nil
}

func printGrowth(costs []grown) {
	fmt.Printf("\n%8s %14s %12s %11s %15s %14s %7s\n", "apps", "first apply", "cold plan", "nothing new", "plan one (CPU)", "one app live", "memory")
	for _, g := range costs {
		fmt.Printf("%8d %11.0f ms %9.0f ms %8.1f ms %12.0f ms %11.0f ms %4.0f MB\n", g.apps, g.firstApply, g.coldPlan, g.noop, g.planCPU, g.onePass, g.rss)
	}
	fmt.Println()
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
