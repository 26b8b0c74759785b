package edge

import (
	"context"
	"net/http"
	"strings"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/spec"
)

// assets are the files of a release, as its own code asks for them.
type assets struct{ site *site }

// Fetch implements binding.Fetcher.
func (a assets) Fetch(ctx context.Context, q script.Request) (*script.Response, error) {
	if a.site.files == nil {
		return nil, fault.New(fault.NotFound, "the app has no files")
	}
	return function.Ask(ctx, a.site.files, q)
}

// service is another app of the node, whatever release of it is served when it is
// asked.
type service struct {
	server *Server
	addr   spec.Addr
}

// Fetch implements binding.Fetcher. The snapshot is held until the answer is read.
func (v service) Fetch(ctx context.Context, q script.Request) (*script.Response, error) {
	n := v.server.acquire()
	other := n.sites[v.addr]
	if other == nil || other.disabled {
		n.release()
		return nil, fault.New(fault.Unavailable, "%s is not in service", v.addr)
	}
	answer, err := function.Ask(ctx, inner{site: other}, q)
	if err != nil {
		n.release()
		return nil, err
	}
	answer.Body = &held{ReadCloser: answer.Body, release: n.release}
	return answer, nil
}

// inner answers for a site by its own routes, without what only strangers meet.
type inner struct {
	site  *site
	files bool // its signed addresses too
}

// ServeHTTP implements function.Answerer.
func (i inner) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	path, _, err := canonicalPath(r.URL)
	if err != nil {
		return err
	}
	r.URL.Path, r.URL.RawPath = path, ""
	for _, own := range []string{prefixACME, prefixAuth, prefixFazt} {
		if strings.HasPrefix(path, own) && !(i.files && strings.HasPrefix(path, prefixBlob)) {
			return errNothing
		}
	}
	return i.site.route(path).ServeHTTP(w, r)
}
