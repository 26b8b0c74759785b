package spec

import "fmt"

func queueBlock() Block {
	number := func(name, usual, low, high, doc string) Attribute {
		return Attribute{Name: name, Type: TypeNumber, Default: usual, Min: low, Max: high, Doc: doc, Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"}
	}
	wait := func(name, usual, low, high, doc string) Attribute {
		return Attribute{Name: name, Type: TypeDuration, Default: `"` + usual + `"`, Min: low, Max: high, Doc: doc, Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"}
	}
	return Block{
		Name: "queue", Labels: []string{bindingLabel}, Since: "0.4.0",
		Doc:     "Work for later, as `env.NAME`: what is sent comes to the app's queue handler, at least once.",
		Example: "queue \"MAIL\" {\n  retries = 8\n  backoff = \"30s\"\n}",
		Attributes: []Attribute{
			number("retries", "5", "0", "100", "how often a message is tried again that failed; then it is kept aside, for somebody to look at"),
			wait("backoff", "10s", "1s", "1h", "the wait before the second try, three times as long before each next one, an hour at most; up to half of it is left out at random, so that what failed together does not come together"),
			number("batch", "10", "1", "100", "messages that one call gets at most"),
			number("concurrency", "1", "1", "64", "calls at once"),
			wait("keep", "14d", "1h", "365d", "how long what failed is kept"),
		},
	}
}

func cronBlock() Block {
	return Block{
		Name: "cron", Labels: []string{"name"}, Since: "0.4.0",
		Doc:     "A call of the app's scheduled handler at set times.",
		Example: "cron \"digest\" {\n  at   = \"0 7 * * 1-5\"\n  zone = \"Europe/Berlin\"\n}",
		Attributes: []Attribute{
			{Name: "at", Type: TypeString, Required: true, Doc: "minute, hour, day, month and weekday (0 is sunday), each a *, a number, a range 1-5, a step */10 or a list of these; months and weekdays also by name. Days and weekdays that are both given count each for itself", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "zone", Type: TypeString, Default: `"` + utc + `"`, Doc: "the time zone that the times are of, with its summer time", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "catch_up", Type: TypeString, Default: `"` + CatchUpOne + `"`, Allowed: []string{CatchUpOne, CatchUpNone}, Doc: "one: if runs were missed while the node was away, one of them is made up for; none: they are not", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
		},
	}
}

// work fills in what an app does later and at set times.
func (a *App) work(app *decoded, r *reporter) {
	first := map[string]*decoded{}
	for _, d := range app.blocks {
		switch d.block.Type {
		case "queue":
			a.Queues = append(a.Queues, queueOf(d))
		case "cron":
			name := d.block.label()
			if other := first[name]; other != nil {
				r.twice(d.block.name(), d.block.written(), other.block.name())
				continue
			}
			first[name] = d
			a.Cron = append(a.Cron, cronOf(d, r))
		}
	}
	sortBy(a.Queues, func(q Queue) string { return q.Name })
	sortBy(a.Cron, func(c Cron) string { return c.Name })
}

func queueOf(d *decoded) Queue {
	q := Queue{
		Name: d.block.label(), BackoffMS: d.number("backoff"), Batch: int(d.number("batch")),
		Concurrency: int(d.number("concurrency")), KeepMS: d.number("keep"),
	}
	if n, given := d.values["retries"].(int64); given && n != defaultRetries {
		retries := int(n)
		q.Retries = &retries
	}
	usual := DefaultQueue()
	drop(&q.BackoffMS, usual.BackoffMS)
	drop(&q.Batch, usual.Batch)
	drop(&q.Concurrency, usual.Concurrency)
	drop(&q.KeepMS, usual.KeepMS)
	return q
}

func cronOf(d *decoded, r *reporter) Cron {
	c := Cron{Name: d.block.label(), CatchUp: d.string("catch_up"), Zone: d.string("zone")}
	if !validName(c.Name) {
		r.error(codeName, d.block.name(), fmt.Sprintf("%s is not a name for a cron", quoted(c.Name)), nameHelp)
	}
	if text, given := d.values["at"].(string); given {
		at, fault := parseSchedule(text)
		if fault != "" {
			r.error(codeSchedule, d.at("at"), fmt.Sprintf("%s is no schedule: %s", quoted(text), fault), `write minute, hour, day, month and weekday, such as "0 7 * * 1-5"`)
		}
		c.At = at
	}
	if _, given := d.values["zone"]; given && !isZone(c.Zone) {
		help := `write it as "Europe/Berlin" or "UTC"`
		if fixed := zoneSpelling(c.Zone); fixed != "" {
			help = fmt.Sprintf("did you mean %q?", fixed)
		}
		r.error(codeSchedule, d.at("zone"), fmt.Sprintf("%s is not a time zone", quoted(c.Zone)), help)
	}
	drop(&c.Zone, utc)
	drop(&c.CatchUp, CatchUpOne)
	return c
}
