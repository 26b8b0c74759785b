package main

import (
	"fmt"
	"slices"
	"strings"
)

// rival is one of those that are loaded in turn.
type rival struct {
	name  string
	start func() (*server, error)
	ready string // path that answers 200 when it serves
	ask   traffic
}

// apps measures code and data: answers next to node:http, keys and documents next
// to PocketBase with its request logs on and off, and the writer next to a bare
// driver.
func (b *bench) apps() error {
	if b.wants("writer_internal") {
		if err := b.writer(); err != nil {
			return err
		}
	}
	node, err := b.newAppsNode("hello", "bench")
	if err != nil {
		return err
	}
	if b.wants("hello") {
		if err := b.hello(node); err != nil {
			return err
		}
	}
	if err := b.data(node); err != nil {
		return err
	}
	if b.wants("flat") {
		if err := node.flat(); err != nil {
			return err
		}
	}
	if b.wants("many") {
		return b.manyApps()
	}
	return nil
}

// wants tells whether a row is to be measured.
func (b *bench) wants(row string) bool {
	return b.rows == "" || slices.Contains(strings.Split(b.rows, ","), row)
}

// hello is the least that code can do.
func (b *bench) hello(n *appsNode) error {
	if err := b.findNode(); err != nil {
		fmt.Printf("skip   hello_vs_node: %v\n", err)
		return nil
	}
	of, err := b.alternate("hello",
		rival{"node", b.startNode, "/", page("/")},
		rival{"fazt", n.start("hello"), "/", page("/")})
	if err != nil {
		return err
	}
	b.against("hello_vs_node", of, "node", ">= 0.5")
	return nil
}

// data measures keys and documents.
func (b *bench) data(n *appsNode) error {
	rows := []dataRow{
		{"kv_read", keyRead, recordRead, ">= 2", ">= 1.15"},
		{"kv_write", keyWrite, recordCreate, ">= 2.4", ">= 1.4"},
		{"doc_insert", docInsert, recordCreate, ">= 2.4", ">= 1.4"},
		{"mix_70_30", mixed(docRead, docInsert), mixed(recordRead, recordCreate), ">= 2.2", "-"},
	}
	rows = slices.DeleteFunc(rows, func(r dataRow) bool { return !b.wants(r.name) })
	if len(rows) == 0 {
		return nil
	}
	logged, quiet, err := b.newPocketBases()
	if err != nil {
		return err
	}
	for _, r := range rows {
		of, err := b.alternate(r.name,
			rival{"pocketbase", logged, "/api/health", r.theirs},
			rival{"fazt", n.counted, "/api/notes/" + seedID(0), r.ours},
			rival{"pocketbase_quiet", quiet, "/api/health", r.theirs})
		if err != nil {
			return err
		}
		n.sayCounts(r.name)
		b.against(r.name+"_vs_pocketbase", of, "pocketbase", r.logged)
		b.against(r.name+"_vs_pocketbase_quiet", of, "pocketbase_quiet", r.quiet)
		if r.name == "kv_write" || r.name == "doc_insert" {
			p99 := ratios(of, "pocketbase", func(r result) float64 { return r.p99 })
			b.report(r.name+"_p99_vs_pocketbase", median(p99), "<= 0.5", "")
		}
	}
	return nil
}

// dataRow is a figure with its traffic, and the goals against PocketBase with
// request logs and without.
type dataRow struct {
	name          string
	ours, theirs  traffic
	logged, quiet string
}

// alternate loads rivals in turn, a fresh process each round.
func (b *bench) alternate(row string, rivals ...rival) (map[string][]result, error) {
	of := map[string][]result{}
	for range b.rounds {
		for _, r := range rivals {
			found, err := b.oneRound(r)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", row, r.name, err)
			}
			of[r.name] = append(of[r.name], found)
		}
	}
	return of, nil
}

func (b *bench) oneRound(r rival) (found result, err error) {
	s, err := r.start()
	if err != nil {
		return found, err
	}
	if _, err = s.first(r.ready); err != nil {
		return found, err
	}
	defer s.stop()
	if found, err = loadWith(s, r.ask, b.conns, lasting(b.span/4)); err != nil || found.notOK > 0 { // warm
		return found, orNotOK(err, found)
	}
	found, err = loadWith(s, r.ask, b.conns, lasting(b.span))
	return found, orNotOK(err, found)
}

// orNotOK holds that no request of a load may fail.
func orNotOK(err error, r result) error {
	if err == nil && r.notOK > 0 {
		err = fmt.Errorf("%d of %d answers were not 200", r.notOK, r.requests)
	}
	return err
}

// against reports requests per second of fazt next to those of a rival.
func (b *bench) against(name string, of map[string][]result, who, goal string) {
	perSecond := func(r result) float64 { return r.perSecond }
	ours, theirs := of["fazt"], of[who]
	note := fmt.Sprintf("per server CPU %.2f; medians %.0f/s, p50/p99 %.2f/%.2f ms, %.0f MB; %s %.0f/s, %.2f/%.2f ms, %.0f MB; %d connections",
		median(ratios(of, who, func(r result) float64 { return r.perCPU })),
		middle(ours, perSecond), middle(ours, p50), middle(ours, p99), middle(ours, memory),
		strings.TrimSuffix(who, "_quiet"), middle(theirs, perSecond), middle(theirs, p50), middle(theirs, p99), middle(theirs, memory), b.conns)
	b.report(name, median(ratios(of, who, perSecond)), goal, note)
}

func p50(r result) float64    { return r.p50 }
func p99(r result) float64    { return r.p99 }
func memory(r result) float64 { return r.family }

func middle(of []result, value func(result) float64) float64 {
	var all []float64
	for _, r := range of {
		all = append(all, value(r))
	}
	return median(all)
}

// ratios are those of fazt to a rival, round by round.
func ratios(of map[string][]result, who string, value func(result) float64) []float64 {
	var all []float64
	for i, r := range of["fazt"] {
		all = append(all, value(r)/value(of[who][i]))
	}
	return all
}
