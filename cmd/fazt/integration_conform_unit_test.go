//go:build integration

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mostExposed is what systemd may say of the unit at most, on its scale from 0
// to 10: it calls up to 2 safe enough for a service on the open internet.
const mostExposed = 2.0

// TestIntegrationConformUnit: systemd finds the guide's unit sound, and leaves
// the service little that it could do.
func TestIntegrationConformUnit(t *testing.T) {
	t.Parallel()
	analyze := tool(t, "systemd-analyze")
	w := newPlainWorld(t)
	for _, name := range []string{"fazt.service", "fazt.socket"} {
		unit, err := os.ReadFile("../../docs/guides/systemd/" + name)
		must(t, err)
		// The unit is whole only with a program at its path.
		w.write(map[string]string{name: strings.ReplaceAll(string(unit), "/usr/local/bin/fazt", w.bin)})
	}
	security := exec.Command(analyze, "security", "--no-pager", "--offline=true", w.path("fazt.service"))
	out, err := security.CombinedOutput()
	level := regexp.MustCompile(`exposure level for fazt\.service: ([0-9.]+)`).FindSubmatch(out)
	if level == nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	exposed, err := strconv.ParseFloat(string(level[1]), 64)
	must(t, err)
	t.Logf("exposure %.1f", exposed)
	if exposed > mostExposed {
		t.Errorf("exposure %.1f, more than %.1f\n%s", exposed, mostExposed, out)
	}
	verify := exec.Command(analyze, "verify", "--man=no", w.path("fazt.service"), w.path("fazt.socket"))
	if out, err := verify.CombinedOutput(); err != nil || strings.Contains(string(out), "fazt.") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
