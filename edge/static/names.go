package static

import "strings"

// hidden tells whether a file of a release is never served: what begins with a
// dot but .well-known, rule files, and what configures or unlocks something, in
// any letter case.
func hidden(name string) bool {
	for i, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") && (i > 0 || part != ".well-known") {
			return true
		}
	}
	base := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	switch base {
	case "_headers", "_redirects", "fazt.hcl":
		return true
	}
	for _, suffix := range [...]string{".fazt.hcl", ".fazt.json", ".age", ".tfstate"} {
		if strings.HasSuffix(base, suffix) {
			return true
		}
	}
	return false
}

// hashedName tells whether a file's name changes with its content, so that it
// can be kept for ever: builders put such files into folders of their own, or
// end the name in a hash. Pages are never among them: they are what links to
// the hashed names. A doubtful name is not hashed: asking again costs a round
// trip, keeping the wrong bytes a year.
func hashedName(name string) bool {
	base := name[strings.LastIndexByte(name, '/')+1:]
	dot := strings.LastIndexByte(base, '.')
	if dot <= 0 || !linked(base[dot+1:]) {
		return false
	}
	path := "/" + name
	for _, folder := range [...]string{"/_astro/", "/_next/static/", "/_app/immutable/"} {
		if strings.Contains(path, folder) {
			return true
		}
	}
	stem := base[:dot]
	if ext := extension(stem); ext == "min" || base[dot+1:] == "map" && linked(ext) {
		stem = stem[:len(stem)-len(ext)-1]
	}
	cut := strings.LastIndexAny(stem, "-.")
	return cut > 0 && isHash(stem[cut+1:])
}

// linked tells whether files with this extension are fetched by pages.
func linked(ext string) bool {
	switch ext {
	case "html", "htm", "xhtml", "pdf", "txt", "xml", "md", "rss", "atom", "zip", "gz", "webmanifest":
		return false
	default:
		return true
	}
}

// isHash accepts eight or more hexadecimal digits, or exactly eight of base32 in
// capitals as esbuild writes them, with both letters and digits: a date or a
// word is no hash.
func isHash(s string) bool {
	if len(s) < 8 {
		return false
	}
	hex, base32 := true, len(s) == 8
	letters, digits := false, false
	for i := range len(s) {
		c := s[i]
		digit := c >= '0' && c <= '9'
		digits = digits || digit
		letters = letters || !digit
		hex = hex && (digit || c >= 'a' && c <= 'f')
		base32 = base32 && (c >= '2' && c <= '7' || c >= 'A' && c <= 'Z')
	}
	return (hex || base32) && letters && digits
}
