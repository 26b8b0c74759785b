package spec

import (
	"cmp"
	"fmt"
)

// limitsBlock is the row of what the node bears.
func limitsBlock() Block {
	whole := func(name, usual, low, high, doc string) Attribute {
		return Attribute{Name: name, Type: TypeNumber, Default: usual, Min: low, Max: high, Doc: doc, Effect: EffectHot, Risk: RiskLow, Since: "0.3.0"}
	}
	size := func(name, usual, low, high, doc string) Attribute {
		return Attribute{Name: name, Type: TypeSize, Default: `"` + usual + `"`, Min: low, Max: high, Doc: doc, Effect: EffectHot, Risk: RiskLow, Since: "0.3.0"}
	}
	wait := func(name, usual, low, high, doc string) Attribute {
		return Attribute{Name: name, Type: TypeDuration, Default: `"` + usual + `"`, Min: low, Max: high, Doc: doc, Effect: EffectHot, Risk: RiskLow, Since: "0.3.0"}
	}
	return Block{
		Name:    "limits",
		Doc:     "What the node bears from all its visitors together and from each of them. There is at most one; without it every limit is at its default. Sizes are text such as \"25MiB\" or \"10MB\" or a number of bytes, lengths of time text such as \"500ms\" or a number of seconds.",
		Example: "limits {\n  connections     = 20000\n  requests_per_ip = { rate = 200, burst = 400 }\n  header_timeout  = \"10s\"\n  body            = \"10MiB\"\n}",
		Since:   "0.3.0",
		Once:    true,
		Attributes: []Attribute{
			whole("connections", "10000", "16", "1000000", "connections at once; what comes above them is refused at accept"),
			whole("connections_per_ip", "50", "1", "1000000", "connections at once of one client, never more than connections"),
			requestsPerIPRow(),
			wait("header_timeout", "5s", "1s", "60s", "how long the head of a request may take"),
			wait("body_timeout", "30s", "1s", "1h", "how long the body of a request may take"),
			wait("write_timeout", "30s", "1s", "1h", "how long one part of an answer may wait for the visitor to take it"),
			wait("idle_timeout", "75s", "1s", "1h", "how long a connection may wait for its next request"),
			size("min_body_rate", "1KiB", "0", "1MiB", "what a body must bring in a second, so that a slow client is not a slow attack; 0 asks for nothing"),
			size("header_bytes", "32KiB", "4KiB", "1MiB", "the head of a request, all of it"),
			whole("headers", "100", "10", "1000", "fields in the head of a request"),
			size("url", "8KiB", "1KiB", "32KiB", "the URL of a request, never more than header_bytes"),
			size("body", "1MiB", "1KiB", "1GiB", "the body of a request; an app may declare another"),
			whole("ipv6_prefix", "64", "32", "64", "bits of an IPv6 address that tell one client from another"),
			whole("streams", "100", "1", "1000", "HTTP/2 requests at once on one connection"),
		},
	}
}

func requestsPerIPRow() Attribute {
	return Attribute{
		Name: "requests_per_ip", Type: TypeObject, Default: `{ rate = 500, burst = 1000 }`, Effect: EffectHot, Risk: RiskLow, Since: "0.3.0",
		Doc: "requests of one client; above them it is told to wait (429)",
		Attributes: []Attribute{
			{Name: "rate", Type: TypeDecimal, Required: true, Min: "0.001", Max: "1000000", Doc: "a second, on average", Since: "0.3.0"},
			{Name: "burst", Type: TypeNumber, Default: "twice the rate", Min: "1", Max: "2000000", Doc: "at once", Since: "0.3.0"},
		},
	}
}

// limits evaluates the limits block, if there is one.
func (l *load) limits(b *block) {
	if b == nil {
		return
	}
	r := l.report.about("limits", b.written())
	s := l.fullScope(l.shared.reader)
	d := l.decodeBlock(b, s, r)
	l.shared.namesApps = l.shared.namesApps || len(s.appRefs) > 0
	declared := limitsOf(d)
	declared.judge(d, r)
	l.keep(r)
	o := l.lang.newObject("limits", KindLimits, declared.short())
	o.Range, o.At = rangeOf(b.Place), d.places()
	l.shared.limits = &o
}

// limitsOf are the limits that a block sets.
func limitsOf(d *decoded) Limits {
	l := Limits{
		Connections: int(d.number("connections")), ConnectionsPerIP: int(d.number("connections_per_ip")),
		HeaderTimeoutMS: d.number("header_timeout"), BodyTimeoutMS: d.number("body_timeout"),
		WriteTimeoutMS: d.number("write_timeout"), IdleTimeoutMS: d.number("idle_timeout"),
		MinBodyRate: d.number("min_body_rate"), HeaderBytes: d.number("header_bytes"), URL: d.number("url"), Body: d.number("body"),
		Headers: int(d.number("headers")), Streams: int(d.number("streams")), IPv6Prefix: int(d.number("ipv6_prefix")),
	}
	if rate, ok := d.values["min_body_rate"]; ok && rate == int64(0) {
		l.MinBodyRate = -1
	}
	if o, ok := d.values["requests_per_ip"].(object); ok {
		l.RequestsPerIP.Rate, _ = o.values["rate"].(float64)
		burst, _ := o.values["burst"].(int64)
		l.RequestsPerIP.Burst = int(burst)
	}
	return l
}

// judge reports limits that another one would hide.
func (l Limits) judge(d *decoded, r *reporter) {
	all := l.Filled()
	if all.ConnectionsPerIP > all.Connections {
		r.error(codeTogether, d.at("connections_per_ip"), fmt.Sprintf("%q is %d, more than the %d of %q", "connections_per_ip", all.ConnectionsPerIP, all.Connections, "connections"),
			"lower it, or raise connections")
	}
	if all.URL > all.HeaderBytes {
		r.error(codeTogether, d.at("url"), fmt.Sprintf("%q is %s, more than the %s of %q", "url", FormatSize(all.URL), FormatSize(all.HeaderBytes), "header_bytes"),
			"lower it, or raise header_bytes: the URL is a part of the head")
	}
}

// DefaultLimits are the limits of a node whose configuration sets none.
func DefaultLimits() Limits {
	return Limits{
		Connections: 10_000, ConnectionsPerIP: 50, RequestsPerIP: Rate{Rate: 500, Burst: 1000},
		HeaderTimeoutMS: 5000, BodyTimeoutMS: 30_000, WriteTimeoutMS: 30_000, IdleTimeoutMS: 75_000,
		MinBodyRate: 1 << 10, HeaderBytes: 32 << 10, URL: 8 << 10, Body: 1 << 20,
		Headers: 100, Streams: 100, IPv6Prefix: 64,
	}
}

// Filled are the limits that hold: what is not set is at its default. Filled
// again they are the same.
func (l Limits) Filled() Limits {
	usual := DefaultLimits()
	l.Connections = cmp.Or(l.Connections, usual.Connections)
	l.ConnectionsPerIP = cmp.Or(l.ConnectionsPerIP, min(usual.ConnectionsPerIP, l.Connections))
	if l.RequestsPerIP.Rate == 0 {
		l.RequestsPerIP.Rate = usual.RequestsPerIP.Rate
	}
	l.RequestsPerIP.Burst = cmp.Or(l.RequestsPerIP.Burst, burstOf(l.RequestsPerIP.Rate))
	l.HeaderTimeoutMS = cmp.Or(l.HeaderTimeoutMS, usual.HeaderTimeoutMS)
	l.BodyTimeoutMS = cmp.Or(l.BodyTimeoutMS, usual.BodyTimeoutMS)
	l.WriteTimeoutMS = cmp.Or(l.WriteTimeoutMS, usual.WriteTimeoutMS)
	l.IdleTimeoutMS = cmp.Or(l.IdleTimeoutMS, usual.IdleTimeoutMS)
	l.MinBodyRate = cmp.Or(l.MinBodyRate, usual.MinBodyRate)
	l.HeaderBytes = cmp.Or(l.HeaderBytes, usual.HeaderBytes)
	l.URL = cmp.Or(l.URL, min(usual.URL, l.HeaderBytes))
	l.Body = cmp.Or(l.Body, usual.Body)
	l.Headers = cmp.Or(l.Headers, usual.Headers)
	l.Streams = cmp.Or(l.Streams, usual.Streams)
	l.IPv6Prefix = cmp.Or(l.IPv6Prefix, usual.IPv6Prefix)
	return l
}

// short leaves out what Filled puts there.
func (l Limits) short() Limits {
	usual := Limits{Connections: l.Connections, HeaderBytes: l.HeaderBytes, RequestsPerIP: Rate{Rate: l.RequestsPerIP.Rate}}.Filled()
	drop(&l.ConnectionsPerIP, usual.ConnectionsPerIP)
	drop(&l.URL, usual.URL)
	drop(&l.RequestsPerIP.Burst, usual.RequestsPerIP.Burst)
	usual = DefaultLimits()
	drop(&l.Connections, usual.Connections)
	if l.RequestsPerIP.Burst == 0 {
		drop(&l.RequestsPerIP.Rate, usual.RequestsPerIP.Rate)
	}
	drop(&l.HeaderTimeoutMS, usual.HeaderTimeoutMS)
	drop(&l.BodyTimeoutMS, usual.BodyTimeoutMS)
	drop(&l.WriteTimeoutMS, usual.WriteTimeoutMS)
	drop(&l.IdleTimeoutMS, usual.IdleTimeoutMS)
	drop(&l.MinBodyRate, usual.MinBodyRate)
	drop(&l.HeaderBytes, usual.HeaderBytes)
	drop(&l.Body, usual.Body)
	drop(&l.Headers, usual.Headers)
	drop(&l.Streams, usual.Streams)
	drop(&l.IPv6Prefix, usual.IPv6Prefix)
	return l
}

// drop makes a value zero that says what would be there anyway.
func drop[T comparable](v *T, usual T) {
	if *v == usual {
		var zero T
		*v = zero
	}
}

// Written are the limits that are set, by the names and in the units of the
// language: whole numbers, decimals and texts, requests_per_ip as a map of
// them. What is written is read back as the same limits.
func (l Limits) Written() map[string]any {
	w := written{}
	w.number("connections", l.Connections)
	w.number("connections_per_ip", l.ConnectionsPerIP)
	if l.RequestsPerIP != (Rate{}) {
		rate := written{"rate": cmp.Or(l.RequestsPerIP.Rate, DefaultLimits().RequestsPerIP.Rate)}
		rate.number("burst", l.RequestsPerIP.Burst)
		w["requests_per_ip"] = map[string]any(rate)
	}
	w.duration("header_timeout", l.HeaderTimeoutMS)
	w.duration("body_timeout", l.BodyTimeoutMS)
	w.duration("write_timeout", l.WriteTimeoutMS)
	w.duration("idle_timeout", l.IdleTimeoutMS)
	w.size("min_body_rate", l.MinBodyRate)
	w.size("header_bytes", l.HeaderBytes)
	w.number("headers", l.Headers)
	w.size("url", l.URL)
	w.size("body", l.Body)
	w.number("ipv6_prefix", l.IPv6Prefix)
	w.number("streams", l.Streams)
	return w
}
