package sqlite

// Parameters is how many values a guest's text takes.
func Parameters(text string) (int, error) { return parameters(text) }
