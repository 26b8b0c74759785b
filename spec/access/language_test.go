package access_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// tree is files in memory. Nothing here asks for ids that differ.
type tree struct{ fstest.MapFS }

func (tree) ID(string) (string, error) { return strings.Repeat("0", 40), nil }

const declared = `
group "design" { members = ["Ana@Example.com"] }
group "staff" { members = [group.design, "domain:partner.example"] }
role "owner" { members = ["jo@example.com"] }
role "editor" {
  members = [group.staff]
  grant {
    actions = ["read", "write"]
    on      = ["app.notes/drafts/*"]
    until   = "2027-01-31"
  }
  grant {
    actions = ["publish"]
    on      = [app.notes.docs.PAGES, app.site["docs"]]
  }
}
app "notes" {
  content = "notes"
  access {
    path  = "/public/*"
    allow = ["anyone"]
  }
  access {
    path  = "/drafts/*"
    allow = []
  }
  access { allow = [role.editor, "guest@example.net"] }
  runtime { entry = "main.js" }
  docs "PAGES" {}
}
app "site" {
  for_each = toset(["docs"])
  content  = "site"
}
`

// What is written decides what people may do, and where it is written is told.
func TestLanguageDecides(t *testing.T) {
	out := spec.Load(spec.Input{Tree: tree{fstest.MapFS{"fazt.hcl": {Data: []byte(declared)}}}})
	if out.Spec == nil || len(out.Findings()) > 0 {
		t.Fatal(out.Findings())
	}
	rules := access.Compile(out.Spec.Objects)
	during := time.Date(2027, 1, 31, 23, 59, 0, 0, time.UTC)
	for _, c := range []struct {
		email, action, on string
		at                time.Time
		want              bool
		line              int // of the last reason that has a place
	}{
		{"", "read", "app.notes/public/a", during, true, 19},
		{"", "read", "app.notes/", during, false, 27},
		{"guest@example.net", "write", "app.notes/x", during, true, 27},
		{"guest@example.net", "read", "app.notes/drafts/x", during, false, 23},
		{"ana@example.com", "write", "app.notes/drafts/x", during, true, 7},
		{"ana@example.com", "write", "app.notes/drafts/x", during.Add(time.Minute), false, 7},
		{"zoe@partner.example", "read", "app.notes/", during, true, 5},
		{"zoe@partner.example.evil.test", "read", "app.notes/", during, false, 27},
		{"ana@example.com", "publish", "app.notes.docs.PAGES", during, true, 12},
		{"ana@example.com", "publish", `app.site["docs"]`, during, true, 12},
		{"ana@example.com", "publish", "app.notes", during, false, 0},
		{"jo@example.com", "write", "app.notes/drafts/x", during, true, 4},
		{"ana@example.com", "read", "app.site/", during, true, 0},
	} {
		got := rules.Explain(access.Who{Email: c.email, SignedIn: c.email != ""}, c.action, c.on, c.at)
		line := 0
		for _, why := range got.Because {
			if why.Range.Filename != "" {
				line = why.Range.Start.Line
			}
		}
		if got.Allowed != c.want || line != c.line {
			t.Errorf("%q, %s on %s: %v at line %d, want %v at %d: %+v", c.email, c.action, c.on, got.Allowed, line, c.want, c.line, got.Because)
		}
	}
}
