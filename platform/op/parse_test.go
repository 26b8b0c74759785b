package op_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, line := range []string{
		"@prod app list notes --limit 5 -a --json --timeout 3s -C /tmp",
		"--json -aC /tmp @prod --limit 5 app --timeout=3s list notes",
		"-C/tmp --limit=5 --json @prod app list --timeout 3s -a -- notes",
	} {
		call, err := op.Parse(sample(nil), strings.Fields(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		in := call.In.(listIn)
		g := call.Globals
		if call.Op.Row().Name != "app list" || call.Target != "prod" || in.App != "notes" || in.Limit != 5 || !in.All ||
			!g.JSON || g.Timeout != 3*time.Second || g.Directory != "/tmp" || in.Format != "text" || in.Ratio != 0.5 || g.Color != "auto" {
			t.Errorf("%s: %+v", line, call)
		}
	}
}

// Only the first word can be a target; later ones with "@" are data.
func TestTarget(t *testing.T) {
	call, err := op.Parse(sample(nil), []string{"app", "list", "@prod"})
	if err != nil || call.Target != "" || call.In.(listIn).App != "@prod" {
		t.Errorf("%+v %v", call, err)
	}
	call, err = op.Parse(sample(nil), []string{"@prod"})
	if err != nil || call.Target != "prod" || !call.Globals.Help {
		t.Errorf("%+v %v", call, err)
	}
}

// Whole days are a duration too.
func TestDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 30 * 24 * time.Hour, "0d": 0, "36h": 36 * time.Hour, "-1d": -1, "1.5d": -1, "99999999d": -1, "d": -1} {
		call, err := op.Parse(sample(nil), []string{"app", "list", "--since=" + text})
		if want < 0 && err == nil || want >= 0 && (err != nil || call.In.(listIn).Since != want) {
			t.Errorf("%s: %v %v", text, call.In, err)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for line, want := range map[string]string{
		"@a @b app list":                       `two targets: @a and @b`,
		"@ app list":                           `"@" names no peer`,
		"@prod serve":                          `"serve" runs on this machine|run it without @prod`,
		"app":                                  `"app" needs a verb|fazt app list|logs|remove`,
		"app lst":                              `unknown command "app lst"|did you mean "fazt app list"?`,
		"aply":                                 `unknown command "aply"|did you mean "fazt apply"?`,
		"zzz":                                  `unknown command "zzz"|fazt help lists the commands`,
		"app list --limt 3":                    `unknown flag --limt|did you mean --limit?`,
		"app list --nonsense":                  `unknown flag --nonsense|fazt help app list lists the flags`,
		"app list --jsn":                       `unknown flag --jsn|did you mean --json?`,
		"app list -z":                          `unknown flag -z`,
		"app list --how x":                     `unknown flag --how|fazt help app list lists the flags`,
		"app list a b":                         `"app list" does not take the argument "b"|usage: fazt [@peer] app list [APP] [flags]`,
		"app list --limit":                     `--limit needs a value`,
		"app list --limit --all":               `--limit needs a value|write --limit=VALUE if the value begins with a dash`,
		"app list --limit many":                `--limit wants a whole number, not "many"`,
		"app list --limit 9999999999999999999": `--limit wants a whole number`,
		"app list --since soon":                `--since wants a duration such as 30s, 5m or 7d, not "soon"`,
		"app list --format xml":                `--format wants text, md or json, not "xml"`,
		"app list --var novalue":               `--var wants NAME=VALUE, not "novalue"`,
		"app list --ratio NaN":                 `--ratio wants a number, not "NaN"`,
		"app list a\xff":                       `the argument "a\xff" is no text in UTF-8|bytes go by a file`,
		"app remove":                           `"app remove" needs APP|usage: fazt [@peer] app remove APP`,
		"fail quietly":                         `HOW wants plain, coded, places, panic, internal or exit, not "quietly"`,
		"app list --color sometimes":           `--color wants auto, always or never, not "sometimes"`,
		"--frob":                               `unknown flag --frob|fazt help lists the flags`,
	} {
		message, hint, _ := strings.Cut(want, "|")
		_, err := op.Parse(sample(nil), strings.Fields(line))
		if err == nil || !strings.HasPrefix(err.Error(), message) || !strings.HasPrefix(fault.HintOf(err), hint) || op.ExitOf(err) != 64 {
			t.Errorf("%s: %q, %q, exit %d", line, err, fault.HintOf(err), op.ExitOf(err))
		}
	}
}

// A usage error under --json is JSON too.
func TestUsageErrorKeepsTheGlobalFlags(t *testing.T) {
	call, err := op.Parse(sample(nil), []string{"app", "lst", "--json"})
	if err == nil || !call.Globals.JSON {
		t.Errorf("%+v %v", call, err)
	}
}

func TestHelpAndVersionNeedNothingElse(t *testing.T) {
	for line, want := range map[string]string{
		"app remove --help": "app remove", "-h app remove": "app remove", "app -h": "app", "--help": "", "": "", "--version": "",
		"nonsense --help": "nonsense",
	} {
		call, err := op.Parse(sample(nil), strings.Fields(line))
		if err != nil || strings.Join(call.Words, " ") != want || call.Globals.Help == call.Globals.Version {
			t.Errorf("%s: %+v %v", line, call, err)
		}
	}
}

// A row's own --timeout is part of its input, not the caller's patience.
func TestRowsTimeoutStandsBeforeTheGlobalOne(t *testing.T) {
	type in struct {
		Timeout time.Duration `default:"5m" help:"how long to wait"`
	}
	table := append(sample(nil), op.New[in, int](op.Row{Name: "sync", Summary: "sync", Effect: op.Change, Needs: op.Observe}, nil))
	if err := table.Check(); err != nil {
		t.Fatal(err)
	}
	call, err := op.Parse(table, []string{"--timeout", "7s", "sync"})
	if err != nil || call.In.(in).Timeout != 7*time.Second || call.Globals.Timeout != 0 {
		t.Errorf("%+v %v", call, err)
	}
}

func TestEmbeddedInputsAreFlattened(t *testing.T) {
	type where struct {
		Node string `help:"which node"`
	}
	type in struct {
		where
		Deep bool `help:"all of it" negatable:"" default:"true"`
	}
	_ = in{}.where
	type Where struct {
		Node string `help:"which node" json:"node"`
	}
	type open struct {
		Where
		Deep bool `help:"all of it" negatable:"" default:"true"`
	}
	table := op.Table{op.New[open, int](op.Row{Name: "look", Summary: "look", Effect: op.Read, Needs: op.Observe}, nil)}
	if err := table.Check(); err != nil {
		t.Fatal(err)
	}
	call, err := op.Parse(table, []string{"look", "--node", "a", "--no-deep"})
	if err != nil || call.In.(open).Node != "a" || call.In.(open).Deep {
		t.Errorf("%+v %v", call, err)
	}
}

func TestUsageIsAUsageError(t *testing.T) {
	var e interface{ Exit() int }
	if err := op.Usage("no %s", "x"); !errors.As(err, &e) || e.Exit() != 64 || fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}
