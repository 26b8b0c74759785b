package bundle

import "context"

// Table returns the files of routes in the order in which they are tried.
func Table(files []string) ([]string, error) {
	routes, err := table(files)
	var names []string
	for _, r := range routes {
		names = append(names, r.file)
	}
	return names, err
}

// Unenclosed bundles in this process, as a child does on a kernel that cannot
// take its files away.
func Unenclosed(ctx context.Context, job Job, dir string) ([]byte, []Problem, error) {
	req, err := entry(job)
	if err == nil {
		err = lay(ctx, job, dir)
	}
	if err != nil {
		return nil, nil, err
	}
	req.Dir = dir
	a, code, _ := build(req)
	return code, a.Problems, nil
}
