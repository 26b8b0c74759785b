package spec

import "strings"

// appAddr is the address of an app block, or of one instance of it when key is
// not empty: app.blog, app.site["docs"].
func appAddr(label, key string) Addr {
	if key == "" {
		return Addr("app." + label)
	}
	return Addr(`app.` + label + `["` + key + `"]`)
}

// Covers tells whether other is a, an instance of a, or something inside
// either: app.site covers app.site["docs"] and app.site.sql.DB. A stalled
// address holds everything it covers, so that an unreadable block never looks
// like a removed one.
func (a Addr) Covers(other Addr) bool {
	rest, ok := strings.CutPrefix(string(other), string(a))
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// Name is what the address is called on the command line and in host names:
// site-docs for app.site["docs"], fra-1 for node.fra-1, edge for edge.
func (a Addr) Name() string {
	_, name, found := strings.Cut(string(a), ".")
	if !found {
		return string(a)
	}
	label, key, found := strings.Cut(name, `["`)
	if !found {
		return name
	}
	return label + "-" + strings.TrimSuffix(key, `"]`)
}
