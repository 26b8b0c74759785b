package script

// UseBindings has machines of this process get other factories.
func UseBindings(source string) { bindingsSource = source }

// Mapped maps the places in a text by a source map.
func Mapped(name string, sourceMap []byte, text string) string {
	return newTrace(name, sourceMap).mapped(text)
}
