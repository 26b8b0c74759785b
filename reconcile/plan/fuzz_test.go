package plan_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/reconcile/plan"
)

// FuzzViews feeds any document to the views: a client shows what a node of
// another version sends, and a name in it must not steer the terminal.
func FuzzViews(f *testing.F) {
	f.Add([]byte(`{"changes":[{"addr":"app.\u001b[2J","action":"create","fields":[{"path":"hosts","after":["\u009b"]}]}]}`))
	f.Add([]byte(`{"changes":[{"action":"later","files":{"added":{"paths":["a\nb"]}},"risks":[{"message":"\r"}]}],"stalled":[{}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		var p plan.Plan
		if json.Unmarshal(document, &p) != nil {
			return
		}
		var text, full, markdown bytes.Buffer
		_ = p.WriteText(&text, plan.TextOptions{})
		_ = p.WriteText(&full, plan.TextOptions{Full: true})
		_ = p.WriteMarkdown(&markdown)
		for _, out := range [][]byte{text.Bytes(), full.Bytes(), markdown.Bytes()} {
			for i, r := range string(out) {
				if r < ' ' && r != '\n' || 0x7f <= r && r < 0xa0 {
					t.Fatalf("control character %q at %d of %q", r, i, out)
				}
			}
		}
		if n := utf8.RuneCount(markdown.Bytes()); n > plan.MarkdownLimit {
			t.Fatalf("%d characters of Markdown", n)
		}
	})
}
