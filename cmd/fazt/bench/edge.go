package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// edge measures serving: files of 1 and 100 KiB, start-up and memory.
func (b *bench) edge() error {
	site, state, err := b.benchSite()
	if err != nil {
		return err
	}
	caddy, err := b.findCaddy()
	if err != nil {
		return err
	}
	starts := map[string]func() (*server, error){
		"bare":  func() (*server, error) { return b.startBare(site) },
		"fazt":  func() (*server, error) { return b.startFazt(state) },
		"caddy": func() (*server, error) { return b.startCaddy(caddy, site) },
	}
	if err := b.throughput(starts, "static_1k", "/1k.bin", 0.85, 3); err != nil {
		return err
	}
	if err := b.throughput(starts, "static_100k", "/100k.bin", 0.90, 2.5); err != nil {
		return err
	}
	if err := b.coldStart(starts); err != nil {
		return err
	}
	if err := b.fullStack(site, state); err != nil {
		return err
	}
	if err := b.limiterCost(); err != nil {
		return err
	}
	if err := b.write(repoOf(site), benchSecure); err != nil {
		return err
	}
	s, err := b.startFazt(state)
	if err != nil {
		return err
	}
	err = b.apply(state, repoOf(site))
	s.stop()
	if err != nil {
		return err
	}
	return b.secure(site, state)
}

// The configuration of the site under load, and the same behind TLS.
const (
	benchPlain  = "app \"bench\" {\n  content = \"www\"\n  hosts   = [\"bench.localhost\"]\n}\n" + benchLimits
	benchSecure = benchPlain + "edge {\n  tls = { mode = \"internal\" }\n}\n"
)

// repoOf is the configuration folder around a site.
func repoOf(site string) string { return filepath.Dir(site) }

func (b *bench) write(repo, config string) error {
	return os.WriteFile(filepath.Join(repo, "fazt.hcl"), []byte(config), 0o644)
}

// benchSite writes a repository with one app and has a node take it.
func (b *bench) benchSite() (site, state string, err error) {
	repo := filepath.Join(b.dir, "site")
	site, state = filepath.Join(repo, "www"), filepath.Join(b.dir, "state")
	if err := os.MkdirAll(site, 0o755); err != nil {
		return "", "", err
	}
	if err := b.write(repo, benchPlain); err != nil {
		return "", "", err
	}
	for name, size := range map[string]int{"1k.bin": 1 << 10, "100k.bin": 100 << 10} {
		body := make([]byte, size)
		rand.Read(body)
		if err := os.WriteFile(filepath.Join(site, name), body, 0o644); err != nil {
			return "", "", err
		}
	}
	s, err := b.startFazt(state)
	if err != nil {
		return "", "", err
	}
	defer s.stop()
	return site, state, b.apply(state, repo)
}

// apply gives a running node its content, once it takes commands.
func (b *bench) apply(state, repo string) error {
	var out []byte
	var err error
	for range 100 {
		cmd := exec.Command(b.fazt, "apply", repo, "--yes", "--state", state)
		if out, err = cmd.CombinedOutput(); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("apply: %w: %s", err, out)
}

// throughput loads the three servers in turn, a fresh process each round.
func (b *bench) throughput(starts map[string]func() (*server, error), name, path string, vsBare, vsCaddy float64) error {
	var bare, caddy, perCPU, idle, loaded []float64
	var last map[string]result
	for range b.rounds {
		last = map[string]result{}
		for _, who := range []string{"bare", "fazt", "caddy"} {
			r, atRest, err := b.round(starts[who], path)
			if err != nil {
				return fmt.Errorf("%s: %w", who, err)
			}
			if r.notOK > 0 {
				return fmt.Errorf("%s: %d answers were not 200", who, r.notOK)
			}
			if last[who] = r; who == "fazt" {
				idle, loaded = append(idle, atRest), append(loaded, r.rss)
			}
		}
		bare = append(bare, last["fazt"].perSecond/last["bare"].perSecond)
		caddy = append(caddy, last["fazt"].perSecond/last["caddy"].perSecond)
		perCPU = append(perCPU, last["fazt"].perCPU/last["bare"].perCPU)
	}
	f, o := last["fazt"], last["bare"]
	note := fmt.Sprintf("per server CPU %.2f; last round p50/p99 %.2f/%.2f ms, bare %.2f/%.2f ms, %d connections", median(perCPU), f.p50, f.p99, o.p50, o.p99, b.conns)
	b.report(name+"_vs_bare", median(bare), fmt.Sprintf(">= %.2f", vsBare), note)
	b.report(name+"_vs_caddy", median(caddy), fmt.Sprintf(">= %.1f", vsCaddy), "")
	if name == "static_1k" {
		b.report("rss_idle_mb", median(idle), "<= 30", "after boot from a published generation")
	}
	b.report("rss_loaded_mb_"+name, median(loaded), "<= 96", "")
	return nil
}

func (b *bench) round(start func() (*server, error), path string) (r result, idle float64, err error) {
	s, err := start()
	if err != nil {
		return r, 0, err
	}
	if _, err = s.first(path); err != nil {
		return r, 0, err
	}
	defer s.stop()
	if idle, err = s.rss(); err != nil {
		return r, 0, err
	}
	if _, err = load(s, path, b.conns, b.span/4); err != nil { // warm
		return r, 0, err
	}
	r, err = load(s, path, b.conns, b.span)
	return r, idle, err
}

// coldStart compares exec to first 200.
func (b *bench) coldStart(starts map[string]func() (*server, error)) error {
	var ratios, fazt, bare []float64
	for range 4 * b.rounds {
		took := map[string]float64{}
		for _, who := range []string{"bare", "fazt"} {
			s, err := starts[who]()
			if err != nil {
				return err
			}
			d, err := s.first("/1k.bin")
			if err != nil {
				return err
			}
			s.stop()
			took[who] = d.Seconds() * 1000
		}
		ratios = append(ratios, took["fazt"]/took["bare"])
		fazt, bare = append(fazt, took["fazt"]), append(bare, took["bare"])
	}
	b.report("cold_start_ms_vs_bare", median(ratios), "<= 6", fmt.Sprintf("medians %.1f ms and %.1f ms", median(fazt), median(bare)))
	return nil
}
