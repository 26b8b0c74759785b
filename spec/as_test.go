package spec_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// An app under another name is what it was, but for its name, its host and what
// only a commit may say.
func TestObjectAs(t *testing.T) {
	out := spec.Load(spec.Input{Tree: repo(map[string]string{
		"fazt.hcl":        "app \"blog\" {\n  content   = \"blog\"\n  hosts     = [\"www.example.com\", \"example.com\"]\n  protect   = true\n  on_remove = \"delete\"\n  spa       = true\n}\n",
		"blog/index.html": "hello",
	})})
	var blog spec.Object
	for _, o := range out.Spec.Objects {
		if o.Addr == "app.blog" {
			blog = o
		}
	}
	again, err := blog.As("blog-2", "Blog-2.example.com")
	if err != nil {
		t.Fatal(err)
	}
	var app spec.App
	if err := json.Unmarshal(again.Spec, &app); err != nil {
		t.Fatal(err)
	}
	want := spec.App{Content: "blog", Hosts: []string{"blog-2.example.com"}, Spa: true}
	if !reflect.DeepEqual(app, want) || again.Addr != "app.blog-2" || again.Name != "blog-2" || again.At != nil || again.Immutable != blog.Immutable {
		t.Errorf("%+v of %+v", app, again)
	}
	if digest, err := spec.Digest(again.Kind, again.Spec); err != nil || digest != again.Digest || digest == blog.Digest {
		t.Errorf("its digest is %s, and it says %s: %v", digest, again.Digest, err)
	}
	plain, err := blog.As("blog-2", "blog-2.example.com", "spa", "cron")
	if want := `{"content":"blog","hosts":["blog-2.example.com"]}`; err != nil || string(plain.Spec) != want {
		t.Errorf("%s, %v", plain.Spec, err)
	}
	for _, bad := range [][2]string{{"", "a.example.com"}, {"Blog", "a.example.com"}, {`site["x"]`, "a.example.com"}, {"blog", ""}, {"blog", "*.example.com"}, {"blog", "under_score.example.com"}} {
		if o, err := blog.As(bad[0], bad[1]); err == nil {
			t.Errorf("%q became %+v", bad, o)
		}
	}
}
