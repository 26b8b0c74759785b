package op_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

func update() bool {
	return flag.Lookup("update") != nil && flag.Lookup("update").Value.String() == "true"
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	os.Exit(m.Run())
}

// golden compares text with a file in testdata; -update writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if update() {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; go test -update shows how\n%s", path, got)
	}
}

func TestHelp(t *testing.T) {
	var b bytes.Buffer
	for _, words := range []string{"", "app", "app list", "app remove", "apply", "serve"} {
		b.WriteString("$ fazt help " + words + "\n")
		if err := sample(nil).Help(&b, 80, strings.Fields(words)...); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n")
	}
	golden(t, "help.txt", b.Bytes())
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	err := sample(nil).Help(&b, 80, "app", "lst")
	if op.ExitOf(err) != 64 || !strings.Contains(fault.HintOf(err), "app list") {
		t.Errorf("%v", err)
	}
}

func TestReference(t *testing.T) { golden(t, "reference.md", op.Reference(sample(nil))) }

// Another node's table reads like one's own.
func TestListingOfAnotherNode(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{Version: "0.3.1"})
	l, err := (&op.Client{HTTP: op.Pipe(h)}).Listing(t.Context())
	if err != nil || l.Version != "v0.3.1" {
		t.Fatalf("%v %v", l.Version, err)
	}
	var theirs, ours bytes.Buffer
	if err := l.Help(&theirs, 80, "app", "list"); err != nil {
		t.Fatal(err)
	}
	if err := sample(nil).Help(&ours, 80, "app", "list"); err != nil {
		t.Fatal(err)
	}
	if theirs.String() != ours.String() {
		t.Errorf("theirs:\n%s\nours:\n%s", theirs.String(), ours.String())
	}
}

type written struct{ At time.Time }

func (written) MarshalJSON() ([]byte, error) { return []byte(`"x"`), nil }

type recursive struct {
	Name string               `json:"name"`
	At   time.Time            `json:"at"`
	Own  written              `json:"own"`
	Raw  json.RawMessage      `json:"raw,omitempty"`
	Kids []recursive          `json:"kids,omitempty"`
	By   map[string]recursive `json:"by,omitempty"`
}

func TestOpenAPI(t *testing.T) {
	table := append(sample(nil), op.New[every, recursive](op.Row{Name: "tree show", Summary: "show", Effect: op.Read, Needs: op.Observe}, nil))
	text, err := op.OpenAPI(table, "0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "openapi.json", indented.Bytes())
	again, err := op.OpenAPI(table, "0.1.0")
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("a second time it is another text (%v)", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	refs(doc, func(ref string) {
		if schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	})
}

func refs(v any, each func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			each(ref)
		}
		for _, member := range v {
			refs(member, each)
		}
	case []any:
		for _, member := range v {
			refs(member, each)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "pwsh"} {
		script, err := op.Completion(sample(nil), shell, []string{"dev"})
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"dev", "list", "limit"} {
			if !strings.Contains(script, word) {
				t.Errorf("%s does not know %s", shell, word)
			}
		}
	}
	if _, err := op.Completion(sample(nil), "cmd", nil); op.ExitOf(err) != 64 {
		t.Errorf("%v", err)
	}
}

func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	table := append(sample(nil), op.New[struct{}, struct{}](op.Row{Name: "app show", Summary: "show", Effect: op.Read, Needs: op.Observe}, nil))
	script, err := op.Completion(table, "bash", []string{"dev"})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"fazt a": "app apply", "fazt @prod app ": "list logs remove show", "fazt --json app li": "list",
		"fazt app list notes --li": "--limit", "fazt app list --js": "--json", "fazt d": "dev", "fazt app remove x y --ye": "--yes",
		"fazt app show ": "", "fazt app show x": "", // a whole command: its verbs are not offered again
	} {
		words := strings.Split(line, " ")
		test := script + "\nCOMP_WORDS=("
		for _, w := range words {
			test += "'" + w + "' "
		}
		test += ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_fazt\necho \"${COMPREPLY[*]}\"\n"
		out, err := exec.Command(bash, "-c", test).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q completes to %q (%v), want %q", line, got, err, want)
		}
	}
}
