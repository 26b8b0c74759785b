package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"golang.org/x/sys/unix"
)

// verdict is how a check ended.
type verdict string

const (
	checkOK   verdict = "ok"
	checkWarn verdict = "warn" // works, and will not for long or not for everybody
	checkFail verdict = "fail"
	checkSkip verdict = "skip" // nothing to judge here
)

// check is one thing looked at, with the remedy where it is not well.
type check struct {
	ID      string  `json:"id"`
	Verdict verdict `json:"verdict"`
	Subject string  `json:"subject,omitempty"`
	Message string  `json:"message"`
	Fix     string  `json:"fix,omitempty"`
}

type doctorIn struct {
	Only []string `placeholder:"ID" help:"only these checks: clock, dns, ports, files, certificates, disk; may be repeated" json:"only"`
}

type checksOut struct {
	Checks []check `json:"checks"`
}

// Exit is 1 when a check failed.
func (o checksOut) Exit() int {
	if slices.ContainsFunc(o.Checks, func(c check) bool { return c.Verdict == checkFail }) {
		return 1
	}
	return 0
}

// WriteText is a line for each check, and what to do below those not well.
func (o checksOut) WriteText(w *op.Screen) error {
	counts := map[verdict]int{}
	for _, c := range o.Checks {
		counts[c.Verdict]++
		w.Printf("%-4s  %-12s  %s\n", c.Verdict, c.ID, c.line())
		if c.Fix != "" {
			w.Printf("      %-12s  fix: %s\n", "", c.Fix)
		}
	}
	w.Printf("%s: %d ok, %d to watch, %d failed, %d skipped\n", plural(len(o.Checks), "check"),
		counts[checkOK], counts[checkWarn], counts[checkFail], counts[checkSkip])
	return nil
}

func (c check) line() string {
	if c.Subject == "" {
		return c.Message
	}
	return c.Subject + ": " + c.Message
}

func doctorOps(n *node) []op.Op {
	return []op.Op{op.New(op.Row{
		Name: "doctor", Group: groupLook, Summary: "look for what keeps visitors away, and say how to mend it", Effect: op.Read, Needs: op.Observe, Since: "0.3.0",
		Detail: "Looks at the clock, the names of the hosts, the ports, the limits on open files, the certificates and the disk. " +
			"It changes nothing, and asks nobody but the machine's own name server.",
		Examples: []op.Example{{Command: "doctor"}, {Command: "@prod doctor --only dns --only certificates"}},
		Exits:    map[int]string{1: "a check failed"},
	}, on(n, func(ctx context.Context, n *node, in doctorIn) (checksOut, error) { return n.doctor(ctx, in) }))}
}

// examinations are the checks in the order in which one fault explains the next.
func (n *node) examinations() []struct {
	id  string
	run func(context.Context) []check
} {
	return []struct {
		id  string
		run func(context.Context) []check
	}{
		{"clock", n.checkClock}, {"disk", n.checkDisk}, {"files", n.checkFiles}, {"ports", n.checkPorts},
		{"dns", n.checkDNS}, {"certificates", n.checkCertificates},
	}
}

func (n *node) doctor(ctx context.Context, in doctorIn) (checksOut, error) {
	out := checksOut{Checks: []check{}}
	var known []string
	for _, e := range n.examinations() {
		known = append(known, e.id)
	}
	for _, id := range in.Only {
		if !slices.Contains(known, id) {
			return out, fault.New(fault.Invalid, "there is no check %q", id).WithHint("the checks are %s", strings.Join(known, ", "))
		}
	}
	for _, e := range n.examinations() {
		if len(in.Only) > 0 && !slices.Contains(in.Only, e.id) {
			continue
		}
		for _, c := range e.run(ctx) {
			c.ID = e.id
			out.Checks = append(out.Checks, c)
		}
	}
	return out, ctx.Err()
}

// futureCommit is how far ahead of this clock a commit may be made by another.
const futureCommit = 5 * time.Minute

// checkClock asks the kernel whether anything keeps its time, and compares with
// the newest commit: certificates and tokens are judged by this clock.
func (n *node) checkClock(context.Context) []check {
	if at := n.loop.Status().Committed; time.Until(at) > futureCommit {
		return []check{{Verdict: checkFail, Message: fmt.Sprintf("the newest commit was made %s from now", span(time.Until(at))),
			Fix: "set this machine's clock: timedatectl set-ntp true"}}
	}
	var state unix.Timex
	if code, err := unix.Adjtimex(&state); err != nil || code == unix.TIME_ERROR {
		return []check{{Verdict: checkWarn, Message: "nothing keeps this machine's clock right", Fix: "timedatectl set-ntp true, or install chrony"}}
	}
	return []check{{Verdict: checkOK, Message: "kept right by a time server"}}
}

func (n *node) checkDisk(context.Context) []check {
	disk, err := n.ground.Disk()
	switch {
	case err != nil:
		return []check{{Verdict: checkFail, Message: err.Error()}}
	case disk.Low():
		return []check{{Verdict: checkFail, Message: fmt.Sprintf("%s of %s free", size(int64(disk.Free)), size(int64(disk.Total))),
			Fix: "make room on the disk of " + n.ground.Dir}}
	}
	return []check{{Verdict: checkOK, Message: fmt.Sprintf("%s of %s free", size(int64(disk.Free)), size(int64(disk.Total)))}}
}

// checkFiles compares how many files may be open with how many connections may.
func (n *node) checkFiles(context.Context) []check {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return []check{{Verdict: checkSkip, Message: err.Error()}}
	}
	connections := n.edge.Limits().Connections
	message := fmt.Sprintf("%s files may be open, for %s connections", thousands(int64(limit.Cur)), thousands(int64(connections)))
	if limit.Cur < uint64(connections)+spareFiles {
		return []check{{Verdict: checkWarn, Message: message,
			Fix: fmt.Sprintf("LimitNOFILE=%d in the unit, or lower limits.connections", 2*connections+spareFiles)}}
	}
	return []check{{Verdict: checkOK, Message: message}}
}

// spareFiles are descriptors beside those of connections: databases, the
// repository, files being sent.
const spareFiles = 512

// checkPorts asks each address of the web's own ports whether this node has it.
func (n *node) checkPorts(context.Context) []check {
	var list []check
	have := map[string]bool{}
	for _, a := range n.edge.Addrs() {
		_, port, _ := net.SplitHostPort(a.String())
		have[port] = true
		list = append(list, check{Verdict: checkOK, Subject: a.String(), Message: "is listened on"})
	}
	wanted := []string{"80"}
	if n.edge.TLSMode() != string(cert.Off) {
		wanted = append(wanted, "443")
	}
	for _, port := range wanted {
		if !have[port] {
			list = append(list, missingPort(port))
		}
	}
	return list
}

// missingPort tells why the node is not at a port that browsers come to.
func missingPort(port string) check {
	flag := map[string]string{"80": "--listen :80", "443": "--listen-tls :443"}[port]
	c := check{Verdict: checkWarn, Subject: ":" + port, Message: "nobody listens here, and browsers come here by themselves", Fix: "fazt serve " + flag}
	l, err := net.Listen("tcp", ":"+port)
	switch {
	case err == nil:
		_ = l.Close()
	case strings.Contains(err.Error(), "address already in use"):
		c.Message, c.Fix = "another program listens here", "let it pass requests on (edge.trusted_proxies), or stop it and run: fazt serve "+flag
	case os.IsPermission(err):
		c.Fix = "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, or a socket unit; then: fazt serve " + flag
	}
	return c
}

// checkDNS asks where each host leads.
func (n *node) checkDNS(ctx context.Context) []check {
	own := ownAddresses()
	var list []check
	for _, host := range n.edge.Hosts() {
		list = append(list, checkHost(ctx, host, own))
	}
	if len(list) == 0 {
		return []check{{Verdict: checkSkip, Message: "no app has a host"}}
	}
	return list
}

// lookupTime bounds one question to the name server.
const lookupTime = 5 * time.Second

func checkHost(ctx context.Context, host string, own []netip.Addr) check {
	c := check{Subject: host}
	name := host
	if rest, wild := strings.CutPrefix(host, "*."); wild {
		name = "fazt-check." + rest
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		c.Verdict, c.Message = checkSkip, "leads to this machine by its name"
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil || len(found) == 0 {
		c.Verdict, c.Message = checkFail, "has no address"
		c.Fix = "make an A (and AAAA) record for " + host + " that names this machine"
		return c
	}
	var here, elsewhere []string
	for _, a := range found {
		if slices.Contains(own, a.Unmap()) {
			here = append(here, a.Unmap().String())
		} else {
			elsewhere = append(elsewhere, a.Unmap().String())
		}
	}
	switch {
	case len(elsewhere) == 0:
		c.Verdict, c.Message = checkOK, "leads here ("+strings.Join(here, ", ")+")"
	case len(here) == 0:
		c.Verdict, c.Message = checkWarn, "leads to "+strings.Join(elsewhere, ", ")+", which no interface of this machine has"
		c.Fix = "nothing, if a proxy or the provider's network leads on from there; else mend the record"
	default:
		c.Verdict, c.Message = checkWarn, "leads here and to "+strings.Join(elsewhere, ", ")
		c.Fix = "take away the record that is not this machine's"
	}
	return c
}

// ownAddresses are those of this machine's interfaces.
func ownAddresses() []netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var own []netip.Addr
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, prefix.Addr().Unmap())
		}
	}
	return own
}

// soonExpires is when a certificate should long have been renewed.
const soonExpires = 7 * 24 * time.Hour

func (n *node) checkCertificates(context.Context) []check {
	if n.edge.TLSMode() == string(cert.Off) {
		return []check{{Verdict: checkSkip, Message: "tls is off"}}
	}
	var list []check
	for _, v := range n.certificates() {
		c := check{Verdict: checkOK, Subject: v.Host, Message: "ends " + expiry(v.NotAfter), Fix: ""}
		left := time.Until(v.NotAfter)
		switch {
		case v.NotAfter.IsZero() && v.Error == "" && (v.State == string(cert.Waiting) || v.State == string(cert.Renewing)):
			c.Verdict, c.Message, c.Fix = checkWarn, "is about to get its first one", "nothing: look again in a moment"
		case v.NotAfter.IsZero():
			c.Verdict, c.Message, c.Fix = checkFail, "has none ("+strings.ReplaceAll(v.State, "_", " ")+")", "fazt domain check "+v.Host
		case left <= 0:
			c.Verdict, c.Fix = checkFail, "fazt cert renew "+v.Host
		case left < soonExpires && v.Error != "":
			c.Verdict, c.Fix = checkWarn, "fazt domain check "+v.Host
		case v.NotBefore.After(time.Now()):
			c.Verdict, c.Message, c.Fix = checkFail, "holds only from "+v.NotBefore.UTC().Format(time.RFC3339), "set this machine's clock"
		}
		if v.Error != "" {
			c.Message += ": " + v.Error
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return []check{{Verdict: checkSkip, Message: "no app has a host"}}
	}
	return list
}
