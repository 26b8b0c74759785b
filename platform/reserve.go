package platform

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The reserve is room on the disk for what a person says: on a full disk no
// release can be made, but going back, pausing and purging must be written down.
const (
	reserveName  = "reserve"
	reserveMost  = 16 << 20
	reserveShare = 100     // at most one in so many of the disk's bytes
	lendBelow    = 1 << 20 // bytes free, below which the reserve is lent
)

// setAsideRoom makes the reserve, of what is free if that is less. A file system
// that cannot promise room has none.
func (p *Platform) setAsideRoom() {
	disk, err := p.Disk()
	if err != nil {
		return
	}
	size := min(reserveMost, int64(disk.Total/reserveShare), int64(disk.Free))
	f, err := os.OpenFile(filepath.Join(p.Dir, reserveName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() >= size && size > 0 {
		return
	}
	if size <= 0 || unix.Fallocate(int(f.Fd()), 0, 0, size) != nil {
		_ = os.Remove(f.Name())
	}
}

// Lend gives the reserve up while something small is written on a full disk;
// back makes it again.
func (p *Platform) Lend() (back func()) {
	disk, err := p.Disk()
	if err != nil || disk.Free >= lendBelow || os.Remove(filepath.Join(p.Dir, reserveName)) != nil {
		return func() {}
	}
	p.log.Warn("the disk is full: the room set aside is lent to a command", "component", "platform")
	return p.setAsideRoom
}
