package binding

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// SignedPath begins the paths of signed addresses on every host of an app.
const SignedPath = "/_fazt/blob/"

// The members of a signed address' query.
const (
	querySignature = "s"
	queryUser      = "u"
	queryKey       = "key" // where no path can carry it
)

// longest is how long a signed address may be good for: R2's bound.
const longest = 7 * 24 * 3600

type signArgs struct {
	fileKey
	Method  string `json:"method"`
	Expires int64  `json:"expires"` // seconds from now
}

func (a *App) signFile(name string, f *storage.Files) func(context.Context, request, signArgs) (script.Reply, error) {
	return func(_ context.Context, _ request, s signArgs) (script.Reply, error) {
		switch {
		case s.Method != http.MethodGet && s.Method != http.MethodPut:
			return script.Reply{}, fault.New(fault.Invalid, "an address is signed for GET or PUT, not %q", clip(s.Method))
		case s.Expires < 1 || s.Expires > longest:
			return script.Reply{}, fault.New(fault.Invalid, "an address is good for 1 to %d seconds, not %d", longest, s.Expires)
		case s.Key == "" || s.User != nil && *s.User == "":
			return script.Reply{}, fault.New(fault.Invalid, "the key or the user is empty")
		}
		signature := s.files(f).Sign(s.Method, s.Key, time.Now().Add(time.Duration(s.Expires)*time.Second))
		return value(map[string]string{"url": a.config.Origin + s.address(name, signature)})
	}
}

// address is path and query. A key that no path can carry, as the edge takes some
// of its characters for an attack, goes with the query.
func (s signArgs) address(name, signature string) string {
	q, key := url.Values{querySignature: {signature}}, s.Key
	if s.User != nil {
		q.Set(queryUser, *s.User)
	}
	if !isPath(key) {
		q.Set(queryKey, key)
		key = "-"
	}
	return (&url.URL{Path: SignedPath + name + "/" + key, RawQuery: q.Encode()}).String()
}

// isPath tells whether a key is a path that the edge leaves as it is.
func isPath(key string) bool {
	if strings.ContainsFunc(key, func(c rune) bool { return c == '\\' || unicode.IsControl(c) || c == unicode.ReplacementChar }) {
		return false
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// signed judges an address and returns the files it means.
func (a *App) signed(method, binding, key string, query url.Values) (*storage.Files, error) {
	f, ok := a.config.Files[binding]
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no binding %q", clip(binding))
	}
	if users := query[queryUser]; len(users) == 1 {
		f = f.User(users[0])
	}
	return f, f.Verify(method, key, query.Get(querySignature))
}

// OpenSigned returns the file at an address that was signed for GET, and the header
// of its answer. The file is opened when it is first read.
func (a *App) OpenSigned(ctx context.Context, binding, key string, query url.Values) (io.ReadSeekCloser, http.Header, error) {
	f, err := a.signed(http.MethodGet, binding, key, query)
	if err != nil {
		return nil, nil, err
	}
	return openFile(ctx, f, key, "private, no-cache")
}

// OpenPublic returns a file of a store that everybody may read, and the header of
// its answer.
func (a *App) OpenPublic(ctx context.Context, binding, key string) (io.ReadSeekCloser, http.Header, error) {
	f, ok := a.config.Files[binding]
	if !ok {
		return nil, nil, fault.New(fault.NotFound, "there is no binding %q", clip(binding))
	}
	return openFile(ctx, f, key, "no-cache")
}

func openFile(ctx context.Context, f *storage.Files, key, caching string) (io.ReadSeekCloser, http.Header, error) {
	info, ok, err := f.Head(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, fault.New(fault.NotFound, "no file %q", clip(key))
	}
	header := http.Header{"Etag": {`"` + info.ETag + `"`}, "Last-Modified": {info.Modified.UTC().Format(http.TimeFormat)}}
	header.Set("Cache-Control", caching)
	for name, field := range map[string]string{"contentType": "Content-Type", "contentLanguage": "Content-Language",
		"contentDisposition": "Content-Disposition", "contentEncoding": "Content-Encoding", "cacheControl": "Cache-Control"} {
		if v := metaOfFile(info).HTTP[name]; v != "" {
			header.Set(field, v)
		}
	}
	return &signedFile{ctx: ctx, files: f, info: info}, header, nil
}

// PutSigned stores a body at an address that was signed for PUT.
func (a *App) PutSigned(ctx context.Context, binding, key string, query url.Values, header http.Header, body io.Reader) (etag string, err error) {
	f, err := a.signed(http.MethodPut, binding, key, query)
	if err != nil {
		return "", err
	}
	said := described{HTTP: map[string]string{}}
	for name, field := range map[string]string{"contentType": "Content-Type", "contentLanguage": "Content-Language",
		"contentDisposition": "Content-Disposition", "contentEncoding": "Content-Encoding"} {
		if v := header.Get(field); v != "" {
			said.HTTP[name] = v
		}
	}
	o, err := said.options()
	if err != nil {
		return "", err
	}
	info, err := f.Put(ctx, key, body, o)
	return `"` + info.ETag + `"`, err
}

// signedFile is a file that is opened where it is read, so that asking whether it
// has changed opens none.
type signedFile struct {
	ctx   context.Context
	files *storage.Files
	info  storage.FileInfo
	at    int64
	body  io.ReadCloser // from at on; nil until it is read
}

// Read implements io.Reader. The bytes are those that were asked for first, also
// where others have taken their place.
func (s *signedFile) Read(p []byte) (int, error) {
	if s.at >= s.info.Size {
		return 0, io.EOF
	}
	if s.body == nil {
		file, err := s.files.Get(s.ctx, s.info.Key, &storage.Range{Offset: s.at}, storage.Condition{Match: []string{s.info.ETag}})
		if err != nil {
			return 0, err
		}
		if file.Body == nil {
			return 0, fault.New(fault.Unavailable, "the file has changed meanwhile")
		}
		s.body = file.Body
	}
	n, err := s.body.Read(p)
	s.at += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (s *signedFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.info.Size
	}
	if offset < 0 {
		return 0, fault.New(fault.Invalid, "offset %s is before the file", strconv.FormatInt(offset, 10))
	}
	if offset != s.at {
		s.at = offset
		return offset, s.Close()
	}
	return offset, nil
}

// Close implements io.Closer.
func (s *signedFile) Close() error {
	if s.body == nil {
		return nil
	}
	err := s.body.Close()
	s.body = nil
	return err
}
