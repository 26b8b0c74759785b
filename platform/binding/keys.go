package binding

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// user is whose rows are meant; nil is the app's own.
type user struct {
	User *string `json:"user"`
}

func (u user) keys(k *storage.Keys) *storage.Keys {
	if u.User == nil {
		return k
	}
	return k.User(*u.User)
}

// A value is sent with the reply up to these sizes; base64 costs a third and the
// engine a loop, so bytes go as a body sooner.
const (
	inlineText  = 256 << 10
	inlineBytes = 32 << 10
)

// maxValue is what is read of a body for a key: storage keeps no more.
const maxValue = 4 << 20

// keyEntry is one key as bindings.js reads it.
type keyEntry struct {
	Text     *string         `json:"text,omitempty"`
	Bytes    []byte          `json:"bytes,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Version  int64           `json:"version"`
}

// keyMethods is the shape of Cloudflare's KV.
func keyMethods(_ string, k *storage.Keys) methods {
	type one struct {
		user
		Key string `json:"key"`
	}
	return methods{
		"get": on(func(ctx context.Context, _ request, a one) (script.Reply, error) {
			e, ok, err := a.keys(k).Get(ctx, a.Key)
			if err != nil || !ok {
				return done(err)
			}
			return sendEntry(e)
		}),
		"getMany": on(func(ctx context.Context, _ request, a struct {
			user
			Keys []string `json:"keys"`
		}) (script.Reply, error) {
			found, err := a.keys(k).GetMany(ctx, a.Keys...)
			if err != nil {
				return script.Reply{}, err
			}
			return sendEntries(a.Keys, found)
		}),
		"put":  on(putKey(k)),
		"incr": on(addKey(k)),
		"delete": on(func(ctx context.Context, _ request, a one) (script.Reply, error) {
			_, err := a.keys(k).Delete(ctx, a.Key)
			return done(err)
		}),
		"list": on(listKeys(k)),
	}
}

// sendEntry answers with one key, long values as a body.
func sendEntry(e storage.Entry) (script.Reply, error) {
	out := keyEntry{Metadata: e.Meta, Version: e.Version}
	asBody := !out.inline(e.Data)
	reply, err := value(out)
	if asBody {
		reply.Body = io.NopCloser(bytes.NewReader(e.Data))
	}
	return reply, err
}

// inline puts a value into the reply if it is short. Whatever is text travels as
// such, as both ends read it faster.
func (e *keyEntry) inline(data []byte) bool {
	switch {
	case len(data) <= inlineText && utf8.Valid(data):
		text := string(data)
		e.Text = &text
		return true
	case len(data) <= inlineBytes:
		e.Bytes = data
		return true
	default:
		return false
	}
}

// sendEntries answers with many keys in the order of asking, null where there is
// nothing.
func sendEntries(keys []string, found map[string]storage.Entry) (script.Reply, error) {
	out := struct {
		Values []*keyEntry `json:"values"`
	}{make([]*keyEntry, len(keys))}
	for i, key := range keys {
		e, ok := found[key]
		if !ok {
			continue
		}
		out.Values[i] = &keyEntry{Metadata: e.Meta, Version: e.Version}
		if utf8.Valid(e.Data) {
			text := string(e.Data)
			out.Values[i].Text = &text
		} else {
			out.Values[i].Bytes = e.Data
		}
	}
	return value(out)
}

// keep is how long a key is kept.
type keep struct {
	Expiration int64 `json:"expiration"` // seconds of the epoch; 0 is for ever
	TTL        int64 `json:"ttl"`        // seconds
}

// century is more seconds than anybody means: beyond it a duration overflows.
const century = 100 * 365 * 24 * 3600

func (o keep) options() (p storage.PutOptions, err error) {
	if o.TTL < 0 || o.TTL > century || o.Expiration < 0 || o.Expiration > 1<<40 {
		return p, fault.New(fault.Invalid, "the expiration is out of range")
	}
	p.TTL = time.Duration(o.TTL) * time.Second
	if o.Expiration > 0 {
		p.Expires = time.Unix(o.Expiration, 0)
	}
	return p, nil
}

type putArgs struct {
	user
	keep
	Key      string          `json:"key"`
	Text     *string         `json:"text"`
	Metadata json.RawMessage `json:"metadata"`
	Version  *int64          `json:"version"` // only if the key has it
}

func putKey(k *storage.Keys) func(context.Context, request, putArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a putArgs) (script.Reply, error) {
		o, err := a.options()
		if err != nil {
			return script.Reply{}, err
		}
		o.Meta = a.Metadata
		data, text, err := r.content(a.Text, maxValue)
		if err != nil {
			return script.Reply{}, err
		}
		keys, v := a.keys(k), storage.Value{Data: data, Text: text}
		var version int64
		if a.Version == nil {
			version, err = keys.Put(ctx, a.Key, v, o)
		} else {
			version, err = keys.PutIfVersion(ctx, a.Key, v, *a.Version, o)
		}
		if a.Version != nil && fault.KindOf(err) == fault.Conflict {
			return done(nil) // it is another: the code asked to be told
		}
		if err != nil {
			return script.Reply{}, err
		}
		return value(map[string]int64{"version": version})
	}
}

type addArgs struct {
	user
	keep
	Key string `json:"key"`
	By  int64  `json:"by"`
}

func addKey(k *storage.Keys) func(context.Context, request, addArgs) (script.Reply, error) {
	return func(ctx context.Context, _ request, a addArgs) (script.Reply, error) {
		o, err := a.options()
		if err != nil {
			return script.Reply{}, err
		}
		sum, err := a.keys(k).Incr(ctx, a.Key, a.By, o)
		if err != nil {
			return script.Reply{}, err
		}
		return value(sum)
	}
}

type listArgs struct {
	user
	Prefix string `json:"prefix"`
	Limit  int    `json:"limit"`
	Cursor string `json:"cursor"`
}

// keyName is one key of a list, in Cloudflare's words.
type keyName struct {
	Name       string          `json:"name"`
	Expiration int64           `json:"expiration,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	Version    int64           `json:"version"`
}

func listKeys(k *storage.Keys) func(context.Context, request, listArgs) (script.Reply, error) {
	return func(ctx context.Context, _ request, a listArgs) (script.Reply, error) {
		page, err := a.keys(k).List(ctx, storage.ListOptions{Prefix: a.Prefix, Limit: a.Limit, Cursor: a.Cursor})
		if err != nil {
			return script.Reply{}, err
		}
		out := struct {
			Keys   []keyName `json:"keys"`
			Cursor string    `json:"cursor,omitempty"`
		}{make([]keyName, len(page.Keys)), page.Cursor}
		for i, e := range page.Keys {
			out.Keys[i] = keyName{Name: e.Key, Metadata: e.Meta, Version: e.Version}
			if !e.Expires.IsZero() {
				out.Keys[i].Expiration = e.Expires.Unix()
			}
		}
		return value(out)
	}
}
