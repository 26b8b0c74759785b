package spec

// codeBudget is given by whoever runs Evaluate in a bounded child, when the
// child reached a limit.
const codeBudget = "F3021"

// TooComplex is the diagnostic of a configuration whose evaluation was ended at
// a limit; reason says which one, in a sentence. The place is what it was at, the
// zero place where nobody can say.
func TooComplex(tree Tree, reason string, place Range) Diagnostic {
	d := Diagnostic{
		Severity: Error, Code: codeBudget, Summary: "the configuration is too complex to evaluate",
		Detail: reason + "; look for nested for expressions over long lists, and for values that grow at each step",
	}
	if place.Filename == "" {
		return d
	}
	d.Range = &place
	if src, err := ReadSource(tree, place.Filename); err == nil {
		d.Snippet = snippet(src, place)
	}
	return d
}
