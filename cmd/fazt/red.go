package main

import (
	"strings"

	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
)

// What is wrong is red wherever somebody looks. The words say it too: colours
// are for a terminal only.

// redState paints the state of an app, unless it is as it should be: live, or
// switched off by its own block.
func redState(w *op.Screen, state string) string {
	if state == string(reconcile.AppLive) || state == string(reconcile.AppDisabled) {
		return state
	}
	return w.Paint(op.Red, state)
}

// redPhase paints a phase of the node that lasts and is not where it should be.
func redPhase(w *op.Screen, phase reconcile.Phase) string {
	switch phase {
	case reconcile.Idle, reconcile.Synced, reconcile.Fetching, reconcile.Loading, reconcile.Planning, reconcile.Staging:
		return string(phase)
	}
	return w.Paint(op.Red, string(phase))
}

// redOutcome paints what did not go live, or was left for an earlier release.
func redOutcome(w *op.Screen, outcome string) string {
	switch outcome {
	case reconcile.DeployFailed, reconcile.DeployStalled, leftBehind:
		return w.Paint(op.Red, outcome)
	}
	return outcome
}

// problemLine writes what is wrong as a line that stands out.
func problemLine(w *op.Screen, text string) {
	w.Printf("%s\n", w.Paint(op.Red, "! "+strings.TrimRight(text, "\n")))
}
