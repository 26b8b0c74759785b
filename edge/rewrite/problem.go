package rewrite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The files of a release whose lines are rules.
const (
	RedirectsFile = "_redirects"
	HeadersFile   = "_headers"
)

// Problem is what is wrong with one rule, or with how many there are.
type Problem struct {
	File    string // RedirectsFile or HeadersFile: what it is about, wherever the rule stands
	Line    int    // in that file, from 1; 0 if the rule was declared elsewhere
	Message string // lower case, without a full stop
	Circle  bool   // the redirect leads back to where it began
}

// String returns "_redirects:3: message", and the message alone if the rule is
// not from the file.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.Message
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Problems is everything that is wrong with an app's rules.
type Problems []Problem

// problemsShown is how many problems one message names.
const problemsShown = 5

// Error returns the first problems in one line.
func (p Problems) Error() string {
	var list []string
	for i, one := range p {
		if i == problemsShown {
			list = append(list, fmt.Sprintf("and %d more", len(p)-i))
			break
		}
		list = append(list, one.String())
	}
	return strings.Join(list, "; ")
}

// Err returns the problems as an error of kind Invalid, nil if there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	e := &fault.Error{Kind: fault.Invalid, Err: p}
	if p[0].Circle {
		e = e.WithHint("%s", CircleHint)
	}
	return e
}

// circleError is a redirect, by its From, that leads to itself.
type circleError string

func (e circleError) Error() string {
	return fmt.Sprintf("redirect %q leads to itself; a trailing slash makes no difference and needs no rule", string(e))
}

// CircleHint says how a circle of redirects is opened.
const CircleHint = "let it lead to a path that no redirect matches, or to a file without forcing it"

// problemOf is why a rule was refused; what names the rule where the error does
// not.
func problemOf(file string, line int, what string, err error) Problem {
	if itself := circleError(""); errors.As(err, &itself) {
		return Problem{File: file, Line: line, Message: err.Error(), Circle: true}
	}
	return Problem{File: file, Line: line, Message: what + err.Error()}
}

func redirectProblem(line int, format string, args ...any) Problem {
	return Problem{File: RedirectsFile, Line: line, Message: fmt.Sprintf(format, args...)}
}

func headerProblem(line int, format string, args ...any) Problem {
	return Problem{File: HeadersFile, Line: line, Message: fmt.Sprintf(format, args...)}
}
