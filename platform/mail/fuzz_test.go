package mail_test

import (
	"bytes"
	"io"
	"maps"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/mail"
)

// FuzzMessage holds that what is taken arrives as it was given: no field becomes
// another one, whatever is in it.
func FuzzMessage(f *testing.F) {
	f.Add("ana@example.com", "Your code is 123456", "123456\n.\nü\n")
	f.Add("ana@example.com\r\nBcc: eve@evil.test", "a\r\nBcc: eve@evil.test", "\r\n.\r\nMAIL FROM:<eve@evil.test>")
	f.Add("ana@example.com", "=?utf-8?q?a=0D=0ABcc:?=", "x")
	f.Add("ana@example.com", "\xff", "x")
	f.Add("ana@example.com>\x00", "=?utf-8?q?a=0D=0ABcc:?=", "From me")
	f.Add("Ana <ana@example.com>, eve@evil.test", "ü\u2028\u0085", "\xff=\t ")
	f.Add("\"a b\"@[127.0.0.1]", strings.Repeat("long ", 60), strings.Repeat("ü", 200))
	fields := []string{"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "User-Agent", "X-Mailer"}
	f.Fuzz(func(t *testing.T, to, subject, text string) {
		raw, err := mail.Wire(mail.Config{From: "Example <hello@example.com>"}, mail.Message{To: to, Subject: subject, Text: text})
		if err != nil {
			return
		}
		m, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		if got := slices.Sorted(maps.Keys(m.Header)); !slices.Equal(got, fields) {
			t.Errorf("fields %q", got)
		}
		for name, values := range m.Header {
			if len(values) != 1 {
				t.Errorf("%s is there %d times", name, len(values))
			}
		}
		if list, err := m.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != to {
			t.Errorf("to %q: %v, %v", to, list, err)
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(subject), " ") { // readers fold blanks
			t.Errorf("subject %q is %q, %v", subject, got, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if lines := strings.NewReplacer("\r\n", "\n"); err != nil || lines.Replace(string(body)) != lines.Replace(text) {
			t.Errorf("text %q is %q, %v", text, body, err)
		}
	})
}
