package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/edge/listen"
)

// trafficView is what the protection of a node did since it started.
type trafficView struct {
	Open     int              `json:"open_connections"`
	Answers  map[string]int64 `json:"answers"`                       // by class of status
	Bytes    int64            `json:"bytes"`                         // of answers' bodies
	Refused  map[string]int64 `json:"refused,omitempty"`             // requests, by layer
	Turned   map[string]int64 `json:"connections_refused,omitempty"` // by reason
	Requests int64            `json:"requests"`
}

func (n *node) traffic() trafficView {
	t := n.edge.Traffic()
	v := trafficView{Open: t.Connections.Open, Answers: t.Answers, Bytes: t.Bytes, Refused: some(t.Refused), Turned: some(connectionRefusals(t.Connections))}
	for _, count := range t.Answers {
		v.Requests += count
	}
	return v
}

// connectionRefusals are the connections that got no place, or lost it.
func connectionRefusals(s listen.Stats) map[string]int64 {
	return map[string]int64{
		"address": int64(s.RefusedIP), "network": int64(s.RefusedPrefix), "total": int64(s.RefusedTotal),
		"trusted": int64(s.RefusedTrusted), "proxy_header": int64(s.RefusedProxy), "idle": int64(s.Evicted),
	}
}

// some are the counts that are not zero.
func some(counts map[string]int64) map[string]int64 {
	counts = maps.Clone(counts)
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	return counts
}

// write adds the traffic to the status page: what was answered, and what was
// refused where, since the process began.
func (v trafficView) write(row func(name, format string, args ...any)) {
	row("traffic", "%s, %s sent, %s open", plural(int(v.Requests), "request"), size(v.Bytes), plural(v.Open, "connection"))
	if text := countWords(v.Turned); text != "" {
		row("refused", "connections: %s", text)
	}
	if text := countWords(v.Refused); text != "" {
		row("refused", "requests: %s", text)
	}
}

func countWords(counts map[string]int64) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, strings.ReplaceAll(name, "_", " ")+" "+thousands(counts[name]))
	}
	return strings.Join(words, ", ")
}
