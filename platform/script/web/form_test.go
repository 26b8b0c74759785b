package web_test

import (
	"encoding/base64"
	"testing"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/script/web"
)

// Whatever comes in, a form is read as whole fields or refused, and what comes out
// can be handed to the engine.
func FuzzMultipart(f *testing.F) {
	f.Add([]byte("--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n"), "multipart/form-data; boundary=X")
	f.Add([]byte("--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"%22\\\"\"\r\nContent-Type: a/b\r\n\r\n\xff\r\n--X--"), "multipart/form-data; boundary=\"X\"")
	f.Add([]byte("--X--"), "multipart/form-data; boundary=X")
	f.Add([]byte(""), "")
	call := web.Functions()[web.CallName]
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		got, err := call([]any{"multipart", base64.StdEncoding.EncodeToString(body), contentType})
		if err != nil {
			return
		}
		flat := got.([]any)
		if len(flat)%4 != 0 {
			t.Fatalf("%d values are no whole fields", len(flat))
		}
		total := 0
		for i := 0; i < len(flat); i += 4 {
			total += checkField(t, flat[i:i+4])
		}
		if total > 3*len(body) {
			t.Errorf("%d bytes came out of %d", total, len(body))
		}
	})
}

func checkField(t *testing.T, field []any) int {
	name, value := field[0].(string), field[3].(string)
	if !utf8.ValidString(name) {
		t.Errorf("the name %q is no text", name)
	}
	if field[1] == nil {
		if !utf8.ValidString(value) {
			t.Errorf("the value %q is no text", value)
		}
		return len(value)
	}
	content, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Errorf("the file %q is no base64: %v", name, err)
	}
	return len(content)
}
