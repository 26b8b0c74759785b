package platform

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// privateFolder makes sure that dir exists, is ours and is closed to others. It
// closes one that others could read; one that others could write to is refused,
// as what they may have put there cannot be told from our own.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "make folder %q", dir)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "open folder %q", dir)
	}
	owner, mode := info.Sys().(*syscall.Stat_t).Uid, info.Mode().Perm()
	switch {
	case int(owner) != os.Geteuid():
		return fault.New(fault.Forbidden, "folder %q belongs to user %d, and this process is user %d", dir, owner, os.Geteuid()).
			WithSubject(dir).WithHint("run fazt as the owner of the folder, or choose another with --state")
	case mode&0o022 != 0:
		return fault.New(fault.Forbidden, "folder %q can be written to by others (mode %04o)", dir, mode).
			WithSubject(dir).WithHint("look at what is in it, then chmod 0700 %s", dir)
	case mode&0o077 != 0:
		if err := os.Chmod(dir, 0o700); err != nil {
			return fault.Wrap(fault.Unavailable, err, "close folder %q to others", dir)
		}
	}
	return nil
}

// lockName is the file whose lock makes a process the folder's owner.
const lockName = "lock"

// lockFolder takes the folder for this process and leaves its process id in the
// lock file, for the message to the next one. The kernel drops the lock with
// the process, however that ends; the process id stays unless it ends well
// (closeWell), and before tells of one that did not.
func lockFolder(dir string) (_ *os.File, before past, err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, before, fault.Wrap(fault.Unavailable, err, "lock state folder %q", dir)
	}
	if err := lockPatiently(f); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, before, fault.New(fault.Exhausted, "state folder %q is in use by %s", dir, holder(f)).
				WithSubject(dir).WithHint("stop that process, or choose another folder with --state")
		}
		return nil, before, fault.Wrap(fault.Unavailable, err, "lock state folder %q", dir)
	}
	if info, err := f.Stat(); err == nil {
		before = past{unclean: info.Size() > 0, known: info.ModTime()}
	}
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := errors.Join(f.Truncate(0), writeAt(f, pid)); err != nil {
		return nil, before, errors.Join(fault.Wrap(fault.Unavailable, err, "lock state folder %q", dir), f.Close())
	}
	return f, before, nil
}

// past is what the lock file tells of the last process that had the folder.
type past struct {
	unclean bool      // it did not close it
	known   time.Time // when it last knew the time for sure
}

// closeWell leaves word that the folder is as it should be.
func closeWell(lock *os.File) { _ = lock.Truncate(0) }

// noteTime leaves word of what the time is for sure. A disk that takes none has
// the next process wait until its clock is confirmed, and nothing worse.
func noteTime(lock *os.File, sure time.Time) { _ = os.Chtimes(lock.Name(), sure, sure) }

// patience is how long a lock may outlive the process that took it. A child
// that was being started when the process was killed holds it until it has come
// to its own program, which takes milliseconds, and on a very busy machine seconds.
const patience = 5 * time.Second

// Vacant waits until nobody has the state folder at dir, or ctx ends. It is for a
// process that follows another one, which is on its way out.
func Vacant(ctx context.Context, dir string) error {
	tick := time.NewTicker(vacantEvery)
	defer tick.Stop()
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "lock state folder %q", dir)
	}
	defer unlock(f) // nothing was written under it
	for {
		err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fault.Wrap(fault.Exhausted, err, "state folder %q is in use by %s", dir, holder(f)).WithSubject(dir)
		}
	}
}

// vacantEvery is how often a follower looks: visitors wait meanwhile.
const vacantEvery = 5 * time.Millisecond

// lockPatiently waits for a lock whose holder is gone, and for no other.
func lockPatiently(f *os.File) error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EWOULDBLOCK || holderLives(f) || time.Now().After(end) {
			return err
		}
	}
}

// holderLives reports whether the process named in the lock file exists; one
// that nobody can name counts as alive.
func holderLives(f *os.File) bool {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return err != nil || syscall.Kill(pid, 0) != syscall.ESRCH
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// holder says who has the lock, as far as the file tells.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	pid := strings.TrimSpace(string(b))
	if _, bad := strconv.Atoi(pid); err != nil || bad != nil {
		return "another process"
	}
	return "process " + pid
}

// unlock gives the lock back and closes its file. Closing alone would leave it
// with a child that is being started in this moment, which has a copy of the
// file until it comes to its own program.
func unlock(f *os.File) error { return errors.Join(flock(f, syscall.LOCK_UN), f.Close()) }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err != syscall.EINTR {
			return err
		}
	}
}
