package bundle

// Table returns the files of routes in the order in which they are tried.
func Table(files []string) ([]string, error) {
	routes, err := table(files)
	var names []string
	for _, r := range routes {
		names = append(names, r.file)
	}
	return names, err
}

// ReadConfig returns the settings of the tsconfig.json in a folder.
func ReadConfig(root string) (string, []Problem) { return readConfig(root) }
