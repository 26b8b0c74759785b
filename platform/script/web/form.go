package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// maxFields is how many fields a form may have: more is nobody's form, and each
// becomes objects in the function's memory.
const maxFields = 10_000

func formOperations(ops map[string]Function) {
	ops["multipart"] = func(args []any) (any, error) {
		body, err := data(args, 0)
		if err != nil {
			return nil, err
		}
		return readForm(body, text(args, 1))
	}
}

// readForm takes the bytes of a form and its content type. It returns four strings
// for each field: name, file name or nil, content type, and the text, or the bytes
// in base64 where there is a file name.
func readForm(body []byte, contentType string) ([]any, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, named{"TypeError", "the content type of the form names no boundary"}
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	flat := []any{}
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return flat, closed(body, params["boundary"])
		}
		if err != nil {
			return nil, named{"TypeError", "the form cannot be read: " + strings.TrimPrefix(err.Error(), "multipart: ")}
		}
		field, err := readField(part)
		if err != nil {
			return nil, err
		}
		if flat = append(flat, field...); len(flat) > 4*maxFields {
			return nil, named{"TypeError", "the form has more than 10000 fields"}
		}
	}
}

// closed tells whether the form ended where it said it would: one that was cut off
// must not look whole.
func closed(body []byte, boundary string) error {
	if bytes.Contains(body, []byte("--"+boundary+"--")) {
		return nil
	}
	return named{"TypeError", "the form has no end: it was cut off"}
}

func readField(part *multipart.Part) ([]any, error) {
	kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	name, ok := params["name"]
	if err != nil || kind != "form-data" || !ok {
		return nil, named{"TypeError", "a field of the form has no name"}
	}
	content, err := io.ReadAll(part)
	if err != nil {
		return nil, named{"TypeError", "the form cannot be read: " + strings.TrimPrefix(err.Error(), "multipart: ")}
	}
	filename, isFile := params["filename"]
	if !isFile {
		return []any{unescaped(name), nil, "", wellFormed(string(content))}, nil
	}
	contentType := part.Header.Get("Content-Type")
	if contentType == "" {
		contentType = "text/plain"
	}
	return []any{unescaped(name), unescaped(filename), contentType, encoded(content)}, nil
}

// unescaped undoes what browsers escape in the names of a form: they write a
// quotation mark as %22 and ends of lines as %0D and %0A, and leave other percent
// signs as they are.
func unescaped(name string) string {
	return wellFormed(strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n").Replace(name))
}
