package spec

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// redirectsRow is the row of an app's redirects.
func redirectsRow() Attribute {
	return Attribute{
		Name: "redirects", Type: TypeObjects, Effect: EffectHot, Risk: RiskLow, Since: "0.1.0",
		Doc:     "answers that send visitors elsewhere; the first that matches wins. A file at the path goes first unless force is true",
		Example: `redirects = [{ from = "/blog/:year/*", to = "/archive/:year/:splat", status = 301 }]`,
		Attributes: []Attribute{
			{Name: "from", Type: TypeString, Required: true, Doc: "a path; :name stands for one part of it, a * at its end for the rest", Since: "0.1.0"},
			{Name: "to", Type: TypeString, Required: true, Doc: "a path or a URL; :name and :splat are filled in", Since: "0.1.0"},
			{Name: "status", Type: TypeNumber, Default: "301", Allowed: []string{"200", "301", "302", "303", "307", "308"}, Doc: "200 answers with the other path in place", Since: "0.1.0"},
			{Name: "force", Type: TypeBool, Default: "false", Doc: "also where a file exists", Since: "0.1.0"},
		},
	}
}

// placeholder is a :name in a path. A port is not one, as names begin with a
// letter.
var placeholder = regexp.MustCompile(`:([A-Za-z_][A-Za-z0-9_]*)`)

// redirectsOf are an app's redirects in canonical form.
func redirectsOf(d *decoded, r *reporter) []Redirect {
	list, _ := d.values["redirects"].([]object)
	var redirects []Redirect
	first := map[string]int{}
	for i, o := range list {
		red := Redirect{From: o.string("from"), To: o.string("to"), Status: 301, Force: o.bool("force")}
		if status, ok := o.values["status"].(int64); ok {
			red.Status = int(status)
		}
		names, fault := fromFault(red.From)
		if fault != "" {
			r.error(codeRedirect, o.place.key("from").at(), fmt.Sprintf("%s cannot be redirected from: %s", quoted(red.From), fault), `write it as "/old/*" or "/blog/:year"`)
		} else if fault := toFault(red, names); fault != "" {
			r.error(codeRedirect, o.place.key("to").at(), fmt.Sprintf("%s cannot be redirected to: %s", quoted(red.To), fault), `write it as "/new/:splat" or "https://example.com/"`)
		}
		if n, seen := first[red.From]; seen && redirects[n].Force == red.Force {
			r.warn(codeNeverReached, o.place.key("from").at(), fmt.Sprintf("this redirect is never reached: %q was there before", red.From), "remove one of them",
				declaredAt("this one wins", list[n].place.at())...)
		} else if !seen {
			first[red.From] = i
		}
		redirects = append(redirects, red)
	}
	return redirects
}

// fromFault judges the path of a redirect and names its placeholders.
func fromFault(from string) (names []string, fault string) {
	path, splat := strings.CutSuffix(from, "/*")
	if splat {
		names = append(names, "splat")
	}
	switch {
	case !strings.HasPrefix(from, "/"):
		return nil, "it does not begin with /"
	case unfitForPath(from):
		return nil, "it has a space or a control character"
	case strings.ContainsAny(from, "?#"):
		return nil, "a path has no ? and no #"
	case strings.Contains(path, "*"):
		return nil, "a * is only possible as its last part"
	}
	for _, part := range strings.Split(path, "/") {
		if !strings.HasPrefix(part, ":") {
			continue
		}
		m := placeholder.FindStringSubmatch(part)
		if m == nil || m[0] != part {
			return nil, fmt.Sprintf("%q is not a placeholder", part)
		}
		if slices.Contains(names, m[1]) {
			return nil, fmt.Sprintf("placeholder %q is there twice", part)
		}
		names = append(names, m[1])
	}
	return names, ""
}

// toFault judges the aim of a redirect.
func toFault(red Redirect, names []string) string {
	to := red.To
	for _, m := range placeholder.FindAllStringSubmatch(to, -1) {
		if !slices.Contains(names, m[1]) {
			return fmt.Sprintf("nothing fills in %q", m[0])
		}
	}
	switch {
	case unfitForPath(to):
		return "it has a space or a control character"
	case strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.HasPrefix(to, `/\`):
		return ""
	case red.Status == 200:
		return "status 200 needs a path of this app"
	}
	u, err := url.Parse(placeholder.ReplaceAllString(to, "x"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "it is neither a path nor an http or https URL"
	}
	return ""
}

// unfitForPath tells whether a text cannot stand in a request line or a
// Location header as it is.
func unfitForPath(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}
