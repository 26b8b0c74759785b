package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// cronOf loads a configuration of one cron and returns its canonical schedule,
// or what is wrong with it.
func cronOf(at, zone string) string {
	text := fmt.Sprintf("app \"a\" {\n  content = \"a\"\n  runtime { entry = \"m.js\" }\n  cron \"c\" {\n    at = %q\n    zone = %q\n  }\n}\n", at, zone)
	out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": text})})
	for _, d := range findings(out) {
		return d.Summary
	}
	c := appOf(out.Spec.Objects[0]).Cron[0].Filled()
	return c.At + " " + c.Zone
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct{ at, zone, want string }{
		{"* * * * *", "UTC", "* * * * * UTC"},
		{"\t0   7 * * 1-5 ", "Europe/Berlin", "0 7 * * 1-5 Europe/Berlin"},
		{"0 7 * jan,Feb mon-fri", "America/Argentina/Buenos_Aires", "0 7 * JAN,FEB MON-FRI America/Argentina/Buenos_Aires"},
		{"*/15 9-17/2 1,15,31 4-6 0", "Etc/GMT+5", "*/15 9-17/2 1,15,31 4-6 0 Etc/GMT+5"},
		{"0 0 29 2 *", "UTC", "0 0 29 2 * UTC"},
		{"0 0 31 2 MON", "UTC", "0 0 31 2 MON UTC"}, // on mondays of february
		{"0 0 30 2 *", "UTC", `"0 0 30 2 *" is no schedule: that day never comes`},
		{"0 0 31 4,6,9,11 *", "UTC", `"0 0 31 4,6,9,11 *" is no schedule: that day never comes`},
		{"0 24 * * *", "UTC", `"0 24 * * *" is no schedule: "24" is not a hour, which is 0 to 23`},
		{"0 0 0 * *", "UTC", `"0 0 0 * *" is no schedule: "0" is not a day, which is 1 to 31`},
		{"0 0 * 13 *", "UTC", `"0 0 * 13 *" is no schedule: "13" is not a month, which is 1 to 12`},
		{"-1 0 * * *", "UTC", `"-1 0 * * *" is no schedule: "-1" is not a minute, which is 0 to 59`},
		{"0,, 0 * * *", "UTC", `"0,, 0 * * *" is no schedule: "" is not a minute, which is 0 to 59`},
		{"*/99 0 * * *", "UTC", `"*/99 0 * * *" is no schedule: "99" is not a step of the minute`},
		{"0 0 L * *", "UTC", `"0 0 L * *" is no schedule: "L" is not a day, which is 1 to 31`},
		{"0 0 * * MON#2", "UTC", `"0 0 * * MON#2" is no schedule: "MON#2" is not a weekday, which is 0 to 6`},
		{"0 0 0 * * *", "UTC", `"0 0 0 * * *" is no schedule: it has 6 fields, not 5`},
		{"* * * * *", "Local", `"Local" is not a time zone`},
		{"* * * * *", "../etc/passwd", `"../etc/passwd" is not a time zone`},
		{"* * * * *", "Europe/../passwd", `"Europe/../passwd" is not a time zone`},
	} {
		if got := cronOf(c.at, c.zone); got != strings.Replace(c.want, "a hour", "an hour", 1) {
			t.Errorf("%q in %q: %s", c.at, c.zone, got)
		}
	}
}
