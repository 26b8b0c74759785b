package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// defaultPort is where hosts are reached: HTTPS.
const defaultPort = 443

func serviceBlock() Block {
	return Block{
		Name: "service", Labels: []string{bindingLabel}, Since: "0.4.0",
		Doc:     "Another app of the node, as `env.NAME`: its fetch is answered by that app, without the network between.",
		Example: "service \"SEARCH\" { app = app.search }",
		Attributes: []Attribute{
			{Name: "app", Type: TypeApp, Required: true, Doc: `the other app: app.NAME, or app.NAME["KEY"] for one key of for_each`, Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
		},
	}
}

func egressBlock() Block {
	return Block{
		Name: "egress", Labels: []string{"host"}, Since: "0.4.0",
		Doc:     "A host that the app's code may reach; no other answers. `*.example.com` is every name one level below. Addresses of private networks are refused, whatever a name resolves to.",
		Example: "egress \"api.stripe.com\" {\n  header = { Authorization = secret.stripe }\n}",
		Attributes: []Attribute{
			{Name: "header", Type: TypeSettings, Doc: "headers that the node sets on each request, texts and secrets; the code never sees them", Effect: EffectHot, Risk: RiskMedium, Since: "0.4.0"},
			{Name: "methods", Type: TypeStrings, Default: "all", Doc: "the methods that are let through", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "ports", Type: TypeNumbers, Default: "[443]", Doc: "the ports; plain HTTP is on 80", Effect: EffectHot, Risk: RiskMedium, Since: "0.4.0"},
		},
	}
}

// reach fills in whom an app's code may talk to.
func (a *App) reach(app *decoded, r *reporter) {
	first := map[string]*decoded{}
	for _, d := range app.blocks {
		switch d.block.Type {
		case "service":
			s := Service{Name: d.block.label()}
			s.App, _ = d.values["app"].(Addr)
			a.Services = append(a.Services, s)
		case "egress":
			e := egressOf(d, r)
			if other := first[e.Host]; other != nil && e.Host != "" {
				r.twice(d.block.name(), d.block.written(), other.block.name())
				continue
			}
			first[e.Host] = d
			a.Egress = append(a.Egress, e)
		}
	}
	sortBy(a.Services, func(s Service) string { return s.Name })
	sortBy(a.Egress, func(e Egress) string { return e.Host })
}

func egressOf(d *decoded, r *reporter) Egress {
	host, err := ParseHostPattern(d.block.label())
	summary, help := hostFinding(d.block.label(), `"api.example.com" or "*.example.com"`, err)
	if errors.Is(err, ErrAddress) {
		help = "name the host: certificates are for names, and whom an address belongs to changes"
	}
	if below := strings.TrimPrefix(host, "*."); summary == "" && !strings.Contains(below, ".") {
		summary = fmt.Sprintf("%s is not the full name of a host", quoted(d.block.label()))
		help = "the node's own network is out of reach; another app of the node is a service block"
	}
	if summary != "" {
		r.error(codeHost, d.block.name(), summary, help)
	}
	return Egress{Host: host, Header: egressHeaders(d, r), Methods: methodsOf(d, r), Ports: portsOf(d, r)}
}

// egressHeaders are the headers that the node sets, by their canonical names.
func egressHeaders(d *decoded, r *reporter) map[string]EnvValue {
	set, _ := d.values["header"].(map[string]EnvValue)
	headers := map[string]EnvValue{}
	for _, written := range sortedKeys(set) {
		name, value := canonicalHeader(written), set[written]
		fault := headerFault(name, value.Text)
		if name == "Host" {
			fault = "it is the host of the block"
		}
		if _, twice := headers[name]; twice && fault == "" {
			fault = "it is there twice"
		}
		if fault != "" {
			r.error(codeHeader, d.spot("header").keyAt(written), fmt.Sprintf("header %s cannot be set: %s", quoted(written), fault), "")
		}
		headers[name] = value
	}
	return headers
}

func methodsOf(d *decoded, r *reporter) []string {
	list, given := d.values["methods"].([]string)
	if given && len(list) == 0 {
		r.error(codeValue, d.at("methods"), fmt.Sprintf("%q is empty", d.prefix+"methods"), "leave it out to let all methods through")
	}
	var methods []string
	for i, text := range list {
		m := strings.ToUpper(text)
		if m == "CONNECT" || m == "TRACE" || m == "" || strings.ContainsFunc(m, func(c rune) bool { return !isToken(c) }) {
			r.error(codeValue, d.spot("methods").index(i).at(), fmt.Sprintf("%s is not a method that can be let through", quoted(text)), `write methods = ["GET", "POST"]`)
		}
		methods = append(methods, m)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

func portsOf(d *decoded, r *reporter) []int {
	list, given := d.values["ports"].([]int64)
	if given && len(list) == 0 {
		r.error(codeValue, d.at("ports"), fmt.Sprintf("%q is empty", d.prefix+"ports"), "leave it out, and it is port 443")
	}
	var ports []int
	for i, n := range list {
		if n < 1 || n > 65535 {
			r.error(codeValue, d.spot("ports").index(i).at(), fmt.Sprintf("%d is not a port", n), "ports are 1 to 65535")
		}
		ports = append(ports, int(n))
	}
	slices.Sort(ports)
	if ports = slices.Compact(ports); slices.Equal(ports, []int{defaultPort}) {
		return nil
	}
	return ports
}
