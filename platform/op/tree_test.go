package op_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

type anyTree struct {
	Dir op.Tree `arg:"" json:"dir" help:"the folder"`
}

// looking serves one operation that hands its folder to look.
func looking(look func(op.Tree) error, c op.HandlerConfig) (http.Handler, op.Op) {
	o := op.New(op.Row{Name: "look", Summary: "look", Effect: op.Read, Needs: op.Observe},
		func(_ context.Context, in anyTree) (struct{}, error) { return struct{}{}, look(in.Dir) })
	return op.NewHandler(op.Table{o}, c), o
}

func TestFolderArrivesAsItLeft(t *testing.T) {
	sent := fstest.MapFS{
		"fazt.hcl":           {Data: []byte("fazt {}\n")},
		"apps/site/index":    {Data: bytes.Repeat([]byte("x"), 5_000)},
		"apps/site/über.txt": {Data: []byte("ü")},
		"apps/empty":         {Data: nil},
		"bin/run":            {Data: []byte("#!"), Mode: 0o755},
		"link":               {Data: []byte("../outside"), Mode: fs.ModeSymlink | 0o777},
		strings.Repeat("long/", 20) + strings.Repeat("n", 200): {Data: []byte("deep")},
	}
	for name, memory := range map[string]int64{"in memory": 1 << 20, "on disk": 1000} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			var kept fs.FS
			h, o := looking(func(tree op.Tree) error {
				kept = tree.FS
				if err := fstest.TestFS(withoutLink{tree.FS}, "fazt.hcl", "apps/site/index", "apps/empty"); err != nil {
					return err
				}
				return sameTree(sent, tree.FS)
			}, op.HandlerConfig{TempDir: temp, Limits: op.Limits{Memory: memory}, Reveal: true})
			for transport, c := range transports(t, h) {
				c.OpenTree = func(name string) (fs.FS, error) {
					if name != "some/dir" {
						return nil, errors.New("not " + name)
					}
					return sent, nil
				}
				reply, err := c.Call(t.Context(), o, anyTree{Dir: op.Tree{Name: "some/dir"}})
				if err != nil || reply.Err() != nil {
					t.Fatalf("%s: %v %v", transport, err, reply.Err())
				}
				if left, _ := os.ReadDir(temp); len(left) > 0 {
					t.Errorf("%s: left %v behind", transport, left)
				}
			}
			if _, err := fs.ReadFile(kept, "apps/site/index"); err == nil {
				t.Error("the folder outlives its operation")
			}
		})
	}
}

// withoutLink hides the link, which fstest cannot read.
type withoutLink struct{ fs.FS }

func (w withoutLink) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.FS, name)
	var out []fs.DirEntry
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			out = append(out, e)
		}
	}
	return out, err
}

func (w withoutLink) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if d, ok := f.(fs.ReadDirFile); ok && name == "." {
		return rootDir{d}, err
	}
	return f, err
}

type rootDir struct{ fs.ReadDirFile }

func (r rootDir) ReadDir(n int) ([]fs.DirEntry, error) {
	for {
		entries, err := r.ReadDirFile.ReadDir(n)
		out := entries[:0:0]
		for _, e := range entries {
			if e.Type()&fs.ModeSymlink == 0 {
				out = append(out, e)
			}
		}
		if len(out) > 0 || err != nil || n <= 0 || len(entries) == 0 {
			return out, err
		}
	}
}

func sameTree(want fstest.MapFS, got fs.FS) error {
	seen := 0
	err := fs.WalkDir(got, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		seen++
		w := want[name]
		if w == nil {
			return fmt.Errorf("%s was not sent", name)
		}
		if d.Type() == fs.ModeSymlink {
			target, err := fs.ReadLink(got, name)
			if _, openErr := got.Open(name); openErr == nil || target != string(w.Data) {
				return fmt.Errorf("the link %s is %q, opened", name, target)
			}
			if stat, err := d.Info(); err != nil || stat.Size() != int64(len(target)) {
				return fmt.Errorf("the link %s does not say how long it is: %w", name, err)
			}
			return err
		}
		text, err := fs.ReadFile(got, name)
		stat, statErr := fs.Stat(got, name)
		if err != nil || statErr != nil || !bytes.Equal(text, w.Data) || stat.Mode()&0o100 != w.Mode&0o100 {
			return fmt.Errorf("%s differs: %d bytes, %v, %w %w", name, len(text), stat.Mode(), err, statErr)
		}
		return nil
	})
	if err == nil && seen != len(want) {
		err = fmt.Errorf("%d of %d files arrived", seen, len(want))
	}
	return err
}

// tarOf writes entries as they are, whatever they are.
func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 && h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(make([]byte, h.Size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload posts a form of parts, given as name and content in turn.
func upload(t *testing.T, h http.Handler, path string, parts ...any) (int, string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q", parts[i])}})
		if err != nil {
			t.Fatal(err)
		}
		switch content := parts[i+1].(type) {
		case string:
			_, _ = io.WriteString(w, content)
		case []byte:
			_, _ = w.Write(content)
		}
	}
	_ = form.Close()
	r := httptest.NewRequest(http.MethodPost, path, &b)
	r.Header.Set("Content-Type", form.FormDataContentType())
	got := do(h, r)
	return got.StatusCode, text(t, got.Body)
}

func TestHostileFoldersAreRefused(t *testing.T) {
	temp := t.TempDir()
	h, _ := looking(func(op.Tree) error { return errors.New("a hostile folder got through") },
		op.HandlerConfig{TempDir: temp, Limits: op.Limits{Tree: 1 << 20, Entries: 1000, Depth: 8}, Reveal: true})
	many := make([]tar.Header, 1001)
	for i := range many {
		many[i] = tar.Header{Name: fmt.Sprintf("f%d", i)}
	}
	huge := tarOf(t, tar.Header{Name: "huge", Size: 10})
	var lie bytes.Buffer
	if err := tar.NewWriter(&lie).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "huge", Size: 1 << 40, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		tar  []byte
		want string
	}{
		"dot dot":           {tarOf(t, tar.Header{Name: "../evil"}), "leaves its folder"},
		"dot dot inside":    {tarOf(t, tar.Header{Name: "a/../../evil"}), "leaves its folder"},
		"absolute":          {tarOf(t, tar.Header{Name: "/etc/passwd"}), "leaves its folder"},
		"git":               {tarOf(t, tar.Header{Name: "a/.git/config"}), "goes through .git"},
		"git in capitals":   {tarOf(t, tar.Header{Name: ".GIT/config"}), "goes through .git"},
		"backslash":         {tarOf(t, tar.Header{Name: `a\..\b`}), "no path may have"},
		"control character": {tarOf(t, tar.Header{Name: "a\nb"}), "no path may have"},
		"no UTF-8":          {tarOf(t, tar.Header{Name: "a\xff", Format: tar.FormatGNU}), "malformed"},
		"empty name":        {tarOf(t, tar.Header{Name: ""}), "malformed"},
		"hard link":         {tarOf(t, tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "/etc/passwd"}), "neither a file"},
		"device":            {tarOf(t, tar.Header{Typeflag: tar.TypeChar, Name: "a"}), "neither a file"},
		"through a link": {tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc"},
			tar.Header{Name: "a/passwd"}), "a file and a folder"},
		"over a link": {tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc/passwd"},
			tar.Header{Name: "a"}), "there twice"},
		"file and folder":     {tarOf(t, tar.Header{Name: "a"}, tar.Header{Name: "a/b"}), "a file and a folder"},
		"folder and file":     {tarOf(t, tar.Header{Name: "a/b"}, tar.Header{Name: "a"}), "there twice"},
		"twice":               {tarOf(t, tar.Header{Name: "a"}, tar.Header{Name: "a"}), "there twice"},
		"deep":                {tarOf(t, tar.Header{Name: strings.Repeat("a/", 8) + "b"}), "folders deep"},
		"many":                {tarOf(t, many...), "more than 1000 entries"},
		"large":               {tarOf(t, tar.Header{Name: "a", Size: 1 << 19}, tar.Header{Name: "b", Size: 1<<19 + 1}), "larger than 1 MiB"},
		"claimed to be large": {lie.Bytes(), "larger than 1 MiB"},
		"cut":                 {huge[:515], "cannot be read"},
		"no tar":              {bytes.Repeat([]byte("no tar "), 100), "cannot be read"},
		"sparse":              {sparseTar(), "with holes"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := upload(t, h, "/v1/look", "in", `{"dir":"."}`, "dir", tc.tar)
			if status < 400 || status >= 500 || !strings.Contains(body, tc.want) {
				t.Errorf("%d %s, want %q", status, body, tc.want)
			}
		})
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left %v behind", left)
	}
}

// sparseTar is an entry of 900 KiB that takes 1.5 KiB of tar: holes are not in it.
func sparseTar() []byte {
	pax := func(pairs ...string) []byte {
		var b strings.Builder
		for i := 0; i < len(pairs); i += 2 {
			line := fmt.Sprintf(" %s=%s\n", pairs[i], pairs[i+1])
			n := len(line) + 2
			fmt.Fprintf(&b, "%d%s", n, line)
		}
		return []byte(b.String())
	}
	records := pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "hole", "GNU.sparse.realsize", "900000")
	var b bytes.Buffer
	raw := func(kind byte, name string, body []byte) {
		block := make([]byte, 512)
		copy(block, name)
		copy(block[100:], "0000644\x00")
		copy(block[108:], "0000000\x00")
		copy(block[116:], "0000000\x00")
		copy(block[124:], fmt.Sprintf("%011o\x00", len(body)))
		copy(block[136:], "00000000000\x00")
		copy(block[148:], "        ")
		block[156] = kind
		copy(block[257:], "ustar\x0000")
		sum := 0
		for _, c := range block {
			sum += int(c)
		}
		copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
		b.Write(block)
		b.Write(body)
		b.Write(make([]byte, (512-len(body)%512)%512))
	}
	raw('x', "pax", records)
	raw('0', "GNUSparseFile.0/hole", append([]byte("0\n"), make([]byte, 510)...))
	b.Write(make([]byte, 1024))
	return b.Bytes()
}

// A large folder costs entries, not trouble.
func TestManyEntriesWithinTheLimit(t *testing.T) {
	headers := make([]tar.Header, 100_000)
	for i := range headers {
		headers[i] = tar.Header{Name: fmt.Sprintf("d%d/f%d", i%100, i)}
	}
	n := 0
	h, _ := looking(func(tree op.Tree) error {
		return fs.WalkDir(tree, ".", func(string, fs.DirEntry, error) error { n++; return nil })
	}, op.HandlerConfig{})
	if status, body := upload(t, h, "/v1/look", "in", `{"dir":"."}`, "dir", tarOf(t, headers...)); status != 200 || n != 100_101 {
		t.Errorf("%d %s, %d entries", status, body, n)
	}
}

func TestForms(t *testing.T) {
	h := op.NewHandler(sample(nil), op.HandlerConfig{Limits: op.Limits{File: 100, Body: 8000, JSON: 1000}})
	folder := tarOf(t, tar.Header{Name: "./a"}, tar.Header{Typeflag: tar.TypeDir, Name: "./"}, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}})
	for _, tc := range []struct {
		name   string
		status int
		want   string
		parts  []any
	}{
		{"complete", 200, `{"dir":"d","files":{"a":""},"key":"k"}`, []any{"in", `{"dir":"d","key":"x"}`, "dir", folder, "key", "k"}},
		{"names are optional", 200, `"dir":""`, []any{"dir", folder}},
		{"the folder is missing", 400, `"apply\" needs a folder in \"dir`, []any{"in", `{}`}},
		{"the file is missing", 400, `needs a file in \"key`, []any{"in", `{"key":"x"}`, "dir", folder}},
		{"an unknown part", 400, `takes no \"dri\"`, []any{"in", `{}`, "dri", folder}},
		{"a part twice", 400, `\"key\" is there twice`, []any{"key", "a", "key", "b"}},
		{"in is late", 400, `not its first`, []any{"key", "a", "in", "{}"}},
		{"an unknown field", 400, `takes no \"nope\"`, []any{"in", `{"nope":1}`, "dir", folder}},
		{"a large file", 413, `larger than 100 bytes`, []any{"in", `{}`, "key", strings.Repeat("a", 101)}},
		{"a large body", 413, `larger than 8000 bytes`, []any{"in", `{}`, "dir", bytes.Repeat(folder, 5)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := upload(t, h, "/v1/apply", tc.parts...)
			if status != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("%d %s, want %d %s", status, body, tc.status, tc.want)
			}
		})
	}
	r := post(t, h, "/v1/apply", `{"dir":"d"}`)
	if body := text(t, r.Body); r.StatusCode != 400 || !strings.Contains(body, "multipart/form-data") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

// A folder that cannot be read is the caller's error, whatever the node says.
func TestUnreadableFolderIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, o := looking(func(op.Tree) error { return nil }, op.HandlerConfig{})
	for name, c := range transports(t, h) {
		_, err := c.Call(t.Context(), o, anyTree{Dir: op.Tree{FS: failing{os.DirFS(dir)}, Name: "d"}})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `"a" cannot be read: disk on fire`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the caller may not read is named once, with what to do about it.
func TestForbiddenFileHasARemedy(t *testing.T) {
	h, o := looking(func(op.Tree) error { return nil }, op.HandlerConfig{})
	tree := forbidding{fstest.MapFS{"site/a": {Data: []byte("x")}}}
	for name, c := range transports(t, h) {
		_, err := c.Call(t.Context(), o, anyTree{Dir: op.Tree{FS: tree, Name: "d"}})
		if err == nil || err.Error() != `"site/a" cannot be read: permission denied` || !strings.Contains(fault.HintOf(err), ".gitignore") {
			t.Errorf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
	}
}

type forbidding struct{ fs.FS }

func (f forbidding) Open(name string) (fs.File, error) {
	if name == "site/a" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return f.FS.Open(name)
}

type failing struct{ fs.FS }

func (f failing) Open(name string) (fs.File, error) {
	if name == "a" {
		return nil, errors.New("disk on fire")
	}
	return f.FS.Open(name)
}

func TestPatchIsWrittenBelowItsFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, mode := range map[string]fs.FileMode{"run.sh": 0o755, "same": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("same"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	var patch op.Patch
	if err := json.Unmarshal([]byte(`{"apps/a/x.hcl":"aGk=","run.sh":"aGk=","same":"c2FtZQ=="}`), &patch); err != nil {
		t.Fatal(err)
	}
	if err := patch.Write(root); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "apps/a/x.hcl"))
	stat, statErr := os.Stat(filepath.Join(dir, "run.sh"))
	if err != nil || statErr != nil || string(text) != "hi" || stat.Mode().Perm() != 0o755 {
		t.Errorf("%q %v, %v %v", text, err, stat, statErr)
	}
	for _, name := range []string{"../x", "/x", "a/../../x", ".git/hooks/post-checkout", "a\\b", "", ".", "out/x"} {
		err := op.Patch{"good": []byte("x"), name: []byte("x")}.Write(root)
		if err == nil {
			t.Errorf("%q was written", name)
		}
		if _, err := os.Stat(filepath.Join(dir, "good")); err == nil && name != "out/x" {
			t.Errorf("%q: a part of a bad patch was written", name)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("%v was written outside", left)
	}
}

// Whatever a tar holds, a tree that is accepted has only names a tree may have,
// and can be read as it says.
func FuzzUnpack(f *testing.F) {
	h, _ := looking(func(tree op.Tree) error {
		return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !fs.ValidPath(name) || strings.Contains(strings.ToLower("/"+name+"/"), "/.git/") {
				return fmt.Errorf("the name %q got in", name)
			}
			if !d.Type().IsRegular() {
				return nil
			}
			text, err := fs.ReadFile(tree, name)
			if stat, statErr := d.Info(); err != nil || statErr != nil || int64(len(text)) != stat.Size() {
				return fmt.Errorf("%q has %d bytes, %w %w", name, len(text), err, statErr)
			}
			return nil
		})
	}, op.HandlerConfig{Log: quiet(), TempDir: f.TempDir(), Limits: op.Limits{Tree: 1 << 16, Entries: 100, Memory: 1 << 10}})
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, header := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "a/b", Size: 3, Mode: 0o755}, {Typeflag: tar.TypeDir, Name: "c/"}, {Typeflag: tar.TypeSymlink, Name: "d", Linkname: "a"},
	} {
		_ = w.WriteHeader(&header)
		_, _ = w.Write([]byte("abc")[:header.Size])
	}
	_ = w.Close()
	f.Add(b.Bytes())
	f.Add(sparseTar())
	f.Fuzz(func(t *testing.T, text []byte) {
		if status, body := upload(t, h, "/v1/look", "in", `{"dir":"."}`, "dir", text); status >= 500 {
			t.Fatalf("%d %s", status, body)
		}
	})
}
