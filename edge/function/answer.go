package function

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// headerMost bounds the header of an answer in bytes. Browsers and proxies give
// up between 8 and 256 KiB.
const headerMost = 64 << 10

// send writes what the program says. It returns an error where that is no HTTP,
// and where the body breaks off.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, a *script.Response, drop func(field, why string)) error {
	if a.Status < 200 || a.Status > 599 {
		return fault.New(fault.Internal, "the program answered with the status %d", a.Status)
	}
	head := http.Header{}
	if err := answerHeader(head, a.Header, drop); err != nil {
		return err
	}
	length := bodyLength(head, a, r.Method)
	restrict(head)
	if uploaded(a.Header) {
		contain(head, r.URL.Path)
	}
	if head["Content-Type"] == nil {
		head["Content-Type"] = nil // or net/http would guess one
	}
	snippet := h.snippet(r, head, a.Status)
	if length >= 0 && len(snippet) > 0 {
		head.Set("Content-Length", strconv.FormatInt(length+int64(len(snippet)), 10))
	}
	begin := func() {
		for name, values := range head {
			w.Header()[name] = values
		}
		w.WriteHeader(a.Status)
	}
	if r.Method == http.MethodHead || noBody(a.Status) {
		begin()
		return leave(a.Body)
	}
	if strings.HasPrefix(head.Get("Content-Type"), "text/event-stream") {
		begin() // an EventSource is open before its first event, however late that is
		if err := http.NewResponseController(w).Flush(); err != nil {
			return fmt.Errorf("%w: %w", errLeft, err)
		}
		begin = nil
	}
	if err := h.stream(w, a.Body, length, begin); err != nil || len(snippet) == 0 {
		return err
	}
	return pass(w, http.NewResponseController(w), snippet, false)
}

// snippet is what goes behind a page that a developer's browser shows: not behind
// what code of a page asked for, nor where it would not be read.
func (h *Handler) snippet(r *http.Request, head http.Header, status int) []byte {
	shown := r.Method != http.MethodHead && !noBody(status) && r.Header.Get("Sec-Fetch-Dest") == "document"
	if h.options.Dev == nil || !shown || head["Content-Encoding"] != nil || !strings.HasPrefix(head.Get("Content-Type"), "text/html") {
		return nil
	}
	return h.options.Dev.Snippet
}

// leave passes over a body that is there as a whole: closing one before its end
// would tell the program that nobody wanted its answer.
func leave(body io.Reader) error {
	if wholeLength(body) >= 0 {
		_, _ = io.Copy(io.Discard, body)
	}
	return nil
}

// wholeLength is the length of a body that is there as a whole, else -1.
func wholeLength(body io.Reader) int64 {
	if b, ok := body.(interface{ Len() int }); ok {
		return int64(b.Len())
	}
	return -1
}

// answerHeader takes over the fields that an app may set. It drops the others and
// says so.
func answerHeader(head http.Header, fields [][2]string, drop func(field, why string)) error {
	size := 0
	for _, f := range fields {
		size += len(f[0]) + len(f[1]) + len(": \r\n")
		if size > headerMost {
			return fault.New(fault.Exhausted, "the header of the answer is larger than %d bytes", headerMost).WithSubject("limit_reply")
		}
		if strings.EqualFold(f[0], upload) {
			continue // for us
		}
		name := textproto.CanonicalMIMEHeaderKey(f[0])
		value, ok := narrow(f[1])
		why := refused(name, value)
		if !ok || !isToken(name) || !isFieldValue(value) {
			why = "it is not a header field"
		}
		if why != "" {
			drop(name, why)
			continue
		}
		head[name] = append(head[name], value)
	}
	return nil
}

// upload marks an answer that is made of a stored file. The engine sets it where a
// program passes the stream of one on, so that forgetting what others may have put
// there has no consequence.
const upload = "fazt-upload"

func uploaded(fields [][2]string) bool {
	return slices.ContainsFunc(fields, func(f [2]string) bool { return strings.EqualFold(f[0], upload) })
}

// contain keeps a stored file from running as a page of the app.
func contain(head http.Header, path string) {
	head["X-Content-Type-Options"] = []string{"nosniff"}
	base, _, _ := strings.Cut(head.Get("Content-Type"), ";")
	if base = strings.ToLower(strings.TrimSpace(base)); shown(base) || base == "" {
		return // without a type a browser that may not guess shows nothing
	}
	head["Content-Security-Policy"] = append(slices.Clone(head["Content-Security-Policy"]), "sandbox")
	head["Content-Disposition"] = []string{attachment(head.Get("Content-Disposition"), path)}
}

// refused says why an app may not set a field, empty if it may.
func refused(name, value string) string {
	switch {
	case strings.HasPrefix(name, "Fazt-"):
		return "the platform sets it"
	case name == "Alt-Svc":
		return "it is about the server and not the app"
	case forConnection(name, nil):
		return "it is about the connection"
	case name == "Set-Cookie" && isPlatformCookie(value):
		return "a cookie of this name is the platform's"
	case name == "Set-Cookie" && hasDomain(value):
		return "a cookie with a domain would reach other apps"
	case name == "Clear-Site-Data" && clearsCookies(value):
		return "it would sign visitors out of the other apps too"
	default:
		return ""
	}
}

// clearsCookies tells whether Clear-Site-Data is about cookies: browsers then clear those
// of all hosts of the domain.
func clearsCookies(value string) bool {
	return strings.Contains(strings.ToLower(value), `"cookies"`) || strings.Contains(value, `"*"`)
}

// hasDomain tells whether a cookie has the attribute Domain, also an empty one:
// browsers differ in what that means.
func hasDomain(cookie string) bool {
	_, attributes, _ := strings.Cut(cookie, ";")
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, _, _ := strings.Cut(attribute, "=")
		if strings.EqualFold(strings.TrimSpace(name), "Domain") {
			return true
		}
	}
	return false
}

// bodyLength decides on Content-Length: that of a body which is there as a whole,
// else the program's own, which the body will be held to. -1 is a body whose end
// nobody knows. To HEAD a program may have no body and a length.
func bodyLength(head http.Header, a *script.Response, method string) int64 {
	said := head.Get("Content-Length")
	delete(head, "Content-Length")
	length := int64(-1)
	if n, err := strconv.ParseUint(said, 10, 63); err == nil {
		length = int64(n)
	}
	if n := wholeLength(a.Body); n >= 0 && (method != http.MethodHead || length < 0 && n > 0) {
		length = n
	}
	if length >= 0 && !noBody(a.Status) {
		head["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	return length
}

// streamed tells whether the body of an answer comes bit by bit.
func streamed(a *script.Response) bool {
	whole, ok := a.Body.(interface{ Len() int })
	return !ok || whole.Len() < 0
}

// noBody tells whether an answer of a status ends with its header. 205 has a body
// that must be empty.
func noBody(status int) bool {
	return status == http.StatusNoContent || status == http.StatusResetContent || status == http.StatusNotModified
}

// restrict adds what is not set: no guessed types, no addresses told to others, no
// frames on other sites.
func restrict(head http.Header) {
	if head["X-Content-Type-Options"] == nil {
		head["X-Content-Type-Options"] = []string{"nosniff"}
	}
	if head["Referrer-Policy"] == nil {
		head["Referrer-Policy"] = []string{"strict-origin-when-cross-origin"}
	}
	policies := head["Content-Security-Policy"]
	framed := head["X-Frame-Options"] != nil || slices.ContainsFunc(policies, func(p string) bool {
		return strings.Contains(strings.ToLower(p), "frame-ancestors")
	})
	switch {
	case len(policies) == 0 && !framed:
		head["Content-Security-Policy"] = []string{"base-uri 'self'; frame-ancestors 'self'"}
	case !framed:
		head["Content-Security-Policy"] = append(policies, "frame-ancestors 'self'") // both hold
	}
}

// chunk is how much of a body is held at once.
const chunk = 32 << 10

// stream copies a body. One without a known length is sent as it comes, since
// somebody may be waiting for each part of it. begin, if there is one, sends the header, which
// waits for the first part: until then, what goes wrong is answered as such.
func (h *Handler) stream(w http.ResponseWriter, from io.Reader, length int64, begin func()) error {
	buffer := h.buffers.Get().(*[chunk]byte)
	defer h.buffers.Put(buffer)
	control := http.NewResponseController(w)
	sized, sent := length >= 0, int64(0)
	if sized {
		from = io.LimitReader(from, length)
	}
	for {
		n, err := from.Read(buffer[:])
		if begin != nil && (n > 0 || err == io.EOF && length <= 0) {
			begin()
			begin = nil
		}
		if n > 0 {
			if err := pass(w, control, buffer[:n], !sized); err != nil {
				return fmt.Errorf("%w: %w", errLeft, err)
			}
			sent += int64(n)
		}
		switch {
		case err == io.EOF && sized && sent < length:
			return fault.New(fault.Internal, "the program announced %d bytes and sent %d", length, sent)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// errLeft is a client that does not take its answer.
var errLeft = errors.New("the client left")

func pass(w io.Writer, control *http.ResponseController, part []byte, now bool) error {
	if _, err := w.Write(part); err != nil || !now {
		return err
	}
	return control.Flush()
}

// isToken tells whether a name can be a field's (RFC 9110, 5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return name != ""
}

// isFieldValue tells whether a value has no control character but the tab.
func isFieldValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
