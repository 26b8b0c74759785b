package plan

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// tenfold is how much a limit may grow before the plan says so: more is as
// often a slip of the hand as a wish.
const tenfold = 10

// limitsRisks says which of the node's limits become much wider. A side that
// is not there has the usual ones.
func limitsRisks(c *Change) {
	usual := limitsAttributes(spec.DefaultLimits())
	for _, f := range c.Fields {
		name := f.Path
		if len(f.Before) == 0 {
			f.Before = raw(usual[name])
		}
		if len(f.After) == 0 {
			f.After = raw(usual[name])
		}
		if name == "min_body_rate" { // the less it asks for, the more may pass
			if loosened(f.After, f.Before) {
				c.warn(spec.RiskMedium, "slow clients may hold a connection for longer: %s falls from %s to %s", name, plain(f.Before), plain(f.After))
			}
			continue
		}
		raised(c, name, f)
	}
}

// appLimitsRisks says which limits of an app become much wider, or end.
func appLimitsRisks(c *Change) {
	if c.Action == Create || c.Action.Removes() {
		return
	}
	for _, f := range c.Fields {
		if !strings.HasPrefix(f.Path, "limits.") {
			continue
		}
		if len(f.After) == 0 && len(f.Before) > 0 && f.Path != "limits.body" && f.Path != "limits.burst" {
			c.warn(spec.RiskMedium, "%s of %s is lifted: there is none any more", f.Path, c.Addr)
		}
		raised(c, f.Path, f)
	}
}

// raised says that a limit becomes much wider. A burst that only follows its
// rate is not worth a second sentence.
func raised(c *Change, name string, f Field) {
	rate := slices.IndexFunc(c.Fields, func(r Field) bool {
		return name == "limits.burst" && r.Path == "limits.requests_per_second" || name == "requests_per_ip.burst" && r.Path == "requests_per_ip.rate"
	})
	if rate >= 0 && loosened(c.Fields[rate].Before, c.Fields[rate].After) {
		return
	}
	if loosened(f.Before, f.After) {
		c.warn(spec.RiskMedium, "%s is raised more than tenfold, from %s to %s", name, plain(f.Before), plain(f.After))
	}
}

// loosened reports whether the second of two amounts is more than ten times
// the first.
func loosened(small, large json.RawMessage) bool {
	a, ok1 := amount(small)
	b, ok2 := amount(large)
	return ok1 && ok2 && b > tenfold*a
}

// amount is a limit as a number: as it is, of bytes or of seconds.
func amount(text json.RawMessage) (float64, bool) {
	if n, err := strconv.ParseFloat(string(text), 64); err == nil {
		return n, true
	}
	if n, err := spec.ParseSize(word(text)); err == nil {
		return float64(n), true
	}
	d, err := spec.ParseDuration(word(text))
	return d.Seconds(), err == nil
}

// plain is a limit in a sentence.
func plain(text json.RawMessage) string {
	if s := word(text); s != "" {
		return s
	}
	return string(text)
}
