// Package source turns a place that configuration comes from into artifacts:
// Git follows one ref of a repository through a bare mirror that is never
// checked out, Dir watches a folder. The reconcile loop calls it. It knows
// files, ids and revisions, and refuses to know what is in the files.
package source

import (
	"io/fs"
	"time"
)

// Tree is the files of an artifact: slash-separated paths, "." for the root.
// It implements fs.ReadDirFS, fs.ReadFileFS and fs.StatFS as well. ID returns
// the git object id (40 hex digits) of a file or folder. Reading it is safe
// from several goroutines.
type Tree interface {
	fs.FS
	ID(name string) (string, error)
}

// Artifact is one revision's files and where they came from.
type Artifact struct {
	Revision string    // full commit id, or "dir:" and 12 hex digits for a folder
	TreeID   string    // git id of the root tree: equal ids are equal files
	Tree     Tree      // open until the next Fetch but one; read what you need in the pass
	Author   string    // who made the commit, "Asha <asha@example.com>"; empty for a folder
	Subject  string    // first line of the commit message
	Time     time.Time // of the commit; zero for a folder
}
