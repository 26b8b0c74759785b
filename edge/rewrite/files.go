package rewrite

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseRedirects reads a _redirects file: on each line a path, query parameters
// as name=value, a target and a status, 301 if there is none, with "!" after it
// to apply where a file exists too. "#" begins a comment. Conditions on country,
// language, role and cookie are refused. The rules returned are those without a
// problem.
func ParseRedirects(src []byte) ([]Redirect, []Problem) {
	var redirects []Redirect
	problems := lines(RedirectsFile, src, func(line int, text string) error {
		fields := strings.Fields(text)
		if i := slices.IndexFunc(fields, func(f string) bool { return f[0] == '#' }); i >= 0 {
			fields = fields[:i]
		}
		if len(fields) == 0 {
			return nil
		}
		r, err := parseRedirect(fields)
		if err != nil {
			return err
		}
		r.Line = line
		redirects = append(redirects, r)
		return nil
	})
	return redirects, problems
}

func parseRedirect(fields []string) (Redirect, error) {
	r := Redirect{From: fields[0], Status: 301}
	rest := fields[1:]
	for len(rest) > 0 && !isTarget(rest[0]) {
		name, value, found := strings.Cut(rest[0], "=")
		if !found || name == "" {
			return r, fmt.Errorf("%q is neither a query parameter (name=value) nor a target (a path or a URL)", rest[0])
		}
		r.Query = append(r.Query, Param{unescapeQuery(name), unescapeQuery(value)})
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return r, fmt.Errorf("%q has no target", r.From)
	}
	r.To, rest = rest[0], rest[1:]
	if len(rest) > 0 {
		status, force := strings.CutSuffix(rest[0], "!")
		if n, err := strconv.Atoi(status); err == nil {
			r.Status, r.Force, rest = n, force, rest[1:]
		}
	}
	if len(rest) > 0 {
		return r, refuseCondition(rest[0])
	}
	_, err := parseRule(r)
	return r, err
}

func isTarget(field string) bool {
	return strings.HasPrefix(field, "/") || strings.HasPrefix(field, "http://") || strings.HasPrefix(field, "https://")
}

func refuseCondition(field string) error {
	name, _, found := strings.Cut(field, "=")
	if found && name != "" {
		return fmt.Errorf("condition %q is not supported", name+"=")
	}
	return fmt.Errorf("%q is not a status", field)
}

// ParseHeaders reads a _headers file: a path on a line of its own, then the
// headers for it as "Name: value", or "! Name" to take one back that an earlier
// rule set. A header that several rules or lines set gets their values separated
// by commas. "#" begins a comment. The rules returned are those without a
// problem.
func ParseHeaders(src []byte) ([]Header, []Problem) {
	var headers []Header
	problems := lines(HeadersFile, src, func(line int, text string) error {
		if text = strings.TrimSpace(stripComment(text)); text == "" {
			return nil
		}
		if strings.HasPrefix(text, "/") || strings.Contains(strings.SplitN(text, " ", 2)[0], "://") {
			headers = append(headers, Header{Path: text, Set: map[string]string{}, Join: true, Line: line})
			_, err := parsePattern(text)
			return err
		}
		if len(headers) == 0 {
			return errors.New("a header comes before the first path")
		}
		return headers[len(headers)-1].addLine(text)
	})
	return slices.DeleteFunc(headers, broken), problems
}

// broken tells whether a rule has nothing to do or a path that cannot match.
func broken(h Header) bool {
	_, err := parsePattern(h.Path)
	return err != nil || len(h.Set) == 0 && len(h.Detach) == 0
}

func (h *Header) addLine(text string) error {
	if name, found := strings.CutPrefix(text, "!"); found {
		canonical, err := headerName(strings.TrimSpace(name))
		if err != nil {
			return err
		}
		h.Detach = append(h.Detach, canonical)
		return nil
	}
	name, value, found := strings.Cut(text, ":")
	if !found {
		return fmt.Errorf("%q is neither a path nor a header (Name: value)", text)
	}
	canonical, err := headerName(strings.TrimSpace(name))
	if err != nil {
		return err
	}
	if value = strings.TrimSpace(value); value == "" {
		return fmt.Errorf("header %q has no value; write %q to remove it", canonical, "! "+canonical)
	}
	if err := checkHeaderValue(canonical, value); err != nil {
		return err
	}
	if before := h.Set[canonical]; before != "" {
		value = before + ", " + value
	}
	h.Set[http.CanonicalHeaderKey(canonical)] = value
	return nil
}

// stripComment removes a whole-line comment and one that stands apart, as a
// header's value may hold "#" too.
func stripComment(text string) string {
	if strings.HasPrefix(strings.TrimSpace(text), "#") {
		return ""
	}
	for _, mark := range []string{" # ", "\t# "} {
		if i := strings.Index(text+" ", mark); i >= 0 {
			text = text[:i]
		}
	}
	return text
}

// lines calls read for each line of a rule file and collects what it refuses.
func lines(file string, src []byte, read func(line int, text string) error) []Problem {
	if len(src) > maxFile {
		return []Problem{{File: file, Line: 1, Message: fmt.Sprintf("the file has more than %d bytes", maxFile)}}
	}
	var problems []Problem
	line := 0
	for text := range strings.SplitSeq(strings.TrimPrefix(string(src), "\ufeff"), "\n") {
		line++
		text = strings.TrimSuffix(text, "\r")
		err := checkLine(text)
		if err == nil {
			err = read(line, text)
		}
		if err != nil {
			problems = append(problems, problemOf(file, line, "", err))
		}
		if len(problems) == maxProblems {
			return problems
		}
	}
	return problems
}

func checkLine(text string) error {
	switch {
	case len(text) > maxLine:
		return fmt.Errorf("the line has more than %d bytes", maxLine)
	case !utf8.ValidString(text):
		return errors.New("the line is not UTF-8")
	}
	return nil
}
