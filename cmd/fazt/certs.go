package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// certView is the certificate of one host.
type certView struct {
	Host      string    `json:"host"`
	State     string    `json:"state"` // ok, renewing, waiting, failing, needs_dns, unsupported, file
	Issuer    string    `json:"issuer,omitempty"`
	Names     []string  `json:"names,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Error     string    `json:"error,omitempty"`
	Next      time.Time `json:"next,omitzero"`
}

type certListOut struct {
	Mode         string     `json:"mode"`
	Pin          string     `json:"pin,omitempty"` // of the node's own CA
	Certificates []certView `json:"certificates"`
}

// WriteText is a line for each host, and what is wrong below.
func (o certListOut) WriteText(w *op.Screen) error {
	if o.Mode == string(cert.Off) {
		w.Printf("tls is off: edge { tls = { mode = \"acme\" } } turns it on\n")
		return nil
	}
	columns := []op.Column{{Name: "HOST", Keep: true}, {Name: "STATE", Keep: true}, {Name: "EXPIRES", Keep: true}, {Name: "ISSUER"}, {Name: "NEXT"}}
	var rows [][]string
	for _, c := range o.Certificates {
		next := ""
		if !c.Next.IsZero() {
			next = "in " + span(time.Until(c.Next))
		}
		rows = append(rows, []string{c.Host, c.State, expiry(c.NotAfter), c.Issuer, next})
	}
	if err := w.Table(columns, rows); err != nil {
		return err
	}
	for _, c := range o.Certificates {
		if c.Error != "" {
			w.Printf("! %s: %s\n", c.Host, c.Error)
		}
	}
	if o.Pin != "" {
		w.Printf("pin of this node's own CA: %s\n", o.Pin)
	}
	return nil
}

// expiry is how long a certificate holds.
func expiry(t time.Time) string {
	switch left := time.Until(t); {
	case t.IsZero():
		return "-"
	case left <= 0:
		return "expired " + ago(t)
	default:
		return "in " + span(left)
	}
}

type certHostIn struct {
	Host string `arg:"" help:"a host of this node" json:"host"`
}

type certRenewOut struct{ certView }

// WriteText says until when the new one holds.
func (o certRenewOut) WriteText(w *op.Screen) error {
	w.Printf("%s has a new certificate from %s, until %s\n", o.Host, o.Issuer, o.NotAfter.UTC().Format(time.RFC3339))
	return nil
}

func certOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "cert list", Group: groupLook, Summary: "list the certificates of a node's hosts", Effect: op.Read, Needs: op.Observe, Since: "0.3.0",
			Examples: []op.Example{{Command: "cert list"}, {Command: "@prod cert list --json"}},
		}, on(n, func(ctx context.Context, n *node, _ noIn) (certListOut, error) {
			return certListOut{Mode: n.edge.TLSMode(), Pin: n.ownPin(), Certificates: append([]certView{}, n.certificates()...)}, nil
		})),
		op.New(op.Row{
			Name: "cert renew", Group: groupChange, Summary: "have a host's certificate made anew now", Effect: op.Change, Needs: op.Deploy, Since: "0.3.0",
			Detail:   "Certificates renew by themselves when a third of their life is left. This is for a key that may have been seen, or a CA that asks for it.",
			Examples: []op.Example{{Command: "cert renew www.example.com"}},
			Exits:    map[int]string{5: "tls is off", 6: "the node does not have that host", 7: "the CA does not answer"},
		}, on(n, func(ctx context.Context, n *node, in certHostIn) (certRenewOut, error) { return n.renew(ctx, in.Host) })),
	}
}

// ownPin is the pin of the node's own CA, empty where that signs nothing.
func (n *node) ownPin() string {
	if n.certs == nil || n.edge.TLSMode() != string(cert.Internal) {
		return ""
	}
	return pinOfPEM(n.certs.CA())
}

// pinOfPEM is the pin of a certificate as text, empty for what is none.
func pinOfPEM(text []byte) string {
	block, _ := pem.Decode(text)
	if block == nil {
		return ""
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	return pinOf(root)
}

// certificates are those of the hosts that are served, none where TLS is off.
func (n *node) certificates() []certView {
	if n.certs == nil {
		return nil
	}
	var views []certView
	for _, c := range n.certs.List() {
		views = append(views, certView{Host: c.Host, State: string(c.State), Issuer: c.Issuer, Names: c.Names, Serial: c.Serial,
			NotBefore: c.NotBefore, NotAfter: c.NotAfter, Error: c.Error, Next: c.Next})
	}
	return views
}

func (n *node) renew(ctx context.Context, host string) (certRenewOut, error) {
	if n.certs == nil || n.edge.TLSMode() == string(cert.Off) {
		return certRenewOut{}, fault.New(fault.Conflict, "tls is off on this node").WithHint("edge { tls = { mode = \"acme\" } } turns it on")
	}
	if err := n.certs.Renew(ctx, host); err != nil {
		return certRenewOut{}, err
	}
	for _, c := range n.certificates() {
		if c.Host == host {
			return certRenewOut{c}, nil
		}
	}
	return certRenewOut{}, fault.New(fault.NotFound, "%q left the configuration meanwhile", host).WithSubject(host)
}

// certWords is the line of the status page.
func certWords(list []certView) string {
	good, first := 0, time.Time{}
	for _, c := range list {
		if c.Error == "" && !c.NotAfter.IsZero() {
			good++
		}
		if !c.NotAfter.IsZero() && (first.IsZero() || c.NotAfter.Before(first)) {
			first = c.NotAfter
		}
	}
	text := fmt.Sprintf("%d of %s good", good, plural(len(list), "host"))
	if !first.IsZero() {
		text += ", the next ends " + expiry(first)
	}
	return text
}
