package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec"
)

type domainIn struct {
	Host string `arg:"" help:"a host name" json:"host"`
}

func domainOps(n *node) []op.Op {
	return []op.Op{op.New(op.Row{
		Name: "domain check", Group: groupLook, Summary: "find out whether a host can be served here", Effect: op.Read, Needs: op.Observe, Since: "0.3.0",
		Detail: "Looks at the configuration, the name server, the way back to this node and the certificate. A host that no app has " +
			"is looked up only: no connection is made to addresses that the configuration does not name.",
		Examples: []op.Example{{Command: "domain check www.example.com"}},
		Exits:    map[int]string{1: "a check failed", 3: "that is no host name"},
	}, on(n, func(ctx context.Context, n *node, in domainIn) (checksOut, error) { return n.checkDomain(ctx, in.Host) }))}
}

func (n *node) checkDomain(ctx context.Context, name string) (checksOut, error) {
	host, err := spec.ParseHost(name)
	if err != nil {
		return checksOut{}, fault.Wrap(fault.Invalid, err, "%q is no host name", name).WithSubject(name)
	}
	out := checksOut{Checks: []check{}}
	add := func(id string, c check) { c.ID = id; out.Checks = append(out.Checks, c) }
	addr, served := n.edge.Serves(host)
	if served {
		add("app", check{Verdict: checkOK, Message: "is served by " + string(addr)})
	} else {
		add("app", check{Verdict: checkWarn, Message: "no app has this host", Fix: fmt.Sprintf("app \"NAME\" { hosts = [%q] }", host)})
	}
	dns := checkHost(ctx, host, ownAddresses())
	dns.Subject = ""
	add("dns", dns)
	if !served || dns.Verdict == checkFail {
		return out, ctx.Err()
	}
	add("way", n.checkWay(ctx, host))
	for _, c := range n.checkCertificates(ctx) {
		if c.Subject == host || n.edge.TLSMode() == string(cert.Off) {
			c.Subject = ""
			add("certificate", c)
		}
	}
	return out, ctx.Err()
}

// wayTime bounds the request that a node sends to itself.
const wayTime = 5 * time.Second

// checkWay asks the host, over the net, for a word that only this node knows: it
// is what a CA does before it gives a certificate.
func (n *node) checkWay(ctx context.Context, host string) check {
	path, word, end := n.edge.Preflight()
	defer end()
	ctx, cancel := context.WithTimeout(ctx, wayTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		return check{Verdict: checkFail, Message: err.Error()}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: n.dialWay, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return check{Verdict: checkWarn, Message: "port 80 of " + host + " does not answer from here",
			Fix: "open port 80 to the world and listen on it (--listen :80); some networks let no machine reach itself by its public address"}
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, int64(len(word))+1))
	if string(said) != word {
		return check{Verdict: checkFail, Message: fmt.Sprintf("another server answers at port 80 of %s (%d)", host, resp.StatusCode),
			Fix: "let the name lead to this node, or let the proxy before it pass on " + path[:strings.LastIndexByte(path, '/')+1]}
	}
	return check{Verdict: checkOK, Message: "a request from here to port 80 came back to this node"}
}

// dialWay connects as the net would, but to names of this machine on the port
// this node really has: nobody else can reach those.
func (n *node) dialWay(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		addrs := n.edge.Addrs()
		if i := slices.IndexFunc(addrs, func(a net.Addr) bool { return a.Network() == "tcp" }); i >= 0 {
			addr = addrs[i].String()
		}
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}
