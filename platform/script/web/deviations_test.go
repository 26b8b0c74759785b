package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/script/web"
)

// A deviation that is written down is there: what was mended leaves the list.
func TestDeviationsAreShown(t *testing.T) {
	var script strings.Builder
	for _, d := range web.Deviations() {
		if d.Area == "" || d.What == "" || d.Impact == "" || strings.HasSuffix(d.What, ".") || strings.HasSuffix(d.Impact, ".") {
			t.Errorf("say where, what and for whom, without a full stop: %+v", d)
		}
		if d.Shown != "" {
			fmt.Fprintf(&script, "test(%q, async () => is(\"shown\", await (%s), true));\n", d.What, d.Shown)
		}
	}
	run(t, script.String())
}
