package main

import (
	"log/slog"
	"slices"

	"github.com/fazt-sh/fazt/platform/op"
)

// The headings of help, in the order in which one comes to need them.
const (
	groupBegin  = "begin"
	groupWrite  = "write configuration"
	groupChange = "change a node"
	groupLook   = "look at a node"
	groupData   = "what apps keep"
	groupPeople = "people"
	groupPeers  = "other nodes"
	groupMore   = "more"
)

// table is every operation: with a node its behaviour, with nil the shape for
// help, parsing and documents, and what works offline.
func table(n *node, log *slog.Logger) op.Table {
	return slices.Concat(
		languageOps(log),
		planOps(n, loader{log}),
		rollbackOps(n),
		holdOps(n),
		trashOps(n),
		statusOps(n),
		historyOps(n),
		exportOps(n),
		whyOps(n),
		traceOps(n),
		accessOps(n),
		userOps(n),
		inviteOps(n),
		sessionOps(n),
		tokenOps(n),
		driftOps(n),
		diffOps(n),
		eventOps(n),
		auditOps(n),
		appOps(n),
		logOps(n),
		usageOps(n),
		callOps(n),
		kvOps(n),
		docOps(n),
		blobOps(n),
		queueOps(n),
		cronOps(n),
		sqlOps(n),
		backupOps(n),
		restoreOps(n),
		transferOps(n),
		certOps(n),
		domainOps(n),
		doctorOps(n),
		aboutOps(),
		op.Table{helpOp(func() op.Table { return grouped(table(n, log)) })},
	)
}

// verbs are the commands that are this process or this machine's own
// settings, and so take no @peer.
func (p *program) verbs() op.Table {
	return slices.Concat(
		op.Table{p.initOp(), p.devOp(), p.testOp(), p.serveOp(), p.nodeInitOp()},
		p.secretOps(),
		p.peerOps(),
		op.Table{p.completionOp()},
	)
}

// grouped sorts rows by their heading; within one the order stays.
func grouped(t op.Table) op.Table {
	order := []string{groupBegin, groupWrite, groupChange, groupLook, groupData, groupPeople, groupPeers, groupMore}
	t = slices.Clone(t)
	slices.SortStableFunc(t, func(a, b op.Op) int {
		return slices.Index(order, a.Row().Group) - slices.Index(order, b.Row().Group)
	})
	return t
}
