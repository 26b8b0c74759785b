package egress

import (
	"net/http"
	"slices"

	"github.com/fazt-sh/fazt/platform/fault"
)

func redirects(resp *http.Response) bool {
	return slices.Contains([]int{301, 302, 303, 307, 308}, resp.StatusCode) && resp.Header.Get("Location") != ""
}

// next is the hop that an answer asks for, after the rules of fetch.
func (c *Client) next(h hop, t target, resp *http.Response) (hop, error) {
	to, err := t.url(h.url).Parse(resp.Header.Get("Location"))
	if err != nil {
		return h, invalidURL("%s redirects to what is no address", t.host).WithSubject(t.host)
	}
	h.url, h.header = to, h.header.Clone()
	code := resp.StatusCode
	switch {
	case code == 303 && h.method != http.MethodGet && h.method != http.MethodHead, code < 303 && h.method == http.MethodPost:
		h.method, h.body, h.length, h.again = http.MethodGet, nil, 0, nil
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Location"} {
			h.header.Del(name)
		}
	case h.body != nil && h.again == nil:
		return h, fault.New(fault.Unavailable, "%s redirects a request whose body cannot be sent twice", t.host).WithCode(CodeUnreachable).WithSubject(t.host).
			WithHint("send text or bytes instead of a stream")
	case h.body != nil:
		if h.body, err = h.again(); err != nil {
			return h, err
		}
	}
	return h, nil
}

// amongStrangers is the hop once it has left scheme, host and port: no credential
// goes along, not even back, as whoever was asked in between chose the address.
func (h hop) amongStrangers() hop {
	h.strange, h.header = true, harmless(h.header)
	return h
}

// harmless keeps of a header what says nothing about who asks.
func harmless(header http.Header) http.Header {
	out := http.Header{}
	for _, name := range []string{"Accept", "Accept-Language", "Content-Encoding", "Content-Language", "Content-Type", "Range", "User-Agent"} {
		if v, ok := header[name]; ok {
			out[name] = v
		}
	}
	return out
}
