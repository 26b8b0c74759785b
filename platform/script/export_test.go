package script

// UseBindings has machines of this process get other factories.
func UseBindings(source string) { bindingsSource = source }
