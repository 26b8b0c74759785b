package spec_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// envelope is an age file by its form, of a text that tells it from others.
func envelope(text string) string {
	return base64.StdEncoding.EncodeToString([]byte("age-encryption.org/v1\n-> X25519 " + text))
}

// Whatever is wrong, and wherever it points, no finding has an envelope or what
// somebody put in its place.
func TestFindingsShowNoSecrets(t *testing.T) {
	sealed := envelope(strings.Repeat("sealed", 40))
	armoured := "-----BEGIN AGE ENCRYPTED FILE-----\n" + sealed[:64] + "\n" + sealed[64:128] + "\n" + sealed[128:] + "\n-----END AGE ENCRYPTED FILE-----\n"
	for _, c := range []struct{ file, text string }{
		{"fazt.hcl", `secret "a b" { value = age("hunter2") }`},
		{"fazt.hcl", `secret "a b" { value = age( "hunter2 \" hunter2" ) }`},
		{"fazt.hcl", "secret \"a\" {\n  value = age(\"hunter2\", 1)\n}"},
		{"fazt.hcl", "secret \"a\" {\n  value = age(<<EOT\nhunter2\nEOT\n  )\n}"},
		{"fazt.hcl", `secret "a b" { value = age("` + sealed + `") }`},
		{"fazt.hcl", `secret "a" { vale = age("` + sealed + `") }`},
		{"fazt.hcl", "locals {\n  a = age(<<EOT\n" + armoured + "EOT\n  ) + 1\n}"},
		{"fazt.hcl", "variable \"a\" {\n  type = number\n  default = \"" + sealed + "\"\n}"},
		{"fazt.hcl", "app \"a\" {\n  content = age(\"" + sealed + "\")\n}"},
		{"a.fazt.json", `{ "secret": { "a": { "value": "${age(\"hunter2\")}" } } }`},
		{"a.fazt.json", `{ "secret": { "a": { "value": "${age(\"` + sealed + `\")}", "x": 1 } } }`},
	} {
		out := spec.Load(spec.Input{Tree: repo(map[string]string{c.file: c.text})})
		found, _ := json.Marshal(out.Findings())
		if len(out.Findings()) == 0 {
			t.Errorf("%s is valid", c.text)
		}
		for _, secret := range []string{"hunter2", sealed[40:80], sealed[len(sealed)-40:]} {
			if strings.Contains(string(found), secret) {
				t.Errorf("of %s it says\n%s", c.text, found)
			}
		}
	}
}

// One envelope has one canonical form however it is written, and another one
// makes another app.
func TestEnvelopesHaveOneForm(t *testing.T) {
	load := func(value string) (app, secret spec.Object) {
		t.Helper()
		text := "secret \"s\" {\n  value = age(" + value + ")\n}\napp \"a\" {\n  content = \"a\"\n  runtime { entry = \"m.js\" }\n  env = { A = secret.s }\n}\n"
		out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": text})})
		if out.Spec == nil || len(out.Spec.Objects) != 4 {
			t.Fatal(findings(out))
		}
		return out.Spec.Objects[0], out.Spec.Objects[3]
	}
	one := envelope("one, long enough for two lines of armour, as envelopes are")
	app, secret := load(`"` + one + `"`)
	armoured, other := load("<<EOT\n-----BEGIN AGE ENCRYPTED FILE-----\n" + one[:64] + "\n" + one[64:] + "\n-----END AGE ENCRYPTED FILE-----\nEOT\n")
	if armoured.Digest != app.Digest || other.Digest != secret.Digest || !strings.Contains(string(secret.Spec), one) || strings.Contains(string(app.Spec), one[:40]) {
		t.Errorf("%s %s and %s %s", app.Spec, secret.Spec, armoured.Spec, other.Spec)
	}
	if again, _ := load(`"` + envelope("two") + `"`); again.Digest == app.Digest {
		t.Error("the secret was sealed anew, and the app is the same")
	}
}

// What holds is the same whether it is written or left out, and filling it in
// twice changes nothing.
func TestProgramsAtTheirDefaults(t *testing.T) {
	plain := "app \"a\" {\n  content = \"a\"\n  runtime { entry = \"m.js\" }\n  sql \"DB\" {}\n  queue \"Q\" {}\n  cron \"c\" { at = \"* * * * *\" }\n  egress \"x.example\" {}\n  health { path = \"/\" }\n}\n"
	full := plain
	for from, to := range map[string]string{
		`entry = "m.js"`:        "\n    entry = \"m.js\"\n    routes = [\"/*\"]\n    cpu = \"2s\"\n    wall = \"30s\"\n    memory = \"64MiB\"\n    fresh = false\n    isolation = \"shared\"\n",
		`sql "DB" {}`:           "sql \"DB\" { durability = \"full\" }",
		`queue "Q" {}`:          "queue \"Q\" {\n    retries = 5\n    backoff = \"10s\"\n    batch = 10\n    concurrency = 1\n    keep = \"14d\"\n  }",
		`at = "* * * * *"`:      "\n    at = \"* * * * *\"\n    zone = \"UTC\"\n    catch_up = \"one\"\n",
		`egress "x.example" {}`: "egress \"x.example\" { ports = [443] }",
		`health { path = "/" }`: "health {\n    path = \"/\"\n    deadline = \"30s\"\n    window = \"60s\"\n    auto_revert = true\n  }",
	} {
		full = strings.Replace(full, from, to, 1)
	}
	load := func(text string) spec.Object {
		t.Helper()
		out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": text})})
		if out.Spec == nil || len(findings(out)) > 0 {
			t.Fatal(findings(out))
		}
		return out.Spec.Objects[0]
	}
	short, long := load(plain), load(full)
	if short.Digest != long.Digest {
		t.Errorf("%s\nis not\n%s", short.Spec, long.Spec)
	}
	filled := appOf(short).Filled()
	one, _ := json.Marshal(filled)
	two, _ := json.Marshal(filled.Filled())
	if string(one) != string(two) || filled.Runtime.Memory != 64<<20 || *filled.Queues[0].Retries != 5 || filled.Cron[0].Zone != "UTC" || filled.Egress[0].Ports[0] != 443 || filled.Health.WindowMS != 60_000 {
		t.Errorf("%s\n%s", one, two)
	}
}
