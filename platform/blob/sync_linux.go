package blob

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem makes everything written to the file system of dir durable.
func syncFileSystem(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return diskFault(err, "sync %q", dir)
	}
	if err := closing(f, unix.Syncfs(int(f.Fd()))); err != nil {
		return diskFault(err, "sync %q", dir)
	}
	return nil
}
