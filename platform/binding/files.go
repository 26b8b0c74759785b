package binding

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

func (u user) files(f *storage.Files) *storage.Files {
	if u.User == nil {
		return f
	}
	return f.User(*u.User)
}

type fileKey struct {
	user
	Key string `json:"key"`
}

// fileMethods is the shape of Cloudflare's R2, and signed addresses.
func (a *App) fileMethods(name string, f *storage.Files) methods {
	return methods{
		"head": on(func(ctx context.Context, _ request, a fileKey) (script.Reply, error) {
			info, ok, err := a.files(f).Head(ctx, a.Key)
			if err != nil || !ok {
				return done(err)
			}
			return value(infoOf(info))
		}),
		"get": on(getFile(f)),
		"put": on(putFile(f)),
		"delete": on(func(ctx context.Context, _ request, a struct {
			user
			Keys []string `json:"keys"`
		}) (script.Reply, error) {
			_, err := a.files(f).Delete(ctx, a.Keys...)
			return done(err)
		}),
		"list":       on(listFiles(f)),
		"begin":      on(beginUpload(f)),
		"uploadPart": on(putPart(f)),
		"complete":   on(completeUpload(f)),
		"abort": on(func(ctx context.Context, _ request, a uploadKey) (script.Reply, error) {
			return done(a.files(f).AbortUpload(ctx, a.Key, a.Upload))
		}),
		"sign": on(a.signFile(name, f)),
	}
}

// fileMeta is what is stored beside a file, in one text.
type fileMeta struct {
	HTTP   map[string]string `json:"h,omitempty"`
	Custom map[string]string `json:"c,omitempty"`
}

// The names of HTTP metadata; contentType is the file's type.
func isHTTPName(name string) bool {
	switch name {
	case "contentType", "contentLanguage", "contentDisposition", "contentEncoding", "cacheControl", "cacheExpiry":
		return true
	}
	return false
}

// described is what a call says of a file that is to be.
type described struct {
	HTTP   map[string]string `json:"http"`
	Custom map[string]string `json:"custom"`
}

// options are what storage keeps of it. Values become headers later, so they are
// such as headers can have.
func (d described) options() (o storage.FileOptions, err error) {
	m := fileMeta{Custom: d.Custom, HTTP: map[string]string{}}
	for name, v := range d.HTTP {
		switch {
		case !isHTTPName(name):
			return o, fault.New(fault.Invalid, "there is no httpMetadata %q", clip(name))
		case strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c > '~' }):
			return o, fault.New(fault.Invalid, "httpMetadata.%s has a character that no header has", name)
		case name == "contentType":
			o.Type = v
		default:
			m.HTTP[name] = v
		}
	}
	if len(m.HTTP)+len(m.Custom) > 0 {
		o.Meta, err = json.Marshal(m)
	}
	return o, err
}

// fileInfo is a file as bindings.js reads it.
type fileInfo struct {
	Key      string            `json:"key"`
	Version  int64             `json:"version"`
	Size     int64             `json:"size"`
	ETag     string            `json:"etag"` // also the sha256
	Uploaded int64             `json:"uploaded"`
	HTTP     map[string]string `json:"http"`
	Custom   map[string]string `json:"custom,omitempty"`
	Range    *span             `json:"range,omitempty"`
	Unmet    bool              `json:"unmet,omitempty"` // there is no body, as the condition does not hold
}

// span is the part of a file that its body has.
type span struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

func metaOfFile(i storage.FileInfo) (m fileMeta) {
	if len(i.Meta) > 0 {
		_ = json.Unmarshal(i.Meta, &m) // it was written here
	}
	if m.HTTP == nil {
		m.HTTP = map[string]string{}
	}
	m.HTTP["contentType"] = i.Type
	return m
}

func infoOf(i storage.FileInfo) fileInfo {
	m := metaOfFile(i)
	return fileInfo{Key: i.Key, Version: i.Version, Size: i.Size, ETag: i.ETag, Uploaded: i.Modified.UnixMilli(), HTTP: m.HTTP, Custom: m.Custom}
}

// condition is what must hold of a file, in the words of bindings.js.
type condition struct {
	Match     []string `json:"match"`
	NoneMatch []string `json:"noneMatch"`
	Before    *int64   `json:"before"` // milliseconds of the epoch
	After     *int64   `json:"after"`
}

func (c condition) storage() storage.Condition {
	out := storage.Condition{Match: c.Match, NoneMatch: c.NoneMatch}
	if c.Before != nil {
		out.UnmodifiedSince = time.UnixMilli(*c.Before)
	}
	if c.After != nil {
		out.ModifiedSince = time.UnixMilli(*c.After)
	}
	return out
}

type getFileArgs struct {
	fileKey
	Range *struct {
		Offset int64 `json:"offset"`
		Length int64 `json:"length"`
		Suffix int64 `json:"suffix"`
	} `json:"range"`
	OnlyIf condition `json:"onlyIf"`
}

func getFile(f *storage.Files) func(context.Context, request, getFileArgs) (script.Reply, error) {
	return func(ctx context.Context, _ request, a getFileArgs) (script.Reply, error) {
		var part *storage.Range
		if a.Range != nil {
			part = &storage.Range{Offset: a.Range.Offset, Length: a.Range.Length, Suffix: a.Range.Suffix}
		}
		file, err := a.files(f).Get(ctx, a.Key, part, a.OnlyIf.storage())
		if fault.KindOf(err) == fault.NotFound {
			return done(nil)
		}
		if err != nil {
			return script.Reply{}, err
		}
		out := infoOf(file.FileInfo)
		out.Unmet = file.Body == nil
		if part != nil && file.Body != nil {
			out.Range = &span{file.Offset, file.Length}
		}
		reply, err := value(out)
		reply.Body = file.Body
		return reply, err
	}
}

type putFileArgs struct {
	fileKey
	described
	OnlyIf condition `json:"onlyIf"`
	MD5    string    `json:"md5"`
	SHA256 string    `json:"sha256"`
}

func putFile(f *storage.Files) func(context.Context, request, putFileArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a putFileArgs) (script.Reply, error) {
		o, err := a.options()
		if err != nil {
			return script.Reply{}, err
		}
		o.If = a.OnlyIf.storage()
		info, err := a.files(f).Put(ctx, a.Key, a.checked(r.Body), o)
		if fault.KindOf(err) == fault.Conflict {
			return done(nil) // the condition does not hold
		}
		if err != nil {
			return script.Reply{}, err
		}
		return value(infoOf(info))
	}
}

// checked is a body that ends with an error if it is not what the code said, so
// that nothing of it is kept.
func (a putFileArgs) checked(body io.Reader) io.Reader {
	if body == nil {
		body = strings.NewReader("")
	}
	if a.SHA256 != "" {
		body = &checksum{from: body, name: "sha256", sum: sha256.New(), want: a.SHA256}
	}
	if a.MD5 != "" {
		body = &checksum{from: body, name: "md5", sum: md5.New(), want: a.MD5}
	}
	return body
}

type checksum struct {
	from       io.Reader
	name, want string
	sum        hash.Hash
}

// Read implements io.Reader.
func (c *checksum) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(c.sum.Sum(nil)) != c.want {
		return 0, fault.New(fault.Invalid, "the %s of the bytes is another than was said", c.name)
	}
	return n, err
}

type listFileArgs struct {
	listArgs
	Delimiter string `json:"delimiter"`
	After     string `json:"after"`
}

func listFiles(f *storage.Files) func(context.Context, request, listFileArgs) (script.Reply, error) {
	return func(ctx context.Context, _ request, a listFileArgs) (script.Reply, error) {
		page, err := a.files(f).List(ctx, storage.FileListOptions{Delimiter: a.Delimiter, After: a.After,
			ListOptions: storage.ListOptions{Prefix: a.Prefix, Limit: a.Limit, Cursor: a.Cursor}})
		if err != nil {
			return script.Reply{}, err
		}
		out := struct {
			Objects  []fileInfo `json:"objects"`
			Prefixes []string   `json:"prefixes"`
			Cursor   string     `json:"cursor,omitempty"`
		}{make([]fileInfo, len(page.Files)), append([]string{}, page.Prefixes...), page.Cursor}
		for i, info := range page.Files {
			out.Objects[i] = infoOf(info)
		}
		return value(out)
	}
}
