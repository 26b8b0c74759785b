package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Restore makes a new app of a backup, after it was verified, and opens it. It signs
// with a key of its own. The error's kind is Conflict if the id has storage already,
// Invalid if the backup is not whole; then nothing has changed.
func (p *Pool) Restore(ctx context.Context, dir, id string, s Settings) (*App, error) {
	m, err := Verify(ctx, dir)
	if err != nil {
		return nil, err
	}
	return p.make(ctx, id, s, func(target string) error {
		temp := filepath.Join(p.dir, ".restore-"+id)
		defer os.RemoveAll(temp)
		return m.restore(ctx, dir, temp, target)
	}, os.RemoveAll)
}

// restore makes the folder of an app of a backup.
func (m Manifest) restore(ctx context.Context, dir, temp, target string) error {
	if err := freshDir(temp); err != nil {
		return err
	}
	// A copy, as it will be written to; the files never are.
	if err := copyFile(ctx, filepath.Join(dir, databaseName), filepath.Join(temp, databaseName)); err != nil {
		return err
	}
	if err := transfer(ctx, m.Files, filepath.Join(dir, filesName), filepath.Join(temp, filesName)); err != nil {
		return err
	}
	return settleDir(temp, target)
}

// isBlob is what a name of bytes looks like, as a path below files/.
var isBlob = regexp.MustCompile(`^[0-9a-f]{2}/[0-9a-f]{30}$`)

func isBlobPath(name string) bool { return isBlob.MatchString(name) }

func blobPath(name string) string { return name[:2] + "/" + name[2:] }

// transfer brings files from one folder to another, by linking where the disk can.
func transfer(ctx context.Context, files []BackupFile, from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return diskFault(err, "write a backup")
	}
	made := map[string]bool{}
	for _, f := range files {
		dir := filepath.Join(to, filepath.Dir(f.Name))
		if !made[dir] {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return diskFault(err, "write a backup")
			}
			made[dir] = true
		}
		if err := linkOrCopy(ctx, filepath.Join(from, f.Name), filepath.Join(to, f.Name)); err != nil {
			return err
		}
	}
	for dir := range made {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return syncDir(to)
}

func linkOrCopy(ctx context.Context, from, to string) error {
	switch err := os.Link(from, to); {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.Internal, err, "bytes of a file are not there")
	}
	return copyFile(ctx, from, to)
}

func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return diskFault(err, "read %q", from)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return diskFault(err, "write %q", to)
	}
	_, err = pour(ctx, out, in, -1)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// freshDir makes an empty folder, also where a crash left one half full.
func freshDir(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return diskFault(err, "make the folder %q", dir)
	}
	return nil
}

// settleDir gives a folder that is complete its name.
func settleDir(temp, dir string) error {
	if err := syncDir(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		return diskFault(err, "make the folder %q", dir)
	}
	return syncDir(filepath.Dir(dir))
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return diskFault(err, "write %q", path)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return diskFault(err, "write %q", path)
	}
	return nil
}
