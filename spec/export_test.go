package spec_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// What is exported evaluates to the objects it was made of, but for those that
// no block declares: they are named in a comment.
func TestExportComesBack(t *testing.T) {
	for _, f := range fixtures(t, "valid") {
		out := spec.Load(f.input)
		if out.Spec == nil {
			continue // said by another test
		}
		exportComesBack(t, f, out.Spec.Objects)
		for i, o := range out.Spec.Objects {
			if o.Kind == spec.KindApp && !isService(out.Spec.Objects, o.Addr) && !isGranted(out.Spec.Objects, o.Addr) {
				left := slices.Clone(out.Spec.Objects)
				left[i].Unmanaged = true
				exportComesBack(t, f, left)
			}
		}
	}
}

func exportComesBack(t *testing.T, f fixture, objects []spec.Object) {
	t.Helper()
	files, err := spec.Export(objects)
	if err != nil {
		t.Errorf("%s: %v", f.path, err)
		return
	}
	texts := map[string]string{}
	for name, text := range files {
		texts[name] = string(text)
	}
	again := spec.Load(spec.Input{Tree: repo(texts), Domain: f.input.Domain})
	if again.Spec == nil || len(again.Spec.Stalled) > 0 {
		t.Errorf("%s: the export is refused: %v\n%s", f.path, again.Diagnostics, texts["apps.fazt.hcl"])
		return
	}
	var want []spec.Object
	used := usedSecrets(objects)
	for _, o := range objects {
		if o.Kind == spec.KindSecret && !used[o.Name] {
			continue // a node has none that it does not need
		}
		if !o.Unmanaged {
			want = append(want, o)
		} else if !strings.Contains(texts["apps.fazt.hcl"], string(o.Addr)+" is in service, and no block declares it: fazt import "+o.Name+"\n") {
			t.Errorf("%s: %s is left out without a word:\n%s", f.path, o.Addr, texts["apps.fazt.hcl"])
		}
	}
	got := again.Spec.Objects
	if len(want) != len(got) {
		t.Errorf("%s: %d objects become %d", f.path, len(want), len(got))
		return
	}
	for i := range want {
		if want[i].Addr != got[i].Addr || want[i].Digest != got[i].Digest || want[i].Name != got[i].Name {
			t.Errorf("%s: %s %s becomes %s %s", f.path, want[i].Addr, want[i].Spec, got[i].Addr, got[i].Spec)
		}
	}
	if formatted, _ := spec.Format("apps.fazt.hcl", files["apps.fazt.hcl"]); string(formatted) != texts["apps.fazt.hcl"] {
		t.Errorf("%s: the export is not formatted:\n%s", f.path, texts["apps.fazt.hcl"])
	}
}

// appOf is an app's canonical form.
func appOf(o spec.Object) (a spec.App) {
	_ = json.Unmarshal(o.Spec, &a)
	return a
}

// isService tells whether some app names another one as its service: without
// that one its block is refused.
func isService(objects []spec.Object, addr spec.Addr) bool {
	return slices.ContainsFunc(objects, func(o spec.Object) bool {
		return slices.ContainsFunc(appOf(o).Services, func(s spec.Service) bool { return s.App == addr })
	})
}

// usedSecrets are the secrets that managed apps use.
func usedSecrets(objects []spec.Object) map[string]bool {
	used := map[string]bool{}
	for _, o := range objects {
		for _, name := range appOf(o).Secrets() {
			used[name] = !o.Unmanaged || used[name]
		}
		var v spec.OAuth
		if o.Kind == spec.KindOAuth && json.Unmarshal(o.Spec, &v) == nil && v.ClientSecret.Secret != "" {
			used[v.ClientSecret.Secret] = true
		}
		var m spec.Mail
		if o.Kind == spec.KindMail && json.Unmarshal(o.Spec, &m) == nil && m.Password.Secret != "" {
			used[m.Password.Secret] = true
		}
	}
	return used
}

// isGranted tells whether a grant names an app, or all of its block.
func isGranted(objects []spec.Object, addr spec.Addr) bool {
	block, _, _ := strings.Cut(string(addr), "[")
	return slices.ContainsFunc(objects, func(o spec.Object) bool {
		return o.Kind == spec.KindRole && strings.Contains(string(o.Spec), block)
	})
}
