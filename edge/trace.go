package edge

import (
	"net/http"
	"net/url"

	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/spec"
)

// Traced is what answers at an address.
type Traced struct {
	Addr     spec.Addr // of the app
	File     string    // in its content folder; empty where no file is sent
	Location string    // where the visitor is sent instead
	Status   int
}

// Trace tells what a GET of an address is answered with now, without answering
// it. It reports false where no app has the host. An address whose path this
// node would not accept is an error.
func (s *Server) Trace(u *url.URL) (Traced, bool, error) {
	n := s.acquire()
	defer n.release()
	site := n.table.find(u.Host)
	if site == nil {
		return Traced{}, false, nil
	}
	t := Traced{Addr: site.addr, Status: http.StatusNotFound}
	path, same, err := canonicalPath(u)
	switch {
	case err != nil:
		return t, true, err
	case !same:
		t.Location, t.Status = selfRedirect(path, u.RawQuery), http.StatusPermanentRedirect
	case site.disabled:
		t.Status = http.StatusServiceUnavailable
	default:
		if pages, ok := site.route(path).(*static.Handler); ok {
			found := pages.Trace(path, u.RawQuery)
			t.File, t.Location, t.Status = found.File, found.Location, found.Status
		}
	}
	return t, true, nil
}
