package spec_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/spec"
)

// limitsOf loads a limits block and returns its canonical form.
func limitsOf(t interface{ Fatal(...any) }, block string) (spec.Limits, string) {
	out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": block})})
	if out.Spec == nil {
		t.Fatal(block, out.Diagnostics)
	}
	var l spec.Limits
	for _, o := range out.Spec.Objects {
		if o.Kind == spec.KindLimits {
			if err := json.Unmarshal(o.Spec, &l); err != nil {
				t.Fatal(err)
			}
			return l, string(o.Spec)
		}
	}
	t.Fatal(block, "makes no object")
	return l, ""
}

// What the table calls the default is what holds where nothing is said.
func TestDefaultsOfTheTableAreTheDefaults(t *testing.T) {
	var block strings.Builder
	rows := map[string]bool{}
	for _, b := range spec.Language().Blocks {
		if b.Name != "limits" {
			continue
		}
		for _, a := range b.Attributes {
			rows[a.Name] = true
			fmt.Fprintf(&block, "  %s = %s\n", a.Name, a.Default)
		}
	}
	if _, text := limitsOf(t, "limits {\n"+block.String()+"}\n"); text != "{}" {
		t.Errorf("the defaults written out are %s", text)
	}
	for name := range spec.DefaultLimits().Written() {
		if !rows[name] {
			t.Errorf("the table has no %q", name)
		}
		delete(rows, name)
	}
	if len(rows) > 0 || spec.DefaultLimits() != (spec.Limits{}).Filled() {
		t.Errorf("no default for %v", rows)
	}
}

// drawLimits draws limits that fit together.
func drawLimits(t *rapid.T) spec.Limits {
	n := func(name string, low, high int64) int64 { return rapid.Int64Range(low, high).Draw(t, name) }
	l := spec.Limits{
		Connections: int(n("connections", 16, 1e6)), HeaderBytes: n("header_bytes", 4<<10, 1<<20),
		RequestsPerIP:   spec.Rate{Rate: float64(n("rate", 1, 1e9)) / 1000, Burst: int(n("burst", 1, 2e6))},
		HeaderTimeoutMS: n("header_timeout", 1000, 60_000), BodyTimeoutMS: n("body_timeout", 1000, 3_600_000),
		WriteTimeoutMS: n("write_timeout", 1000, 3_600_000), IdleTimeoutMS: n("idle_timeout", 1000, 3_600_000),
		MinBodyRate: n("min_body_rate", 1, 1<<20), Body: n("body", 1<<10, 1<<30),
		Headers: int(n("headers", 10, 1000)), Streams: int(n("streams", 1, 1000)), IPv6Prefix: int(n("ipv6_prefix", 32, 64)),
	}
	l.ConnectionsPerIP = int(n("connections_per_ip", 1, int64(l.Connections)))
	l.URL = n("url", 1<<10, min(l.HeaderBytes, 32<<10))
	if rapid.Bool().Draw(t, "usual") {
		l = spec.Limits{Connections: l.Connections, HeaderBytes: l.HeaderBytes, MinBodyRate: -1}.Filled()
	}
	return l
}

// Limits written down and read again are the same limits; what holds holds
// however much of it is written.
func TestLimitsComeBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawLimits(t)
		files, err := spec.Export([]spec.Object{{Addr: "limits", Kind: spec.KindLimits, Spec: encoded(t, want)}})
		if err != nil {
			t.Fatal(err)
		}
		got, first := limitsOf(t, string(files["fazt.hcl"]))
		if got.Filled() != want || got.Filled().Filled() != got.Filled() {
			t.Fatalf("%+v becomes %+v", want, got.Filled())
		}
		files, _ = spec.Export([]spec.Object{{Addr: "limits", Kind: spec.KindLimits, Spec: []byte(first)}})
		if _, again := limitsOf(t, string(files["fazt.hcl"])); again != first {
			t.Fatalf("%s becomes %s", first, again)
		}
	})
}

func encoded(t interface{ Fatal(...any) }, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSizesAndTimesComeBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, 1<<50).Draw(t, "size")
		if back, err := spec.ParseSize(spec.FormatSize(size)); err != nil || back != size {
			t.Fatalf("%d is written %s and read %d (%v)", size, spec.FormatSize(size), back, err)
		}
		length := time.Duration(rapid.Int64Range(0, 40*86_400_000).Draw(t, "ms")) * time.Millisecond
		if back, err := spec.ParseDuration(spec.FormatDuration(length)); err != nil || back != length {
			t.Fatalf("%s is written %s and read %s (%v)", length, spec.FormatDuration(length), back, err)
		}
	})
	for n, want := range map[int64]string{0: "0B", 1: "1B", 1024: "1KiB", 1000: "1KB", 25 << 20: "25MiB", 10e6: "10MB", 1 << 40: "1TiB", 1536: "1536B"} {
		if got := spec.FormatSize(n); got != want {
			t.Errorf("%d bytes are written %s, want %s", n, got, want)
		}
	}
	for ms, want := range map[int64]string{0: "0s", 500: "500ms", 5000: "5s", 75_000: "75s", 60_000: "1m", 7_200_000: "2h", 86_400_000: "1d", 1500: "1500ms"} {
		if got := spec.FormatDuration(time.Duration(ms) * time.Millisecond); got != want {
			t.Errorf("%d ms are written %s, want %s", ms, got, want)
		}
	}
	for _, text := range []string{"", "10M", "1.5GiB", "-1", " 1KiB", "1 KiB", "9999999999TiB", "KiB"} {
		if n, err := spec.ParseSize(text); err == nil {
			t.Errorf("%q is read as %d bytes", text, n)
		}
	}
}

// One number that says less than another does not make the other say more:
// few connections in all leave no more of them for one client.
func TestDefaultsGiveWayToWhatTheyDependOn(t *testing.T) {
	l, _ := limitsOf(t, "limits {\n  connections  = 20\n  header_bytes = \"4KiB\"\n  requests_per_ip = { rate = 0.2 }\n}\n")
	if got := l.Filled(); got.ConnectionsPerIP != 20 || got.URL != 4<<10 || got.RequestsPerIP.Burst != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestLimitsOfAppsAreFilled(t *testing.T) {
	var none *spec.AppLimits
	if none.Filled() != (spec.AppLimits{}) || len(none.Written()) != 0 {
		t.Error("an app without limits has some")
	}
	few := &spec.AppLimits{RequestsPerSecond: 0.1}
	if got := few.Filled(); got.Burst != 1 || few.Burst != 0 {
		t.Errorf("got %+v", got)
	}
}

// Configurations that say nothing new are what they were: their objects have
// the digests that earlier versions gave them, so their plans are empty.
func TestDigestsOfOldConfigurations(t *testing.T) {
	out := spec.Load(spec.Input{Tree: repo(map[string]string{"fazt.hcl": "app \"blog\" {\n  content = \"apps/blog\"\n  protect = true\n}\n"})})
	want := map[spec.Addr]string{
		"app.blog":   "e1cb6a4480f2ac9acf26f2b64d3ff40e05ca4093971232d8d66c62eda9fdb034",
		"edge":       "01133cfd8fee8dc31d2b54ab0462d40b454f476173ea594fda0be1c02835b607",
		"node.local": "7c7c93edb4ff2586f677a3b12be459005dc8b0b29942fb160967d8ed5f6c3dcc",
	}
	for _, o := range out.Spec.Objects {
		if o.Digest != want[o.Addr] {
			t.Errorf("%s %s has the digest %s", o.Addr, o.Spec, o.Digest)
		}
		delete(want, o.Addr)
	}
	if len(want) > 0 {
		t.Errorf("there is no %v", want)
	}
}
