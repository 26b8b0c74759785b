// Package rule decides whether somebody may do something to a document. The
// language lowers the expression of a rule block to plain data; here it is read
// back, judged once more, and asked for each document by whoever lets people reach
// documents. It refuses to know HCL, HTTP and where people and documents come from.
//
// The answer is no unless the expression says true. What cannot be worked out, by a
// wrong type or a value that is not there, is neither true nor false, and neither is
// its opposite; beside it an || still needs one that is true, and an && one that is
// false (Kleene, Introduction to Metamathematics, 1952, section 64, as SQL has it). A
// value that is not there is null, and null equals nothing but the word null, or a
// document without an owner would be everybody's who has no address.
package rule

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The bounds of a rule. The language has narrower ones; these hold for what was
// kept.
const (
	maxBytes = 256 << 10
	maxParts = 1024
	maxDepth = 128
)

// Rule is an expression that was judged. Any number of goroutines may ask it.
type Rule struct{ root *expr }

// Asked is whom and what a rule is asked about. User and Doc are plain values as
// JSON has them; nil is nobody, and no document.
type Asked struct {
	User, Doc map[string]any
	Can       func(action, resource string) bool // nil: nobody can anything
}

// expr is an expression in the form in which the language writes it: one of its
// fields is set.
type expr struct {
	Value   *literal `json:"value"`
	Path    []string `json:"path"`
	Call    string   `json:"call"`
	Op      string   `json:"op"`
	Operand []*expr  `json:"args"`
}

// literal is a constant.
type literal struct {
	Any any `json:"any"`
}

// Parse reads a rule in the form in which the language writes it.
func Parse(text []byte) (*Rule, error) {
	if len(text) > maxBytes {
		return nil, fault.New(fault.Invalid, "a rule of %d bytes is too large", len(text))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	var root *expr
	if err := dec.Decode(&root); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "this is no rule")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fault.New(fault.Invalid, "there is more than one rule")
	}
	parts := 0
	if err := root.judge(&parts, 0); err != nil {
		return nil, err
	}
	return &Rule{root}, nil
}

// judge tells whether an expression is whole: what it has, it can be asked.
func (e *expr) judge(parts *int, depth int) error {
	*parts++
	switch {
	case e == nil || e.forms() != 1:
		return fault.New(fault.Invalid, "a part of the rule is none")
	case *parts > maxParts || depth > maxDepth:
		return fault.New(fault.Invalid, "the rule is too long or too deep")
	case e.Call == "" && e.Op == "":
		return e.judgeLeaf()
	}
	want, known := arity(e.Op + e.Call)
	if !known || len(e.Operand) != want || isCall(e.Op+e.Call) != (e.Call != "") {
		return fault.New(fault.Invalid, "a rule has no %q of %d", e.Op+e.Call, len(e.Operand))
	}
	for _, o := range e.Operand {
		if err := o.judge(parts, depth+1); err != nil {
			return err
		}
		if e.Call == "can" && (o.Value == nil || !isText(o.Value.Any)) {
			return fault.New(fault.Invalid, "can is asked with two texts")
		}
	}
	return nil
}

func (e *expr) judgeLeaf() error {
	if len(e.Operand) > 0 || e.Value == nil && e.Path[0] != "user" && e.Path[0] != "doc" {
		return fault.New(fault.Invalid, "a rule knows user and doc alone")
	}
	return nil
}

// forms counts what an expression claims to be.
func (e *expr) forms() (n int) {
	for _, is := range []bool{e.Value != nil, len(e.Path) > 0, e.Call != "", e.Op != ""} {
		if is {
			n++
		}
	}
	return n
}

// arity is how many operands something has.
func arity(name string) (n int, known bool) {
	switch name {
	case "not", "lower", "length":
		return 1, true
	case "and", "or", "==", "!=", "<", "<=", ">", ">=", "contains", "startswith", "can":
		return 2, true
	}
	return 0, false
}

func isCall(name string) bool {
	switch name {
	case "lower", "length", "contains", "startswith", "can":
		return true
	}
	return false
}

func isText(v any) bool { _, ok := v.(string); return ok }

// Allows tells whether the rule says true.
func (r *Rule) Allows(a Asked) bool {
	v, ok := r.root.ask(&a)
	yes, is := v.(bool)
	return ok && is && yes
}
