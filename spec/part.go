package spec

// Part is a block inside an app, or inside one of those, as a person writes it.
type Part struct {
	Kind  string         // its type: runtime, sql, index
	Name  string         // its label; empty where it has none
	Args  map[string]any // string, bool, int, []string, []int, map[string]EnvValue or Addr, in the units of the language
	Parts []Part         // that stand inside it
}

// Addr is the address of a part of an app: app.notes.sql.DB.
func (p Part) Addr(app Addr) Addr {
	name := p.Kind
	switch {
	case p.Name == "":
	case plainName(p.Name):
		name += "." + p.Name
	default:
		name += `["` + p.Name + `"]`
	}
	return app + "." + Addr(name)
}

// plainName tells whether a name needs no quotes in an address; a host does.
func plainName(s string) bool { return bindingForm().MatchString(s) || validName(s) }

// Parts are the blocks of an app that have to do with its code, in the order of
// the language. An argument that is not set is left out: of what Filled returns
// nothing is that has a default.
func (a App) Parts() []Part {
	if a.Runtime == nil {
		return nil
	}
	parts := []Part{a.Runtime.part()}
	for _, b := range a.KV {
		parts = append(parts, Part{Kind: "kv", Name: b.Name})
	}
	if a.SQL != nil {
		w := written{}
		w.text("migrations", a.SQL.Migrations)
		w.text("durability", a.SQL.Durability)
		parts = append(parts, Part{Kind: "sql", Name: a.SQL.Name, Args: w})
	}
	for _, b := range a.Docs {
		parts = append(parts, b.part())
	}
	for _, b := range a.Blobs {
		w := written{}
		w.size("quota", b.Quota)
		w.text("serve", b.Serve)
		parts = append(parts, Part{Kind: "blobs", Name: b.Name, Args: w})
	}
	for _, q := range a.Queues {
		parts = append(parts, q.part())
	}
	for _, c := range a.Cron {
		w := written{}
		w.text("at", c.At)
		w.text("zone", c.Zone)
		w.text("catch_up", c.CatchUp)
		parts = append(parts, Part{Kind: "cron", Name: c.Name, Args: w})
	}
	for _, s := range a.Services {
		parts = append(parts, Part{Kind: "service", Name: s.Name, Args: written{"app": s.App}})
	}
	for _, e := range a.Egress {
		parts = append(parts, e.part())
	}
	if a.Health != nil {
		parts = append(parts, a.Health.part())
	}
	return parts
}

func (r Runtime) part() Part {
	w := written{}
	w.text("entry", r.Entry)
	w.list("routes", r.Routes)
	w.duration("cpu", r.CPUMS)
	w.duration("wall", r.WallMS)
	w.size("memory", r.Memory)
	w.truth("fresh", r.Fresh, false)
	w.text("isolation", r.Isolation)
	return Part{Kind: "runtime", Args: w}
}

func (d Docs) part() Part {
	p := Part{Kind: "docs", Name: d.Name}
	for _, i := range d.Indexes {
		w := written{}
		w.list("on", i.On)
		w.truth("unique", i.Unique, false)
		p.Parts = append(p.Parts, Part{Kind: "index", Name: i.Name, Args: w})
	}
	for _, r := range d.Rules {
		p.Parts = append(p.Parts, Part{Kind: "rule", Name: r.Name, Args: written{"when": ruleText(r.When.String())}})
	}
	return p
}

func (q Queue) part() Part {
	w := written{}
	if q.Retries != nil {
		w["retries"] = *q.Retries
	}
	w.duration("backoff", q.BackoffMS)
	w.number("batch", q.Batch)
	w.number("concurrency", q.Concurrency)
	w.duration("keep", q.KeepMS)
	return Part{Kind: "queue", Name: q.Name, Args: w}
}

func (e Egress) part() Part {
	w := written{}
	if len(e.Header) > 0 {
		w["header"] = e.Header
	}
	w.list("methods", e.Methods)
	if len(e.Ports) > 0 {
		w["ports"] = e.Ports
	}
	return Part{Kind: "egress", Name: e.Host, Args: w}
}

func (h Health) part() Part {
	w := written{}
	w.text("path", h.Path)
	w.duration("deadline", h.DeadlineMS)
	w.duration("window", h.WindowMS)
	w.truth("auto_revert", !h.NoRevert, true)
	return Part{Kind: "health", Args: w}
}

// Filled is the app with the values that hold for its code: what is not set is
// at its default.
func (a App) Filled() App {
	if a.Runtime == nil {
		return a
	}
	runtime := a.Runtime.Filled()
	a.Runtime = &runtime
	if a.SQL != nil {
		sql := a.SQL.Filled()
		a.SQL = &sql
	}
	a.Queues = each(a.Queues, Queue.Filled)
	a.Cron = each(a.Cron, Cron.Filled)
	a.Egress = each(a.Egress, Egress.Filled)
	if a.Health != nil {
		health := *a.Health
		if all := health.Filled(); health.WindowMS >= 0 {
			health = all
		} else {
			health.DeadlineMS = all.DeadlineMS
		}
		a.Health = &health
	}
	return a
}

func each[T any](list []T, of func(T) T) []T {
	var out []T
	for _, v := range list {
		out = append(out, of(v))
	}
	return out
}
