package binding

import (
	"context"
	"strings"

	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

type uploadKey struct {
	fileKey
	Upload string `json:"upload"`
}

func beginUpload(f *storage.Files) func(context.Context, request, struct {
	fileKey
	described
}) (script.Reply, error) {
	return func(ctx context.Context, _ request, a struct {
		fileKey
		described
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

type part struct {
	Part int    `json:"part"`
	ETag string `json:"etag"`
}

func putPart(f *storage.Files) func(context.Context, request, struct {
	uploadKey
	Part int `json:"part"`
}) (script.Reply, error) {
	return func(ctx context.Context, r request, a struct {
		uploadKey
		Part int `json:"part"`
	}) (script.Reply, error) {
		body := r.Body
		if body == nil {
			body = strings.NewReader("")
		}
		p, err := a.files(f).PutPart(ctx, a.Key, a.Upload, a.Part, body)
		if err != nil {
			return script.Reply{}, err
		}
		return value(part{p.Number, p.ETag})
	}
}

func completeUpload(f *storage.Files) func(context.Context, request, struct {
	uploadKey
	Parts []part `json:"parts"`
}) (script.Reply, error) {
	return func(ctx context.Context, _ request, a struct {
		uploadKey
		Parts []part `json:"parts"`
	}) (script.Reply, error) {
		list := make([]storage.Part, len(a.Parts))
		for i, p := range a.Parts {
			list[i] = storage.Part{Number: p.Part, ETag: p.ETag}
		}
		info, err := a.files(f).CompleteUpload(ctx, a.Key, a.Upload, list)
		if err != nil {
			return script.Reply{}, err
		}
		return value(infoOf(info))
	}
}
