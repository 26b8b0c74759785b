package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// utc is the zone of schedules that name none.
const utc = "UTC"

// scheduleField is one of the five fields of a schedule.
type scheduleField struct {
	name, one string // minute, a minute
	low, high int
	words     []string // that stand for numbers, from low on
}

func scheduleFields() []scheduleField {
	return []scheduleField{
		{"minute", "a minute", 0, 59, nil},
		{"hour", "an hour", 0, 23, nil},
		{"day", "a day", 1, 31, nil},
		{"month", "a month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
		{"weekday", "a weekday", 0, 6, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
	}
}

// parseSchedule brings a schedule into canonical form, one space between its
// fields and names in upper case, or says what is wrong with it. It takes what
// every cron takes and nothing that they differ in.
func parseSchedule(text string) (at, fault string) {
	parts, fields := strings.Fields(strings.ToUpper(text)), scheduleFields()
	if len(parts) != len(fields) {
		return "", fmt.Sprintf("it has %s, not 5", count(len(parts), "field"))
	}
	values := make([][]int, len(fields))
	for i, f := range fields {
		if values[i], fault = f.parse(parts[i]); fault != "" {
			return "", fault
		}
	}
	if parts[4] == "*" && !comes(values[2], values[3]) {
		return "", "that day never comes"
	}
	return strings.Join(parts, " "), ""
}

// parse reads one field: the values that it stands for.
func (f scheduleField) parse(text string) (values []int, fault string) {
	for item := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(item, "/")
		low, high, fault := f.span(span, stepped)
		if fault != "" {
			return nil, fault
		}
		by := 1
		if stepped {
			n, err := strconv.Atoi(step)
			if err != nil || n < 1 || n > f.high {
				return nil, fmt.Sprintf("%s is not a step of the %s", quoted(step), f.name)
			}
			by = n
		}
		for v := low; v <= high; v += by {
			values = append(values, v)
		}
	}
	return values, ""
}

// span reads *, 5 or 1-5. A single number has no steps: what 5/10 means is not
// the same everywhere.
func (f scheduleField) span(text string, stepped bool) (low, high int, fault string) {
	if text == "*" {
		return f.low, f.high, ""
	}
	from, to, ranged := strings.Cut(text, "-")
	if stepped && !ranged {
		return 0, 0, fmt.Sprintf("steps of the %s need a * or a range before them", f.name)
	}
	low, okLow := f.number(from)
	high, okHigh := low, true
	if ranged {
		high, okHigh = f.number(to)
	}
	switch {
	case !okLow || !okHigh:
		return 0, 0, fmt.Sprintf("%s is not %s, which is %d to %d", quoted(text), f.one, f.low, f.high)
	case low > high:
		return 0, 0, fmt.Sprintf("%s ends before it begins", quoted(text))
	}
	return low, high, ""
}

func (f scheduleField) number(text string) (int, bool) {
	if i := slices.Index(f.words, text); i >= 0 {
		return f.low + i, true
	}
	n, err := strconv.ParseUint(text, 10, 8)
	return int(n), err == nil && int(n) >= f.low && int(n) <= f.high
}

// comes tells whether one of the days is in one of the months.
func comes(days, months []int) bool {
	first := slices.Min(days)
	return slices.ContainsFunc(months, func(month int) bool {
		switch month {
		case 2:
			return first <= 29
		case 4, 6, 9, 11:
			return first <= 30
		}
		return true
	})
}

// zoneForm is what a name of the time zone database looks like. Whether there
// is such a zone is known to the node, which has the database.
var zoneForm = regexp.MustCompile(`^(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)(/[A-Z][A-Za-z0-9_+-]{0,40}){1,2}$`)

func isZone(text string) bool { return text == utc || zoneForm.MatchString(text) }

// zoneSpelling is the zone that was meant, as far as its letter case tells.
func zoneSpelling(text string) string {
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(text, " ", "_"), "/") {
		if part == "" {
			return ""
		}
		parts = append(parts, strings.ToUpper(part[:1])+part[1:])
	}
	for _, meant := range []string{strings.ToUpper(text), strings.Join(parts, "/")} {
		if isZone(meant) {
			return meant
		}
	}
	return ""
}
