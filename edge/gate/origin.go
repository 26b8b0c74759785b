package gate

import "net/http"

// foreign tells whether a page of another origin made a browser send a request that
// changes something. An app of the same site is another origin: browsers give it the
// cookies of all hosts it asks, so this is what keeps apps from each other.
func (g *Gate) foreign(r *http.Request) bool { return g.origins.Check(r) != nil }

// unsaid tells whether a request that changes something and brings cookies does not say
// where it comes from, as every browser does.
func unsaid(r *http.Request) bool {
	return changes(r.Method) && len(r.Header["Cookie"]) > 0 && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == ""
}

// crossed tells whether a request is not to be believed at the console: it is foreign,
// or nobody can tell.
func (g *Gate) crossed(r *http.Request) bool { return g.foreign(r) || unsaid(r) }

// reaches tells whether a page of another origin made a browser send a request that
// reads. It is for the API, of which other origins are told nothing either.
func (g *Gate) reaches(r *http.Request) bool {
	asked := r.WithContext(r.Context())
	asked.Method = http.MethodPost // which is not let through unseen
	return g.foreign(asked)
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}
