package spec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

var update = flag.Bool("update", false, "rewrite generated files and fixtures")

const referencePage = "../docs/reference/language.md"

func TestReferencePageIsCurrent(t *testing.T) {
	var page bytes.Buffer
	if err := spec.Language().Markdown(&page); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(referencePage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(referencePage)
	if err != nil || !bytes.Equal(have, page.Bytes()) {
		t.Fatalf("%s is not what the table says (%v); run go test ./spec -run Reference -update", referencePage, err)
	}
}

// Every example of the table must be a configuration that the table reads,
// and everything in it must say what it means.
func TestSchemaExplainsItself(t *testing.T) {
	var judge func(where string, list []spec.Attribute)
	judge = func(where string, list []spec.Attribute) {
		for _, a := range list {
			if a.Doc == "" || a.Type == "" || a.Since == "" {
				t.Errorf("%s %q lacks a doc, a type or a version", where, a.Name)
			}
			judge(where+"."+a.Name, a.Attributes)
		}
	}
	example := func(b spec.Block, text string) {
		if b.Doc == "" || b.Example == "" || b.Since == "" {
			t.Errorf("block %q lacks a doc, an example or a version", b.Name)
		}
		judge(b.Name, b.Attributes)
		out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": text + exampleContext(b.Name)})})
		if out.Spec == nil || len(out.Spec.Stalled) > 0 || len(out.Diagnostics) > 0 {
			t.Errorf("the example of %q is refused: %v", b.Name, findings(out))
		}
	}
	for _, b := range spec.Language().Blocks {
		if b.IsLater {
			continue
		}
		example(b, b.Example)
		for _, inner := range b.Blocks {
			outer := b.Name
			if len(b.Labels) > 0 {
				outer += " \"outer\""
			}
			text := outer + " {\n" + inner.Example + "\n"
			if b.Name == "app" {
				text += "content = \"x\"\n"
			}
			if b.Name == "app" && inner.Name != "runtime" {
				text += "runtime { entry = \"main.ts\" }\n"
			}
			example(inner, text+"}\n")
			for _, innermost := range inner.Blocks {
				example(innermost, b.Name+" \"outer\" {\n  content = \"x\"\nruntime { entry = \"main.ts\" }\n"+inner.Name+" \"INNER\" {\n"+innermost.Example+"\n}\n}\n")
			}
		}
	}
}

// exampleContext declares what the examples name.
func exampleContext(block string) string {
	context := ""
	if block != "variable" {
		context += "\nvariable \"domain\" { default = \"example.com\" }\n"
	}
	if block != "node" {
		context += "\nnode \"one\" { labels = { env = \"prod\" } }\n"
	}
	if block == "service" {
		context += "\napp \"search\" { content = \"s\" }\n"
	}
	if block == "role" {
		context += "\ngroup \"design\" { members = [] }\napp \"notes\" { content = \"n\" }\napp \"docs\" { content = \"d\" }\n"
	}
	if block == "grant" {
		context += "\napp \"blog\" { content = \"b\" }\n"
	}
	if block == "oauth" || block == "mail" {
		context += "\nsecret \"google\" { value = age(\"YWdlLWVuY3J5cHRpb24ub3JnL3YxCg==\") }\nsecret \"smtp\" { value = age(\"YWdlLWVuY3J5cHRpb24ub3JnL3YxCg==\") }\noauth \"github\" {\nclient_id = \"x\"\nclient_secret = secret.google\n}\noauth \"microsoft\" {\nclient_id = \"x\"\nclient_secret = secret.smtp\n}\n"
	}
	if block == "secret" {
		context += "\napp \"uses\" {\ncontent = \"s\"\nruntime { entry = \"m.js\" }\nenv = { A = secret.stripe }\n}\n"
	}
	if block == "egress" {
		context += "\nsecret \"stripe\" { value = age(\"YWdlLWVuY3J5cHRpb24ub3JnL3YxCg==\") }\n"
	}
	if block == "moved" {
		context += "\napp \"blog\" { content = \"b\" }\n"
	}
	return context
}

func TestSchemaIsData(t *testing.T) {
	var back spec.Schema
	if err := json.Unmarshal(spec.Language().JSON(), &back); err != nil {
		t.Fatal(err)
	}
	if again := back.JSON(); !bytes.Equal(again, spec.Language().JSON()) {
		t.Error("the table is not what its JSON says")
	}
}

func TestEffectOf(t *testing.T) {
	for path, want := range map[string]spec.Effect{
		"content": spec.EffectNewDeployment, "hosts[0]": spec.EffectHot, "redirects[2].to": spec.EffectHot,
		"disabled": spec.EffectHot, "nothing": spec.EffectHot, "where": spec.EffectReplace, "limits.wall_ms": spec.EffectHot,
	} {
		if got, _ := spec.EffectOf(spec.KindApp, path); got != want {
			t.Errorf("EffectOf(app, %q) = %q, want %q", path, got, want)
		}
	}
	if _, risk := spec.EffectOf(spec.KindEdge, "domain"); risk != spec.RiskHigh {
		t.Errorf("changing the domain has risk %q", risk)
	}
	for path, want := range map[string]spec.Risk{
		"tls": spec.RiskHigh, "tls.mode": spec.RiskHigh, "tls.email": spec.RiskLow, "tls.dns.zone": spec.RiskMedium, "tls.files[0].cert": spec.RiskMedium,
		"http3": spec.RiskMedium, "proxy_protocol": spec.RiskMedium,
	} {
		if _, got := spec.EffectOf(spec.KindEdge, path); got != want {
			t.Errorf("changing %s of the edge has risk %q, want %q", path, got, want)
		}
	}
}
