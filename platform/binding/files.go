package binding

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"net/url"
	"strconv"
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

// fileMeta is what is stored with a file: what HTTP says of it and the code's own
// words.
type fileMeta struct {
	HTTP   map[string]string `json:"http,omitempty"` // contentLanguage, contentDisposition, contentEncoding, cacheControl, cacheExpiry
	Custom map[string]string `json:"custom,omitempty"`
}

// contentType is the one word of HTTP that storage keeps itself.
const contentType = "contentType"

func (m fileMeta) options() (o storage.FileOptions, err error) {
	o.Type = m.HTTP[contentType]
	rest := fileMeta{HTTP: map[string]string{}, Custom: m.Custom}
	for name, text := range m.HTTP {
		if name != contentType {
			rest.HTTP[name] = text
		}
	}
	if len(rest.HTTP)+len(rest.Custom) > 0 {
		o.Meta, err = json.Marshal(rest)
	}
	return o, err
}

func fileMetaOf(info storage.FileInfo) (m fileMeta) {
	if len(info.Meta) > 0 && json.Unmarshal(info.Meta, &m) != nil {
		m = fileMeta{} // it was not written here
	}
	if m.HTTP == nil {
		m.HTTP = map[string]string{}
	}
	m.HTTP[contentType] = info.Type
	return m
}

// fileView is a file as bindings.js reads it.
type fileView struct {
	fileMeta
	Key      string `json:"key"`
	Version  string `json:"version"`
	Size     int64  `json:"size"`
	ETag     string `json:"etag"`
	SHA256   string `json:"sha256"`
	Uploaded int64  `json:"uploaded"` // milliseconds of the epoch
	Range    *part  `json:"range,omitempty"`
	Unmet    bool   `json:"unmet,omitempty"` // the condition did not hold: there is no body
}

type part struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

func viewOf(info storage.FileInfo) fileView {
	return fileView{fileMeta: fileMetaOf(info), Key: info.Key, Version: strconv.FormatInt(info.Version, 10), Size: info.Size,
		ETag: info.ETag, SHA256: info.ETag, Uploaded: info.Modified.UnixMilli()}
}

// condition is R2Conditional.
type condition struct {
	Match     []string `json:"match"`
	NoneMatch []string `json:"noneMatch"`
	Before    *float64 `json:"before"` // milliseconds of the epoch
	After     *float64 `json:"after"`
}

func (c *condition) storage() (s storage.Condition) {
	if c == nil {
		return s
	}
	at := func(ms *float64) time.Time {
		if ms == nil {
			return time.Time{}
		}
		return time.UnixMilli(int64(*ms))
	}
	return storage.Condition{Match: c.Match, NoneMatch: c.NoneMatch, UnmodifiedSince: at(c.Before), ModifiedSince: at(c.After)}
}

// fileMethods is the shape of Cloudflare's R2, and signed addresses.
func fileMethods(name string, f *storage.Files, origin string) methods {
	type one struct {
		user
		Key string `json:"key"`
	}
	return methods{
		"head": on(func(ctx context.Context, _ request, a one) (script.Reply, error) {
			info, there, err := a.files(f).Head(ctx, a.Key)
			if err != nil || !there {
				return done(err)
			}
			return value(viewOf(info))
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
		"abort": on(func(ctx context.Context, _ request, a uploadArgs) (script.Reply, error) {
			return done(a.files(f).AbortUpload(ctx, a.Key, a.Upload))
		}),
		"sign": on(signFile(name, f, origin)),
	}
}

type getFileArgs struct {
	user
	Key   string `json:"key"`
	Range *struct {
		Offset int64 `json:"offset"`
		Length int64 `json:"length"`
		Suffix int64 `json:"suffix"`
	} `json:"range"`
	OnlyIf *condition `json:"onlyIf"`
}

func getFile(f *storage.Files) func(context.Context, request, getFileArgs) (script.Reply, error) {
	return func(ctx context.Context, _ request, a getFileArgs) (script.Reply, error) {
		var want *storage.Range
		if a.Range != nil {
			want = &storage.Range{Offset: a.Range.Offset, Length: a.Range.Length, Suffix: a.Range.Suffix}
		}
		found, err := a.files(f).Get(ctx, a.Key, want, a.OnlyIf.storage())
		if fault.KindOf(err) == fault.NotFound {
			return done(nil)
		}
		if err != nil {
			return script.Reply{}, err
		}
		view := viewOf(found.FileInfo)
		view.Unmet = found.Body == nil
		if want != nil && found.Body != nil {
			view.Range = &part{found.Offset, found.Length}
		}
		reply, err := value(view)
		reply.Body = found.Body
		return reply, err
	}
}

type putFileArgs struct {
	user
	fileMeta
	Key    string     `json:"key"`
	OnlyIf *condition `json:"onlyIf"`
	MD5    string     `json:"md5"`
	SHA256 string     `json:"sha256"`
}

func putFile(f *storage.Files) func(context.Context, request, putFileArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a putFileArgs) (script.Reply, error) {
		o, err := a.options()
		if err != nil {
			return script.Reply{}, err
		}
		o.If = a.OnlyIf.storage()
		info, err := a.files(f).Put(ctx, a.Key, a.checked(r.stream()), o)
		if a.OnlyIf != nil && fault.KindOf(err) == fault.Conflict {
			return done(nil) // the condition does not hold: the code asked to be told
		}
		if err != nil {
			return script.Reply{}, err
		}
		return value(viewOf(info))
	}
}

// stream is the body of a call, empty where there is none.
func (r request) stream() io.Reader {
	if r.Body == nil {
		return bytes.NewReader(nil)
	}
	return r.Body
}

// checked compares the bytes with the sums that the code gave, before their end.
func (a putFileArgs) checked(from io.Reader) io.Reader {
	if a.SHA256 != "" {
		from = &summed{from, sha256.New(), a.SHA256, "sha256"}
	}
	if a.MD5 != "" {
		from = &summed{from, md5.New(), a.MD5, "md5"}
	}
	return from
}

// summed fails at the end of a reader whose bytes are not those of the sum.
type summed struct {
	from io.Reader
	hash hash.Hash
	want string // in hex
	name string
}

// Read implements io.Reader.
func (s *summed) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.hash.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(s.hash.Sum(nil)) != s.want {
		err = fault.New(fault.Invalid, "the bytes do not have that %s", s.name)
	}
	return n, err
}

type listFilesArgs struct {
	user
	Prefix     string `json:"prefix"`
	Limit      int    `json:"limit"`
	Cursor     string `json:"cursor"`
	Delimiter  string `json:"delimiter"`
	StartAfter string `json:"startAfter"`
}

func listFiles(f *storage.Files) func(context.Context, request, listFilesArgs) (script.Reply, error) {
	return func(ctx context.Context, _ request, a listFilesArgs) (script.Reply, error) {
		if a.StartAfter != "" {
			return script.Reply{}, fault.New(fault.Invalid, "startAfter is not supported").WithHint("pass the cursor of the page before")
		}
		page, err := a.files(f).List(ctx, storage.FileListOptions{
			ListOptions: storage.ListOptions{Prefix: a.Prefix, Limit: a.Limit, Cursor: a.Cursor}, Delimiter: a.Delimiter,
		})
		if err != nil {
			return script.Reply{}, err
		}
		out := struct {
			Objects  []fileView `json:"objects"`
			Prefixes []string   `json:"prefixes"`
			Cursor   string     `json:"cursor,omitempty"`
		}{make([]fileView, len(page.Files)), append([]string{}, page.Prefixes...), page.Cursor}
		for i, info := range page.Files {
			out.Objects[i] = viewOf(info)
		}
		return value(out)
	}
}

type uploadArgs struct {
	user
	Key    string `json:"key"`
	Upload string `json:"upload"`
}

func beginUpload(f *storage.Files) func(context.Context, request, struct {
	user
	fileMeta
	Key string `json:"key"`
}) (script.Reply, error) {
	return func(ctx context.Context, _ request, a struct {
		user
		fileMeta
		Key string `json:"key"`
	}) (script.Reply, error) {
		o, err := a.options()
		if err != nil {
			return script.Reply{}, err
		}
		id, err := a.files(f).CreateUpload(ctx, a.Key, o)
		if err != nil {
			return script.Reply{}, err
		}
		return value(map[string]string{"upload": id})
	}
}

type putPartArgs struct {
	uploadArgs
	Part int `json:"part"`
}

func putPart(f *storage.Files) func(context.Context, request, putPartArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a putPartArgs) (script.Reply, error) {
		p, err := a.files(f).PutPart(ctx, a.Key, a.Upload, a.Part, r.stream())
		if err != nil {
			return script.Reply{}, err
		}
		return value(map[string]any{"part": p.Number, "etag": p.ETag})
	}
}

type completeArgs struct {
	uploadArgs
	Parts []struct {
		Part int    `json:"part"`
		ETag string `json:"etag"`
	} `json:"parts"`
}

func completeUpload(f *storage.Files) func(context.Context, request, completeArgs) (script.Reply, error) {
	return func(ctx context.Context, _ request, a completeArgs) (script.Reply, error) {
		parts := make([]storage.Part, len(a.Parts))
		for i, p := range a.Parts {
			parts[i] = storage.Part{Number: p.Part, ETag: p.ETag}
		}
		info, err := a.files(f).CompleteUpload(ctx, a.Key, a.Upload, parts)
		if err != nil {
			return script.Reply{}, err
		}
		return value(viewOf(info))
	}
}

// SignedPrefix is where signed addresses begin: the store's name and the key follow.
const SignedPrefix = "/_fazt/blob/"

type signArgs struct {
	user
	Key     string `json:"key"`
	Method  string `json:"method"`
	Expires int64  `json:"expires"` // seconds from now
}

func signFile(name string, f *storage.Files, origin string) func(context.Context, request, signArgs) (script.Reply, error) {
	return func(_ context.Context, _ request, a signArgs) (script.Reply, error) {
		const longest = 7 * 24 * 3600
		if a.Expires < 1 || a.Expires > longest {
			return script.Reply{}, fault.New(fault.Invalid, "expires is from 1 second to a week")
		}
		q := url.Values{"sig": {a.files(f).Sign(a.Method, a.Key, time.Now().Add(time.Duration(a.Expires)*time.Second))}}
		if a.User != nil {
			q.Set("user", *a.User)
		}
		path := a.Key
		if !plainPath(a.Key) {
			path = "file"
			q.Set("key", a.Key)
		}
		at := url.URL{Path: SignedPrefix + name + "/" + path, RawQuery: q.Encode()}
		return value(map[string]string{"url": origin + at.String()})
	}
}

// plainPath tells whether a key can stand in a path as it is: the edge refuses or
// cleans what could be read in two ways.
func plainPath(key string) bool {
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '%' }) {
		return false
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}
