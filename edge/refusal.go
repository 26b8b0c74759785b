package edge

import "net/http"

// refusal is an answer the edge itself gives before any app is asked. It
// carries the HTTP status because fault's kinds are fewer than HTTP's.
type refusal struct {
	status  int
	message string
	layer   layer
}

func (r *refusal) Error() string { return r.message }

var (
	errPath        = &refusal{http.StatusBadRequest, "the path of this request is not one this node accepts", layerRequest}
	errRequest     = &refusal{http.StatusBadRequest, "this request is not one this node accepts", layerRequest}
	errHost        = &refusal{http.StatusMisdirectedRequest, "this node does not serve this host", layerHost}
	errNothing     = &refusal{http.StatusNotFound, "there is nothing at this address", layerNone}
	errUnpublished = &refusal{http.StatusServiceUnavailable, "this node has nothing to serve yet", layerNone}
	errDisabled    = &refusal{http.StatusServiceUnavailable, "this site is not available", layerNone}
	errLongURL     = &refusal{http.StatusRequestURITooLong, "the address of this request is too long", layerRequest}
	errManyFields  = &refusal{http.StatusRequestHeaderFieldsTooLarge, "this request has too many headers or cookies", layerRequest}
	errManyCookies = &refusal{http.StatusRequestHeaderFieldsTooLarge, "this request has too many cookies", layerRequest}
	errLargeBody   = &refusal{http.StatusRequestEntityTooLarge, "the body of this request is too large", layerBody}
	errMethod      = &refusal{http.StatusMethodNotAllowed, "this method is not allowed here", layerNone}
	errPlain       = &refusal{http.StatusForbidden, "this address is for https alone", layerScheme}
)
