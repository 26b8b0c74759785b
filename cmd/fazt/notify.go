package main

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// tellSupervisor says something to systemd, where the unit wants to hear it.
func (n *node) tellSupervisor(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.cfg.log.Warn("systemd was not told", "state", state, "error", err)
	}
}

// watchdog tells systemd twice per period that the node is alive. It asks the
// node itself first: a process that only has a timer left is not.
func (n *node) watchdog(ctx context.Context) error {
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil || period == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(period / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			n.loop.Status()
			n.edge.Stats()
			n.tellSupervisor(daemon.SdNotifyWatchdog)
		}
	}
}

// mainPID tells systemd which process is the service from now on.
func mainPID(pid int) string { return fmt.Sprintf("MAINPID=%d", pid) }
