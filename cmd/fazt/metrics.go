package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/VictoriaMetrics/metrics"

	"github.com/fazt-sh/fazt/reconcile"
)

// metrics answers in Prometheus' text form. Everything is read when it is asked
// for, from what the node keeps anyway: a node that nobody watches pays nothing.
func (n *node) metrics(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	n.writeTraffic(w)
	n.writeLoop(w)
	for _, c := range n.certificates() {
		if !c.NotAfter.IsZero() {
			metrics.WriteGaugeUint64(w, labelled("fazt_certificate_not_after_seconds", "host", c.Host), uint64(max(c.NotAfter.Unix(), 0)))
		}
	}
	n.writeCode(w)
	n.writeMail(r.Context(), w)
	usage := n.edge.Usage()
	for _, addr := range slices.Sorted(maps.Keys(usage)) {
		metrics.WriteGaugeUint64(w, labelled("fazt_app_egress_month_bytes", "app", addr.Name()), uint64(usage[addr].Bytes))
	}
	metrics.WriteProcessMetrics(w)
}

func (n *node) writeTraffic(w io.Writer) {
	t := n.edge.Traffic()
	writeCounters(w, "fazt_requests_total", "class", t.Answers)
	metrics.WriteCounterUint64(w, "fazt_response_bytes_total", uint64(t.Bytes))
	writeCounters(w, "fazt_refused_total", "layer", t.Refused)
	writeCounters(w, "fazt_connections_refused_total", "reason", connectionRefusals(t.Connections))
	metrics.WriteGaugeUint64(w, "fazt_connections_open", uint64(t.Connections.Open))
	metrics.WriteGaugeUint64(w, "fazt_connections_idle", uint64(t.Connections.Idle))
}

func (n *node) writeLoop(w io.Writer) {
	status := n.loop.Status()
	metrics.WriteGaugeUint64(w, "fazt_generation", status.Generation)
	metrics.WriteGaugeUint64(w, labelled("fazt_phase", "phase", string(status.Phase)), 1)
	states := map[reconcile.AppState]uint64{reconcile.AppLive: 0}
	for _, a := range status.Apps {
		states[a.State]++
	}
	for _, state := range slices.Sorted(maps.Keys(states)) {
		metrics.WriteGaugeUint64(w, labelled("fazt_apps", "state", string(state)), states[state])
	}
	metrics.WriteGaugeUint64(w, "fazt_holds", uint64(len(status.Holds)))
}

// writeCode tells what apps' code did: messages over frames is what travels together,
// writes over transactions what is committed together.
func (n *node) writeCode(w io.Writer) {
	did := n.scripts.Stats()
	for _, c := range []struct {
		name  string
		count uint64
	}{
		{"fazt_code_invocations_total", did.Invocations}, {"fazt_code_host_calls_total", did.Calls},
		{"fazt_code_respawns_total", did.Respawns}, {"fazt_code_retries_total", did.Retries},
		{labelled("fazt_code_messages_total", "to", "node"), did.MessagesIn}, {labelled("fazt_code_messages_total", "to", "child"), did.MessagesOut},
		{labelled("fazt_code_frames_total", "to", "node"), did.FramesIn}, {labelled("fazt_code_frames_total", "to", "child"), did.FramesOut},
	} {
		metrics.WriteCounterUint64(w, c.name, c.count)
	}
	metrics.WriteGaugeUint64(w, "fazt_code_running", uint64(max(did.Running, 0)))
	metrics.WriteGaugeUint64(w, "fazt_code_machines", uint64(max(did.Machines, 0)))
	metrics.WriteGaugeUint64(w, "fazt_code_quarantined", uint64(len(did.Quarantined)))
	kept := n.edge.Kept()
	for _, addr := range slices.Sorted(maps.Keys(kept)) {
		metrics.WriteCounterUint64(w, labelled("fazt_app_writes_total", "app", addr.Name()), kept[addr].Writes)
		metrics.WriteCounterUint64(w, labelled("fazt_app_transactions_total", "app", addr.Name()), kept[addr].Transactions)
	}
}

// writeMail tells what became of the mail of sign-in. What waits is left out where the
// record cannot be read.
func (n *node) writeMail(ctx context.Context, w io.Writer) {
	did, err := n.ground.Mail.Stats(ctx)
	metrics.WriteCounterUint64(w, labelled("fazt_mail_total", "outcome", "failed"), uint64(did.Failed))
	metrics.WriteCounterUint64(w, labelled("fazt_mail_total", "outcome", "sent"), uint64(did.Sent))
	if err == nil {
		metrics.WriteGaugeUint64(w, "fazt_mail_waiting", uint64(did.Waiting))
	}
}

// writeCounters writes one counter for each value of a label, the zeros too: a
// series that begins at its first event hides that event from rate().
func writeCounters(w io.Writer, name, label string, counts map[string]int64) {
	for _, value := range slices.Sorted(maps.Keys(counts)) {
		metrics.WriteCounterUint64(w, labelled(name, label, value), uint64(counts[value]))
	}
}

// labelled is a metric's name with one label. Values are names of ours and hosts
// of the configuration, which hold nothing to escape.
func labelled(name, label, value string) string { return fmt.Sprintf("%s{%s=%q}", name, label, value) }
