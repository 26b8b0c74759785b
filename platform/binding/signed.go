package binding

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

// signed finds the store of a signed address and judges the signature.
func (a *App) signed(method, binding, key string, query url.Values) (*storage.Files, error) {
	f := a.config.Files[binding]
	if f == nil {
		return nil, fault.New(fault.Forbidden, "this address is not signed")
	}
	if users := query["user"]; len(users) == 1 {
		f = f.User(users[0])
	}
	return f, f.Verify(method, key, query.Get("sig"))
}

// OpenSigned implements function.Files.
func (a *App) OpenSigned(ctx context.Context, binding, key string, query url.Values) (io.ReadSeekCloser, http.Header, error) {
	f, err := a.signed(http.MethodGet, binding, key, query)
	if err != nil {
		return nil, nil, err
	}
	return openFile(ctx, f, key)
}

// OpenPublic opens a file of a store that everybody may read. The error's kind is
// NotFound if there is none.
func (a *App) OpenPublic(ctx context.Context, binding, key string) (io.ReadSeekCloser, http.Header, error) {
	f := a.config.Files[binding]
	if f == nil {
		return nil, nil, fault.New(fault.NotFound, "there is no file %q", clip(key))
	}
	return openFile(ctx, f, key)
}

// PutSigned implements function.Files.
func (a *App) PutSigned(ctx context.Context, binding, key string, query url.Values, header http.Header, body io.Reader) (string, error) {
	f, err := a.signed(http.MethodPut, binding, key, query)
	if err != nil {
		return "", err
	}
	meta := fileMeta{HTTP: map[string]string{contentType: header.Get("Content-Type")}}
	for name, field := range storedFields() {
		if text := header.Get(field); text != "" {
			meta.HTTP[name] = text
		}
	}
	o, err := meta.options()
	if err != nil {
		return "", err
	}
	info, err := f.Put(ctx, key, body, o)
	return `"` + info.ETag + `"`, err
}

// storedFields are the header fields that are kept with a file, by their names in
// R2.
func storedFields() map[string]string {
	return map[string]string{
		"contentLanguage": "Content-Language", "contentDisposition": "Content-Disposition",
		"contentEncoding": "Content-Encoding", "cacheControl": "Cache-Control",
	}
}

func openFile(ctx context.Context, f *storage.Files, key string) (io.ReadSeekCloser, http.Header, error) {
	info, there, err := f.Head(ctx, key)
	if err == nil && !there {
		err = fault.New(fault.NotFound, "there is no file %q", clip(key))
	}
	if err != nil {
		return nil, nil, err
	}
	h := http.Header{"Etag": {`"` + info.ETag + `"`}, "Last-Modified": {info.Modified.UTC().Format(http.TimeFormat)}, "Content-Type": {info.Type}}
	fields := storedFields()
	for name, text := range fileMetaOf(info).HTTP {
		if field := fields[name]; field != "" {
			h.Set(field, text)
		}
	}
	return &parts{ctx: ctx, files: f, info: info}, h, nil
}

// parts reads a file from wherever it is asked to: storage opens it at an offset,
// and only the bytes that are read are asked for. A file that was replaced
// meanwhile ends it, as no answer may have bytes of two.
type parts struct {
	ctx   context.Context
	files *storage.Files
	info  storage.FileInfo
	at    int64
	open  io.ReadCloser // at that offset; nil: not opened yet
}

// Read implements io.Reader.
func (p *parts) Read(b []byte) (int, error) {
	if p.at >= p.info.Size {
		return 0, io.EOF
	}
	if p.open == nil {
		found, err := p.files.Get(p.ctx, p.info.Key, &storage.Range{Offset: p.at}, storage.Condition{Match: []string{p.info.ETag}})
		if err != nil {
			return 0, err
		}
		if found.Body == nil {
			return 0, fault.New(fault.Conflict, "the file was replaced while it was read")
		}
		p.open = found.Body
	}
	n, err := p.open.Read(b)
	p.at += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (p *parts) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		offset += p.info.Size
	}
	if offset < 0 {
		return 0, errors.New("before the beginning")
	}
	if offset != p.at {
		_ = p.Close()
	}
	p.at = offset
	return offset, nil
}

// Close implements io.Closer.
func (p *parts) Close() error {
	if p.open == nil {
		return nil
	}
	err := p.open.Close()
	p.open = nil
	return err
}
