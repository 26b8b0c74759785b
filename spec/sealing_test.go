package spec_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/spec"
)

// envelopeOf is an age file as far as the language can tell.
func envelopeOf(text string) string {
	return base64.StdEncoding.EncodeToString([]byte("age-encryption.org/v1\n-> X25519 " + text))
}

const recipientOne = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"

// An envelope takes the place of the value that stood there, in whatever form, and
// no byte around it changes. A secret that was not there comes to the end.
func TestSetEnvelope(t *testing.T) {
	old, fresh := envelopeOf("old"), envelopeOf("new")
	for _, src := range []string{
		`secret "x" { value = age("` + old + `") }`,
		"# of x\nsecret \"x\" {\n  # its value\n  value   =   age(  \"" + old + "\" ) // old\n}\n",
		"secret \"x\" {\n  value = age(<<-END\n    " + old[:20] + "\n    " + old[20:] + "\n  END\n  )\n}\n",
		`secret "x" { value = "hunter2" }`,
		`secret "x" { value = null }`,
		`secret "x" { value = (age("` + old + `")) }`,
		`secret "x" {}`,
		`secret x { }`,
		"secret \"x\" {\n}\n",
		"secret \"x\" {\r\n  value = age(\"" + old + "\")\r\n}\r\n",
		"a{}\nsecret\t\"x\"{\nvalue=upper(\"x\")\n}", "",
		"edge {}", "edge {}\n", "\ufeffedge {}\n",
	} {
		for _, around := range []string{"", "secret \"y\" { value = age(\"" + old + "\") }\n", "app \"x\" {\n  content = \"x\"\n  env = { A = secret.x }\n}\n"} {
			before := []byte(around + src)
			if strings.HasPrefix(src, "\ufeff") && around != "" {
				continue
			}
			after, err := spec.SetEnvelope("a.fazt.hcl", before, "x", fresh)
			if err != nil {
				t.Errorf("%q: %v", before, err)
				continue
			}
			n := bytes.Count(after, []byte(fresh))
			front, back := commonEnds(before, after)
			changed := string(before[front : len(before)-back])
			if n != 1 || strings.ContainsAny(changed, "#{}") && !strings.Contains(changed, "<<") {
				t.Errorf("%q became %q: %q was replaced", before, after, changed)
			}
			read, diags := spec.ReadSealing(repo(map[string]string{"a.fazt.hcl": string(after)}))
			found := 0
			for _, s := range read.Secrets {
				if s.Name == "x" && s.Envelope == fresh {
					found++
				}
			}
			if found != 1 || strings.Contains(string(after), old) != strings.Contains(around, old) {
				t.Errorf("%q became %q: %+v %v", before, after, read, diags)
			}
		}
	}
}

func commonEnds(a, b []byte) (front, back int) {
	for front < min(len(a), len(b)) && a[front] == b[front] {
		front++
	}
	for back < min(len(a), len(b))-front && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front, back
}

// What cannot be replaced without a doubt is left alone.
func TestCannotSetEnvelope(t *testing.T) {
	for name, k := range map[string][2]string{
		"broken file":  {"a.fazt.hcl", "secret \"x\" {"},
		"twice":        {"a.fazt.hcl", "secret \"x\" {}\nsecret \"x\" {}\n"},
		"JSON":         {"a.fazt.json", `{"secret":{"x":{}}}`},
		"nested":       {"a.fazt.hcl", strings.Repeat("[", 100_000)},
		"value twice":  {"a.fazt.hcl", "secret \"x\" {\n  value = 1\n  value = 2\n}\n"},
		"no such name": {"a.fazt.hcl", ""},
	} {
		secret := "x"
		if name == "no such name" {
			secret = "a b"
		}
		if out, err := spec.SetEnvelope(k[0], []byte(k[1]), secret, envelopeOf("x")); err == nil {
			t.Errorf("%s: %q", name, out)
		}
	}
}

// Appending is settled: what was formatted stays so.
func TestSetEnvelopeKeepsTheFormat(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		src := []byte(rapid.SampledFrom([]string{"", "edge {\n  domain = \"a.example\"\n}\n", "# only a comment\n", "secret \"a\" {\n  value = age(\"" + envelopeOf("a") + "\")\n}\n"}).Draw(r, "src"))
		for range rapid.IntRange(1, 4).Draw(r, "sets") {
			name := rapid.SampledFrom([]string{"a", "b-c", "d_e"}).Draw(r, "name")
			out, err := spec.SetEnvelope("fazt.hcl", src, name, envelopeOf(rapid.StringMatching(`[a-z]{0,40}`).Draw(r, "value")))
			if err != nil {
				r.Fatal(err)
			}
			if formatted, diags := spec.Format("fazt.hcl", out); diags != nil || !bytes.Equal(formatted, out) {
				r.Fatalf("%q is formatted to %q: %v", out, formatted, diags)
			}
			src = out
		}
	})
}

// Secrets, recipients and uses are found in both forms, also where the rest is
// wrong, and none of it needs evaluating.
func TestReadSealing(t *testing.T) {
	one, two := envelopeOf("one"), envelopeOf("two")
	native := map[string]string{"fazt.hcl": `
fazt { recipients = ["` + recipientOne + `"] }
node "a" { recipient = "` + recipientOne + `" }
node "b" { labels = { x = var.nowhere } }
secret "one" { value = age("` + one + `") }
secret "plain" { value = "hunter2" }
nonsense {}
`, "apps/x/app.fazt.hcl": `
secret "two" { value = age("` + two + `") }
secret "one" { value = age("` + two + `") }
app "x" {
  content = "x"
  env     = { A = secret.one, B = [for s in [secret["two"]] : s] }
  egress "h.example" {
    header = { C = secret.gone }
  }
}
`}
	json := map[string]string{"fazt.hcl": `node "b" {}`, "x.fazt.json": `{
"fazt": {"recipients": ["` + recipientOne + `"]},
"node": {"a": {"recipient": "` + recipientOne + `"}},
"secret": {"one": [{"value": "${age(\"` + one + `\")}"}, {"value": "${age(\"` + two + `\")}"}], "plain": {"value": "hunter2"}, "two": {"value": "${age(\"` + two + `\")}"}},
"app": {"x": {"content": "x", "env": {"A": "${secret.one}", "B": "${[for s in [secret[\"two\"]] : s]}"}, "egress": {"h.example": {"header": {"C": "${secret.gone}"}}}}}
}`}
	for form, files := range map[string]map[string]string{"native": native, "json": json} {
		s, diags := spec.ReadSealing(repo(files))
		if diags.HasErrors() {
			t.Error(form, diags)
		}
		var secrets, keys, uses []string
		for _, b := range s.Secrets {
			secrets = append(secrets, b.Name+"="+b.Envelope)
			if b.Range.Start.Line == 0 {
				t.Errorf("%s: %+v has no place", form, b)
			}
		}
		for _, k := range s.Keys {
			keys = append(keys, string(k.Of)+"="+k.Recipient)
		}
		for _, u := range s.Uses {
			uses = append(uses, u.Name)
		}
		for what, k := range map[string][2]string{
			"secrets": {strings.Join(secrets, " "), "one=" + one + " one=" + two + " plain= two=" + two},
			"keys":    {strings.Join(keys, " "), "fazt=" + recipientOne + " node.a=" + recipientOne},
			"uses":    {strings.Join(uses, " "), "one two gone"},
		} {
			got := strings.Fields(k[0])
			want := strings.Fields(k[1])
			if len(got) != len(want) || !sameWords(got, want) {
				t.Errorf("%s: %s are %v, want %v", form, what, got, want)
			}
		}
		if len(s.Keyless) != 1 || s.Keyless[0] != "node.b" {
			t.Errorf("%s: without a key are %v", form, s.Keyless)
		}
	}
}

func sameWords(a, b []string) bool {
	seen := map[string]int{}
	for i := range a {
		seen[a[i]]++
		seen[b[i]]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}

// Whom a secret is sealed to must stand in plain sight.
func TestRecipientsArePlain(t *testing.T) {
	for _, src := range []string{
		`node "a" { recipient = local.key }`, `node "a" { recipient = null }`, `fazt { recipients = local.keys }`, `fazt { recipients = [local.key] }`, `fazt { recipients = "x" }`, "node \"a\" {",
	} {
		if _, diags := spec.ReadSealing(repo(map[string]string{"fazt.hcl": src})); !diags.HasErrors() {
			t.Errorf("%s is taken", src)
		}
	}
}

// A private key that stands where a public one should is told without repeating
// it.
func TestPrivateKeyIsNotShown(t *testing.T) {
	out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": "fazt { recipients = [\"AGE-SECRET-KEY-1CANARY\"] }\n"})})
	var text bytes.Buffer
	out.Findings().WriteText(&text, spec.TextOptions{})
	if !strings.Contains(text.String(), "private key") || strings.Contains(text.String(), "CANARY") {
		t.Error(text.String())
	}
}

// A value that somebody forgot to seal is told without repeating it.
func TestBareValueIsNotShown(t *testing.T) {
	for name, src := range map[string]string{
		"fazt.hcl":    "secret \"p\" { value = \"CANARY\" }\nsecret \"r\" {\n  # it\n  value = \"x${upper(\"CANARY\")}\"\n}\nsecret s {\n  value = <<-END\n    CANARY\n  END\n}\nsecret \"t\" { value = [\"CANARY\"] }\n",
		"x.fazt.json": `{"secret": {"p": {"value": "CANARY"}, "q": {"value": ["CANARY"]}}}`,
	} {
		out := spec.Load(spec.Input{Tree: repo(map[string]string{name: src})})
		var text bytes.Buffer
		out.Findings().WriteText(&text, spec.TextOptions{})
		if !strings.Contains(text.String(), "is not sealed") || strings.Contains(text.String(), "CANARY") {
			t.Error(text.String())
		}
	}
}
