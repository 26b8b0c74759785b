package op

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Limits bound what a request may carry. Zero values take the defaults.
type Limits struct {
	JSON    int64 // bytes of an input, 1 MiB
	File    int64 // bytes of one File, 32 MiB
	Upload  int64 // bytes of one Upload, 64 GiB
	Body    int64 // bytes of a whole request, 512 MiB; where it has an Upload, that is beside them
	Tree    int64 // bytes of a folder's files, 512 MiB
	Entries int   // files and folders of a Tree, 1,000,000
	Depth   int   // folders within folders, 32
	Memory  int64 // bytes of a Tree kept in memory before a file is made, 4 MiB
}

func (l Limits) filled() Limits {
	set := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.JSON, 1<<20)
	set(&l.File, 32<<20)
	set(&l.Upload, 64<<30)
	set(&l.Body, 512<<20)
	set(&l.Tree, 512<<20)
	set(&l.Memory, 4<<20)
	if l.Entries == 0 {
		l.Entries = 1_000_000
	}
	if l.Depth == 0 {
		l.Depth = 32
	}
	return l
}

// input reads the operation's input from a request: the query of a GET, the JSON
// of a POST, or a form whose first part is that JSON. cleanup removes what the
// input keeps on disk and is never nil.
func (h *Handler) input(w http.ResponseWriter, r *http.Request, o *operation) (in reflect.Value, cleanup func(), err error) {
	cleanup = func() {}
	in = reflect.New(o.in).Elem()
	if r.Method != http.MethodPost {
		in, err = o.query(r.URL.Query())
		return in, cleanup, err
	}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	limit := h.c.Limits.JSON
	if kind == typeForm {
		limit = h.c.Limits.Body
		if o.large() {
			limit += h.c.Limits.Upload
		}
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	if kind == typeForm {
		f := form{o: o, limits: h.c.Limits, tempDir: h.c.TempDir, parts: map[string]any{}}
		in, err = f.read(multipart.NewReader(body, params["boundary"]))
		return in, f.close, tooLarge(err)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return in, cleanup, tooLarge(fault.New(fault.Unavailable, "the request ended early: %w", err))
	}
	in, err = o.decode(text, nil)
	return in, cleanup, err
}

// tooLarge names the limit a body went over.
func tooLarge(err error) error {
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		e := fault.New(fault.Exhausted, "the request is larger than %s", size(over.Limit))
		return &refusal{e, http.StatusRequestEntityTooLarge}
	}
	return err
}

// size writes a number of bytes for a message.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}

// A form is a multipart request while it is read: "in" first, then the folders
// and files the operation knows, each at most once.
type form struct {
	o       *operation
	limits  Limits
	tempDir string
	parts   map[string]any
	spools  []*spool
}

func (f *form) close() {
	for _, s := range f.spools {
		s.close()
	}
}

func (f *form) read(r *multipart.Reader) (reflect.Value, error) {
	none := reflect.New(f.o.in).Elem()
	text := []byte("{}")
	for n := 0; ; n++ {
		part, err := r.NextPart()
		if err == io.EOF {
			return f.o.decode(text, f.parts)
		}
		if err != nil {
			return none, malformed(err)
		}
		if part.FormName() == "in" {
			if n > 0 {
				return none, fault.New(fault.Invalid, "the form's part \"in\" is not its first, or is there twice")
			}
			text, err = f.bytes(part, "in", f.limits.JSON)
		} else {
			err = f.part(part)
		}
		if err != nil {
			return none, err
		}
	}
}

func malformed(err error) error {
	return fault.New(fault.Invalid, "the form cannot be read: %w", err)
}

// part reads one folder or file.
func (f *form) part(part *multipart.Part) error {
	name := part.FormName()
	var known []string
	for i := range f.o.fields {
		field := &f.o.fields[i]
		if !field.kind.part() || field.json == "" {
			continue
		}
		if field.json != name {
			known = append(known, field.json)
			continue
		}
		if f.parts[name] != nil {
			return fault.New(fault.Invalid, "the form's part %q is there twice", name)
		}
		return f.fill(field, part)
	}
	return f.o.takesNo(name, known)
}

func (f *form) fill(field *field, part io.Reader) error {
	if field.kind == kindFile {
		text, err := f.bytes(part, field.json, f.limits.File)
		f.parts[field.json] = File{Bytes: text}
		return err
	}
	s := &spool{dir: f.tempDir, memory: f.limits.Memory}
	f.spools = append(f.spools, s)
	if field.kind == kindUpload {
		return f.spool(s, field.json, part)
	}
	tree, err := unpack(part, s, f.limits)
	if err != nil {
		return fault.Wrap(fault.KindOf(err), err, "%q", field.json)
	}
	f.parts[field.json] = Tree{FS: tree}
	return nil
}

// spool keeps a large file for the operation.
func (f *form) spool(s *spool, name string, part io.Reader) error {
	n, err := io.Copy(s, io.LimitReader(part, f.limits.Upload+1))
	var full *fs.PathError
	switch {
	case errors.As(err, &full):
		return fault.New(fault.Unavailable, "there is no room for the upload: %w", err)
	case err != nil:
		return malformed(err)
	case n > f.limits.Upload:
		return &refusal{fault.New(fault.Exhausted, "%q is larger than %s", name, size(f.limits.Upload)), http.StatusRequestEntityTooLarge}
	}
	f.parts[name] = Upload{Body: io.NewSectionReader(s, 0, n), Size: n}
	return nil
}

func (f *form) bytes(r io.Reader, name string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, malformed(err)
	}
	if int64(len(text)) > limit {
		e := fault.New(fault.Exhausted, "%q is larger than %s", name, size(limit))
		return nil, &refusal{e, http.StatusRequestEntityTooLarge}
	}
	return text, nil
}
