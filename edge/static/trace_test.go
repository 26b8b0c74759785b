package static_test

import (
	"fmt"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// What Trace says is what a browser gets: same file, same status, same place.
func TestTraceTellsWhatIsServed(t *testing.T) {
	redirects := "/old /new 302\n/lost/* /new 301\n/forced /new 307!\n/app/* /app/ 200\n/gone/* /gone 404\n/nowhere /none 200\n"
	files := map[string]string{}
	for _, name := range []string{"index.html", "new.html", "old.html", "app/index.html", "app/real.txt", "gone.html", "deep/404.html", "deep/a.txt", "forced"} {
		files[name] = name // a file's text is its name
	}
	plain, ruled := newSite(t, files), newSite(t, files, rules(t, redirects, ""))
	single := newSite(t, files, spa)
	paths := rapid.StringMatching(`/(index|old|old\.html|new|app|gone|lost|deep|none|forced|a\.txt|404)?(/|/real\.txt|/x|/x/y|/404|/index\.html)?`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom([]site{plain, ruled, single}).Draw(t, "site")
		path := paths.Draw(t, "path")
		if len(path) > 1 && path[1] == '/' {
			t.Skip("not canonical")
		}
		resp := s.get(path, "Accept", "text/html")
		got := s.Trace(path, "")
		want := fmt.Sprint(resp.StatusCode, resp.Header.Get("Location"))
		if has := fmt.Sprint(got.Status, got.Location); has != want {
			t.Fatalf("%s: %s, served %s", path, has, want)
		}
		if got.File != "" {
			if body, _ := io.ReadAll(resp.Body); string(body) != got.File {
				t.Fatalf("%s: %s, served %s", path, got.File, body)
			}
		}
	})
}
