//go:build !linux

package blob

import (
	"io/fs"
	"path/filepath"
)

// syncFileSystem syncs every file of the store one by one where the system has
// no call for all of them.
func syncFileSystem(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return diskFault(err, "sync %q", dir)
		}
		return syncFile(path)
	})
}
